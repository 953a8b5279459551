"""Turns signals into something that the main loop can wait for.

Made by `__main__` before anything else is imported, hence with so few imports of its own; used by `supervisor`.
"""

import os
import select
import signal
from types import FrameType

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Would end a process without a handler, although not PID 1: the engine must not lose its agent outside of a pod either.
_SPARED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Signals:
    """Wakes the main loop for any signal; `stop_asked` once one has asked for an end, and for good.

    A handler (which exec resets) instead of a blocked signal (which the engine would inherit); as PID 1 a process
    gets only the signals that it has a handler for. The wish is kept beside the pipe, which a storm may have filled.
    """

    def __init__(self) -> None:
        self.stop_asked = False
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (*_STOP_SIGNALS, *_SPARED, signal.SIGCHLD):
            signal.signal(number, self._note)

    def wait(self, timeout_s: float) -> None:
        """Return at any signal, at the latest after `timeout_s`."""
        ready, _, _ = select.select([self._reader], [], [], timeout_s)
        if ready:
            os.read(self._reader, 65536)

    def ignore(self) -> None:
        """Take no more signals: the interpreter puts the defaults back before it ends, and our exit code is decided."""
        for number in (*_STOP_SIGNALS, *_SPARED):
            signal.signal(number, signal.SIG_IGN)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.stop_asked = self.stop_asked or number in _STOP_SIGNALS
