"""Turns signals into something that the main loop can wait for.

Made by `__main__` before anything else is imported, hence with so few imports of its own; used by `supervisor`.
"""

import os
import select
import signal

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Turns signals into bytes of a pipe, so that the main loop can wait for them; they do nothing else.

    A handler (which exec resets) instead of a blocked signal (which the engine would inherit); as PID 1 a process
    gets only the signals that it has a handler for.
    """

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (*_STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def wait(self, timeout_s: float) -> int:
        """Wait for any signal and return how many of them asked for an end."""
        ready, _, _ = select.select([self._reader], [], [], timeout_s)
        return sum(number in _STOP_SIGNALS for number in os.read(self._reader, 4096)) if ready else 0
