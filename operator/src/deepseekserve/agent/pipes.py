"""Turns the engine's output into our own, byte for byte, and a copy of it for the parser in bounded memory.

One Pump per stream stands between the engine and the container's log; `Copy` hands on what it can to `reading`.
The log comes first: when the parser is slow the copy gets a gap, and the engine never waits for it.
"""

import os
import select
import threading
from collections import deque

GAP = b""                                    # stands in the copy where something was left out


class Copy:
    """A bounded queue of (stream, bytes) from the pumps to the parser; putting never waits."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._changed = threading.Condition()
        self._parts: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._dropping = False
        self._closed = False
        self.gaps = 0
        self.bytes_seen = 0                  # with those that were left out

    def offer(self, stream: int, data: memoryview) -> None:
        """Take a copy of `data`, or note a gap when too much is waiting."""
        with self._changed:
            self.bytes_seen += len(data)
            if self._size + len(data) > (self._limit // 2 if self._dropping else self._limit):
                if not self._dropping:
                    self._dropping = True
                    self.gaps += 1
                    self._parts.append((stream, GAP))
                return
            self._dropping = False
            self._parts.append((stream, bytes(data)))
            self._size += len(data)
            self._changed.notify()

    def close(self) -> None:
        """Say that nothing follows."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, timeout_s: float) -> "deque[tuple[int, bytes]] | None":
        """Return all that waits (nothing after `timeout_s`), or None at the end."""
        with self._changed:
            if not self._parts and not self._closed:
                self._changed.wait(timeout_s)
            if not self._parts and self._closed:
                return None
            parts, self._parts = self._parts, deque()
            self._size = 0
            return parts


class Pump(threading.Thread):
    """Moves one stream of the engine to one of ours until its last writer has closed it."""

    def __init__(self, source: int, sink: int, copy: Copy, chunk_bytes: int) -> None:
        super().__init__(name=f"pump-{sink}", daemon=True)
        self._source = source
        self._sink = sink
        self._copy = copy
        self._chunk = chunk_bytes
        self.bytes_read = 0
        self.bytes_lost = 0                  # our own output refused them: closed, or its disk is full

    def run(self) -> None:
        """Read, copy, write; the copy comes before the write, for our own output may block for long."""
        buffer = bytearray(self._chunk)
        view = memoryview(buffer)
        while True:
            try:
                count = os.readv(self._source, [buffer])
            except OSError:
                return
            if count == 0:
                return
            self.bytes_read += count
            self._copy.offer(self._sink, view[:count])
            self._write(view[:count])

    def _write(self, data: memoryview) -> None:
        while data:
            try:
                data = data[os.write(self._sink, data):]
            except BlockingIOError:
                _wait_until_writable(self._sink)
            except OSError:
                self.bytes_lost += len(data)
                return


def _wait_until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll(1000)
