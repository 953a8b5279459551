"""The node's network: one link (veth) between this machine and the node's network namespace, on a subnet of its own.

Nothing else of the machine is touched: no route, no firewall rule, no sysctl. The link goes with the namespace.
"""

import hashlib
import ipaddress
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError

# Set aside for tests of network devices (RFC 2544), so neither a home, an office nor a cloud network has it.
POOL = ipaddress.IPv4Network("198.19.0.0/16")
INSIDE = "eth0"


@dataclass(frozen=True)
class Link:
    """The two ends of a cluster's link: this machine's interface and address, and the node's."""

    interface: str
    subnet: ipaddress.IPv4Network

    @property
    def host(self) -> str:
        """This machine's address on the link."""
        return str(self.subnet[1])

    @property
    def node(self) -> str:
        """The node's address: the API server, DNS and NodePorts answer here."""
        return str(self.subnet[2])


def allot(identity: str, taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """A /30 of the pool that overlaps none that is taken; the search begins at a place that the identity decides."""
    used = [n for n in taken if n.overlaps(POOL) and n.prefixlen > 0]
    count = POOL.num_addresses // 4
    start = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4]) % count
    for step in range(count):
        subnet = ipaddress.IPv4Network((int(POOL.network_address) + 4 * ((start + step) % count), 30))
        if not any(subnet.overlaps(n) for n in used):
            return subnet
    raise ClusterError(f"no free subnet in {POOL}: `ip route` shows who uses it")


def taken_by_this_machine() -> list[ipaddress.IPv4Network]:
    """The destinations of all routes, addresses of its own included."""
    routes = json.loads(_ip("-json", "-4", "route", "show", "table", "all") or "[]")
    found = (r.get("dst", "default") for r in routes)
    return [ipaddress.IPv4Network(dst, strict=False) for dst in found if dst != "default"]


def connect(link: Link, holder: int) -> None:
    """Have the link between this machine and the namespace of process `holder`, up and with its addresses."""
    if not exists(link.interface):
        _ip("link", "add", link.interface, "type", "veth", "peer", "name", INSIDE, "netns", str(holder))
    _ip("address", "replace", f"{link.host}/{link.subnet.prefixlen}", "dev", link.interface)
    _ip("link", "set", link.interface, "up")
    _inside(holder, "ip", "link", "set", "lo", "up")
    _inside(holder, "ip", "address", "replace", f"{link.node}/{link.subnet.prefixlen}", "dev", INSIDE)
    _inside(holder, "ip", "link", "set", INSIDE, "up")
    # The kubelet takes its address from the interface of the default route.
    _inside(holder, "ip", "route", "replace", "default", "via", link.host)
    _inside(holder, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")


def exists(interface: str) -> bool:
    """This machine has an interface of that name."""
    return Path("/sys/class/net", interface).exists()


def remove(interface: str) -> None:
    """Remove a link, unless the end of its namespace has done or is just doing so."""
    if exists(interface):
        subprocess.run(["ip", "link", "delete", interface], capture_output=True, check=False)


def _ip(*arguments: str) -> str:
    return run(["ip", *arguments])


def _inside(holder: int, *command: str) -> None:
    run(["nsenter", f"--target={holder}", "--net", *command])
