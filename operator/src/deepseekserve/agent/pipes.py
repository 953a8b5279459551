"""Turns the engine's output into our own, byte for byte, and a copy of it for the parser in bounded memory.

One Pump per stream stands between the engine and the container's log; `Copy` hands on what it can to `reading`.
The log comes first: in a flood the copy gets gaps, and the kernel moves what the parser will not see; the engine never
waits for the parser.
"""

import fcntl
import os
import select
import sys
import termios
import threading
from collections import deque

from deepseekserve.agent.limits import Limits

GAP = b""                                    # stands in the copy where something was left out


_PART_BYTES = 128                            # what a part costs beside its content
_JOINED_BYTES = 64 * 1024                    # parts of one stream become one up to here: engines write single lines

Part = tuple[int, bytearray]                 # a stream, and what came from it


class Copy:
    """A bounded queue of (stream, bytes) from the pumps to the parser; putting never waits.

    When it is full the middle is left out: what came first stays, and of what follows the latest of each stream.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._head: deque[Part] = deque()
        self._tails: dict[int, bytearray] = {}
        self._room = limits.copy_bytes       # for the head
        self._taken_at_byte = 0
        self._closed = threading.Event()
        self.is_full = False                 # until the parser takes what there is
        self.gaps = 0
        self.bytes_seen = 0                  # with those that were left out

    def offer(self, stream: int, data: memoryview) -> None:
        """Take a copy of `data`, or of its end when too much is waiting."""
        with self._changed:
            self.bytes_seen += len(data)
            self.is_full = self.is_full or len(data) > self._room
            if self.is_full:
                tail = self._tails.setdefault(stream, bytearray())
                tail += data[-self._limits.tail_bytes:]
                del tail[:-self._limits.tail_bytes]
            else:
                self._append(stream, data)
            self._changed.notify()

    def skip(self, count: int) -> None:
        """Note that `count` bytes went by unseen."""
        with self._changed:
            self.bytes_seen += count
            self.is_full = True              # the parser may just have taken all

    def close(self) -> None:
        """Say that nothing follows."""
        with self._changed:
            self._closed.set()
            self._changed.notify()

    def take(self, timeout_s: float) -> list[tuple[int, bytes]] | None:
        """Return all that waits (nothing after `timeout_s`), or None at the end."""
        with self._changed:
            self._changed.wait_for(self._is_ready, timeout_s)
            if self._closed.is_set() and not self._head and not self.is_full:
                return None
            parts, self._head = [(stream, bytes(data)) for stream, data in self._head], deque()
            if self.is_full:
                self.gaps += 1
                parts += [(0, GAP), *((stream, bytes(data)) for stream, data in self._tails.items())]
                self._tails.clear()
            self.is_full = False
            self._make_room()
            return parts

    def rest(self, seconds: float) -> None:
        """Let more come together for a while; not when nothing can follow."""
        self._closed.wait(max(0.0, seconds))

    def _is_ready(self) -> bool:
        return bool(self._head) or self.is_full or self._closed.is_set()

    def _append(self, stream: int, data: memoryview) -> None:
        self._room -= len(data)
        if self._head and self._head[-1][0] == stream and len(self._head[-1][1]) < _JOINED_BYTES:
            self._head[-1][1].extend(data)
        else:
            self._head.append((stream, bytearray(data)))
            self._room -= _PART_BYTES

    def _make_room(self) -> None:
        """Of a flood, which cannot be read anyway, take little: the pumps need the interpreter."""
        came = self.bytes_seen - self._taken_at_byte
        self._taken_at_byte = self.bytes_seen
        self._room = self._limits.copy_bytes if came <= self._limits.copy_bytes else self._limits.tail_bytes


class Pump(threading.Thread):
    """Moves one stream of the engine to one of ours until its last writer has closed it."""

    def __init__(self, source: int, sink: int, copy: Copy, limits: Limits) -> None:
        super().__init__(name=f"pump-{sink}", daemon=True)
        self._source = source
        self._sink = sink
        self._copy = copy
        self._chunk = limits.chunk_bytes
        self._shown = min(limits.tail_bytes, fcntl.fcntl(source, fcntl.F_GETPIPE_SZ) // 4)
        self._may_splice = True
        self.bytes_read = 0
        self.bytes_lost = 0                  # our own output refused them: closed, or its disk is full

    def run(self) -> None:
        """Move all there is; the copy comes before the write, for our own output may block for long."""
        buffer = memoryview(bytearray(self._chunk))
        try:
            while count := self._splice() or self._carry(buffer):
                self.bytes_read += count
        except OSError:
            return

    def _carry(self, buffer: memoryview) -> int:
        count = os.readv(self._source, [buffer])
        self._copy.offer(self._sink, buffer[:count])
        self._write(buffer[:count])
        return count

    def _splice(self) -> int:
        """Let the kernel move what the parser has no room for, but never the last bytes before a pause or the end."""
        if not (self._copy.is_full and self._may_splice):
            return 0
        unseen = int.from_bytes(fcntl.ioctl(self._source, termios.FIONREAD, bytes(4)), sys.byteorder) - self._shown
        if unseen <= 0:
            return 0
        try:
            count = os.splice(self._source, self._sink, unseen)
        except OSError:                      # no pipe, nobody reads it, or not in this kernel
            self._may_splice = False
            return 0
        self._copy.skip(count)
        return count

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
