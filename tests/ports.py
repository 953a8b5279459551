"""Ports of 127.0.0.1 that nobody else takes between the moment a test chooses one and the moment its server binds it.

The kernel gives a port that was free a moment ago to any outgoing connection, so these lie below the range from which
it takes them; and test runs side by side take theirs from blocks of their own.
"""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

HOST = "127.0.0.1"
FIRST, SIZE = 12000, 500            # Kubernetes' NodePorts begin at 30000, outgoing connections by default at 32768
LAST = 30000

_lock = threading.Lock()


def free_port() -> int:
    """A port on which a server of this process, or of a child of it, can listen; none is given out twice in a row."""
    with _lock:
        return next(port for port in _PORTS if is_free(port))


def is_free(port: int) -> bool:
    """Tell whether nobody listens on the port."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _own_block() -> tuple[range, socket.socket]:
    """The first block that no other process holds; the kernel gives it back when this process ends.

    A block is held by an abstract Unix socket, which belongs to the network namespace, as ports do.
    """
    used = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for first in range(FIRST, min(LAST, used) - SIZE + 1, SIZE):
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0deepseekserve-tests-ports-{first}")
        except OSError:
            holder.close()
            continue
        return range(first, first + SIZE), holder
    raise OSError(f"every block of ports from {FIRST} to {min(LAST, used)} is held by another process")


def _ports() -> Iterator[int]:
    block, holder = _own_block()
    with holder:
        yield from itertools.chain.from_iterable(itertools.repeat(block))


_PORTS = _ports()
