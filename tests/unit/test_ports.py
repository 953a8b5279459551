"""Ports for tests: free, not given out twice in a row, and not those that the kernel or another run takes."""

import socket
import subprocess
import sys
from pathlib import Path

from tests import ports


def test_each_can_be_listened_on_and_is_not_the_one_before() -> None:
    servers = [socket.create_server((ports.HOST, ports.free_port())) for _ in range(3)]
    try:
        assert len({server.getsockname()[1] for server in servers}) == 3
    finally:
        for server in servers:
            server.close()


def test_one_that_somebody_listens_on_is_passed_over() -> None:
    port = ports.free_port()
    with socket.create_server((ports.HOST, port + 1)):
        assert ports.free_port() != port + 1


def test_the_kernel_gives_them_to_no_outgoing_connection() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert ports.free_port() < first


def test_two_processes_take_them_from_different_blocks() -> None:
    code = "from tests.ports import free_port; print(free_port())"
    other = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    assert other // ports.SIZE != ports.free_port() // ports.SIZE
