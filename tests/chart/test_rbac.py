"""The operator's permissions: what its code asks for, nothing else."""

import json
from collections.abc import Iterator

import pytest

from deepseekserve import names
from deepseekserve.kube.kinds import (
    CLAIMS,
    CONFIG_MAPS,
    EVENTS,
    JOBS,
    LEASES,
    PODS,
    REVISIONS,
    SERVES,
    WATCHED_CHILDREN,
    Kind,
)
from tests.chart.chart import NAMESPACE, RELEASE, Object, one, render, render_text
from tests.cluster.health import wait_for
from tests.lab.kubectl import Kubectl

WRITE = {"create", "patch", "delete"}
READ = {"get", "list"}
AGGREGATED_S = 30
USER = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"


def granted(role: Object) -> dict[tuple[str, str], set[str]]:
    """(API group, resource) -> verbs."""
    return {(g, r): set(rule["verbs"]) for rule in role["rules"] for g in rule["apiGroups"] for r in rule["resources"]}


def at(kind: Kind, subresource: str = "") -> tuple[str, str]:
    """API group and resource, as rules name them."""
    return kind.group, kind.plural + (f"/{subresource}" if subresource else "")


def test_the_cluster_role_is_what_the_code_asks_for() -> None:
    (role,) = [o for o in render("--set", "rbac.aggregate=false") if o["kind"] == "ClusterRole"]
    watched = {at(k): READ | WRITE | {"watch"} for k in WATCHED_CHILDREN if k != PODS}
    assert granted(role) == watched | {
        at(CONFIG_MAPS): READ | {"create", "delete"},          # immutable
        at(JOBS): {"get", "create", "delete"},                 # made, read and gone
        at(CLAIMS): {"get"},                                   # whether one is bound
        at(REVISIONS): READ | {"create", "update", "delete"},  # labelled as good by PUT
        at(SERVES): READ | {"watch"},
        at(SERVES, "status"): {"patch"},
        at(SERVES, "finalizers"): {"update"},
        at(PODS): READ | {"watch"},
        at(EVENTS): {"create", "list"},
    }


def test_in_listed_namespaces_the_same_is_granted_there_and_nothing_in_the_whole_cluster() -> None:
    (everywhere,) = [o for o in render("--set", "rbac.aggregate=false") if o["kind"] == "ClusterRole"]
    listed = render("--set", "watchNamespaces={team-a,team-b}", "--set", "rbac.aggregate=false")
    roles = {o["metadata"]["namespace"]: o for o in listed if o["kind"] == "Role"}
    assert set(roles) == {"team-a", "team-b", NAMESPACE}
    assert roles["team-a"]["rules"] == roles["team-b"]["rules"] == everywhere["rules"]
    assert not [o for o in listed if o["kind"] in ("ClusterRole", "ClusterRoleBinding")]
    bound = {o["metadata"]["namespace"]: o["roleRef"] for o in listed if o["kind"] == "RoleBinding"}
    assert {where: (ref["kind"], ref["name"]) for where, ref in bound.items()} == {
        where: ("Role", role["metadata"]["name"]) for where, role in roles.items()}


def test_leases_are_granted_by_name_and_in_its_own_namespace_alone() -> None:
    role = one(render(), "Role")
    assert role["metadata"]["namespace"] == NAMESPACE
    assert set(granted(role)) == {at(LEASES)}
    by_name = [(rule["verbs"], rule.get("resourceNames")) for rule in role["rules"]]
    assert by_name == [(["create"], None), (["get", "update"], [names.LEASE_NAME])]


def test_no_rule_has_a_wildcard() -> None:
    for role in [o for o in render() if o["kind"] in ("ClusterRole", "Role")]:
        assert "*" not in json.dumps(role["rules"])


@pytest.fixture(scope="module")
def bound(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl on a server where the chart's roles are in force, beside the namespace `team-a`."""
    shown = [f"--show-only=templates/{file}.yaml" for file in ("crd", "rbac", "userroles")]
    text = render_text(*shown)
    kubectl("apply", "-f", "-", stdin=text)
    wait_for(lambda: may(kubectl, USER, "patch", ("apps", "deployments")), "the roles are in force", AGGREGATED_S)
    yield kubectl
    kubectl("delete", "-f", "-", stdin=text)


def may(kubectl: Kubectl, user: str, verb: str, key: tuple[str, str], **where: str) -> bool:
    """The real authorizer's answer; `where` holds a namespace (default: team-a) and a name."""
    resource, _, subresource = key[1].partition("/")
    asked = {"verb": verb, "group": key[0], "resource": resource, "subresource": subresource, "namespace": "team-a"}
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": asked | where},
    }
    answer = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    return bool(answer["status"]["allowed"])


def test_the_operator_may_do_its_work_in_every_namespace(bound: Kubectl) -> None:
    assert may(bound, USER, "patch", ("apps", "deployments"))
    assert may(bound, USER, "patch", at(SERVES, "status"))
    assert may(bound, USER, "list", at(EVENTS))
    assert may(bound, USER, "update", at(LEASES), namespace=NAMESPACE, name=names.LEASE_NAME)


def test_the_operator_may_touch_nothing_that_is_not_its_own(bound: Kubectl) -> None:
    assert not may(bound, USER, "get", ("", "secrets"))
    assert not may(bound, USER, "patch", at(SERVES))
    assert not may(bound, USER, "delete", at(PODS))
    assert not may(bound, USER, "watch", at(EVENTS))
    assert not may(bound, USER, "create", ("", "pods/exec"))
    assert not may(bound, USER, "update", at(LEASES), name=names.LEASE_NAME)
    assert not may(bound, USER, "update", at(LEASES), namespace=NAMESPACE, name="another")


def test_who_may_edit_a_namespace_may_edit_its_resources(bound: Kubectl) -> None:
    grant(bound, "edit")
    wait_for(lambda: may(bound, "user-edit", "create", at(SERVES)), "`edit` takes in the chart's role", AGGREGATED_S)
    assert may(bound, "user-edit", "patch", at(SERVES, "scale"))
    assert not may(bound, "user-edit", "patch", at(SERVES, "status"))
    assert not may(bound, "user-edit", "create", at(SERVES), namespace="team-b")


def test_who_may_view_a_namespace_sees_its_resources_and_changes_none(bound: Kubectl) -> None:
    grant(bound, "view")
    wait_for(lambda: may(bound, "user-view", "list", at(SERVES)), "`view` takes in the chart's role", AGGREGATED_S)
    assert not may(bound, "user-view", "delete", at(SERVES))


def grant(kubectl: Kubectl, role: str) -> None:
    """Bind one of the cluster's own roles to the user `user-ROLE` in the namespace team-a."""
    kubectl("--namespace=team-a", "create", "rolebinding", role, f"--clusterrole={role}", f"--user=user-{role}")
