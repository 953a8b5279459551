"""An operator of listed namespaces, with the rights that the chart then gives it: these are served, and no others."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deepseekserve import names
from tests.integration.operating import Operator, Pods, eventually, install_crd, least_privileged, resource, running
from tests.lab.kubectl import Kubectl

CHILDREN = "deployments,services,controllerrevisions"


@pytest.fixture
def teams(kubectl: Kubectl, namespace: str) -> Iterator[list[Kubectl]]:
    """kubectl in two namespaces that are watched, and in one that is not."""
    found = [f"{namespace}-{team}" for team in "abc"]
    kubectl.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}} for team in found))
    yield [replace(kubectl, namespace=team) for team in found]
    kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *found)


def confined(kubectl: Kubectl, folder: Path, *watched: str) -> Operator:
    """An operator, with an account of its own, that is told to watch some namespaces, and has rights in none yet."""
    install_crd(kubectl)
    account = bind(kubectl, folder)
    settings = {"DSS_WATCH_NAMESPACES": ",".join(watched), "DSS_RESYNC_SECONDS": "10"}
    return Operator(account, folder / "log", namespace=kubectl.namespace, settings=settings)


def bind(kubectl: Kubectl, folder: Path, *namespaces: str) -> Kubectl:
    """Give the operator's account its rights in these namespaces, as an upgrade of the chart does; kubectl as it."""
    values = f"watchNamespaces={{{','.join(namespaces or [kubectl.namespace])}}}"
    return least_privileged(kubectl, kubectl.namespace, folder, "--set", values)


def serves(kubectl: Kubectl, name: str) -> bool:
    """The resource has its Deployment and a status of its present generation."""
    found = kubectl.get("dss", name)
    return bool(found and found["status"]["observedGeneration"] == 1 and kubectl.get("deployment", name))


def test_resources_of_the_listed_namespaces_are_served_and_no_others(
    kubectl_here: Kubectl, teams: list[Kubectl], tmp_path: Path,
) -> None:
    a, b, other = teams
    told = confined(kubectl_here, tmp_path, a.namespace, b.namespace)
    bind(kubectl_here, tmp_path, a.namespace, b.namespace)
    with running(told) as operator:
        for team in teams:
            team.apply(resource("tiny"))
        eventually(lambda: serves(a, "tiny"), "the first team's")
        eventually(lambda: serves(b, "tiny"), "the second team's")
        a("delete", "deployment", "tiny")
        eventually(lambda: serves(a, "tiny"), "the deleted child again")
        a("delete", "dss", "tiny")
        eventually(lambda: not a.list(CHILDREN, names.CHILD_SELECTOR), "all gone")
    assert not other.list(CHILDREN, names.CHILD_SELECTOR)
    assert "orbidden" not in operator.says()
    assert "Traceback" not in operator.says()


def test_a_role_of_an_older_chart_that_lists_no_events_costs_one_line_in_the_log(
    kubectl_here: Kubectl, teams: list[Kubectl], tmp_path: Path,
) -> None:
    team = teams[0]
    told = confined(kubectl_here, tmp_path, team.namespace)
    bind(kubectl_here, tmp_path, team.namespace)
    (role,) = team.list("roles")
    older = [rule | {"verbs": ["create"]} if rule["resources"] == ["events"] else rule for rule in role["rules"]]
    team.patch("role", role["metadata"]["name"], {"rules": older})
    pods = Pods(team)
    with running(told) as operator:
        team.apply(resource("tiny"))
        pod = pods.next("tiny")
        pod.schedule()
        count = operator.count
        eventually(lambda: count("deepseekserve_kube_requests_total", verb="list", code="403") >= 2, "two refusals")
        pod.serve()
        eventually(lambda: (team.get("dss", "tiny") or {})["status"]["phase"] == "Serving", "a pod that serves")
    pods.close()
    assert operator.says().count("may not list Events") == 1
    assert "Traceback" not in operator.says()


def test_a_namespace_that_does_not_exist_yet_stops_no_other_and_is_served_when_it_comes(
    kubectl_here: Kubectl, teams: list[Kubectl], tmp_path: Path,
) -> None:
    a, b, _ = teams
    operator = confined(kubectl_here, tmp_path, a.namespace, b.namespace)
    bind(kubectl_here, tmp_path, a.namespace)
    with running(operator):
        a.apply(resource("tiny"))
        eventually(lambda: serves(a, "tiny"), "the team whose namespace is there")
        assert "not allowed to watch a namespace: create it, then upgrade the chart" in operator.says()
        bind(kubectl_here, tmp_path, a.namespace, b.namespace)
        eventually(operator.has_ended, "an end that begins anew")
    with running(operator):
        b.apply(resource("tiny"))
        eventually(lambda: serves(b, "tiny"), "the other one")


def test_a_namespace_that_goes_ends_the_process_in_order_and_the_next_one_serves_the_others(
    kubectl_here: Kubectl, teams: list[Kubectl], tmp_path: Path,
) -> None:
    a, b, _ = teams
    operator = confined(kubectl_here, tmp_path, a.namespace, b.namespace)
    bind(kubectl_here, tmp_path, a.namespace, b.namespace)
    with running(operator):
        b.apply(resource("tiny"))
        eventually(lambda: serves(b, "tiny"), "the team whose namespace is about to go")
        b("delete", "rolebinding", "--all")
        eventually(operator.has_ended, "an end, as soon as something is listed again")
        assert "not allowed to list any more: starting again" in operator.says()
    with running(operator):
        a.apply(resource("tiny"))
        eventually(lambda: serves(a, "tiny"), "the other team's")
    assert "Traceback" not in operator.says()
