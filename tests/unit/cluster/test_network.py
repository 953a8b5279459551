"""Every cluster gets a subnet of its own, the same one each time if it can."""

from ipaddress import IPv4Network

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.network import POOL, Link, allot


def test_a_cluster_gets_the_same_subnet_each_time() -> None:
    assert allot("one", []) == allot("one", [])


def test_two_clusters_get_different_subnets() -> None:
    assert allot("one", []) != allot("two", [])


def test_a_taken_subnet_is_passed_over() -> None:
    first = allot("one", [])
    second = allot("one", [first])
    assert not second.overlaps(first)
    assert second.subnet_of(POOL)


def test_the_search_goes_on_at_the_beginning_of_the_pool() -> None:
    last = IPv4Network((int(allot("one", [])[0]) - 4, 30))      # the one before the place where the search begins
    assert allot("one", POOL.address_exclude(last)) == last


def test_a_default_route_takes_nothing() -> None:
    assert allot("one", [IPv4Network("0.0.0.0/0")]) == allot("one", [])


def test_a_full_pool_is_said_so() -> None:
    with pytest.raises(ClusterError, match="ip route"):
        allot("one", [IPv4Network("198.18.0.0/15")])


def test_the_machine_and_the_node_have_the_two_usable_addresses() -> None:
    link = Link("dss0", IPv4Network("198.19.0.8/30"))
    assert (link.host, link.node) == ("198.19.0.9", "198.19.0.10")
