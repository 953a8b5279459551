"""An operator of another version takes over: no pod is made anew before an edit of its resource asks for one.

Two steps: from the version that users run (tests/chart/PREVIOUS) to this one, and from this one to one of tomorrow with
another renderer, another agent, a new field and another default.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from deepseekserve import names
from tests.integration.operating import Operator, Pods, eventually, install_crd, least_privileged, resource, running
from tests.lab import versions
from tests.lab.kubectl import Kubectl, Object

RESOURCES: dict[str, dict[str, Any]] = {
    "plain": {},
    "many": {"replicas": 2},
    "said": {"startup": {"stallSeconds": 300}, "rollout": {"drainSeconds": 5}},
    "suspended": {"suspended": True},
}
STEPS: dict[str, tuple[Callable[[Path], Path] | None, Callable[[Path], Path] | None]] = {
    "from the previous version to this one": (versions.previous, None),
    "from this version to a later one": (None, versions.later),
    "from this version back to the previous one": (None, versions.previous),
}


@dataclass(frozen=True)
class Version:
    """Where one version's operator and CRD are; and the account that its chart would give it."""

    root: Path
    folder: Path
    kubectl: Kubectl

    def operator(self) -> Operator:
        """Its process, not started; its CRD in force."""
        install_crd(self.kubectl, self.root / "crds" / "deepseekserve.yaml")
        account = least_privileged(self.kubectl, self.kubectl.namespace, self.folder)
        made = Operator(account, self.folder / f"{self.root.name}.log", namespace=self.kubectl.namespace)
        return replace(made, source=self.root / "operator" / "src")


@pytest.fixture(params=STEPS)
def versions_of(request: pytest.FixtureRequest, kubectl_here: Kubectl, tmp_path: Path) -> Iterator[list[Version]]:
    """The version before the upgrade and the one after it; afterwards this checkout's CRD is in force again."""
    found = []
    for number, make in enumerate(STEPS[request.param]):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(Version(make(folder) if make else versions.ROOT, tmp_path, kubectl_here))
    yield found
    kubectl_here("delete", "dss", "--all")
    install_crd(kubectl_here)


def looked_at_all(kubectl: Kubectl, operator: Operator) -> Callable[[], bool]:
    """The operator has looked at every resource of the cluster at least twice."""
    number = len(json.loads(kubectl("get", "dss", "--all-namespaces", "-o", "json"))["items"])
    return lambda: operator.looks() >= 2 * number


def pods(kubectl: Kubectl) -> set[str]:
    """Uids of all engine pods that are not on their way out."""
    found = kubectl.list("pods", names.CHILD_SELECTOR)
    return {pod["metadata"]["uid"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def templates(kubectl: Kubectl) -> dict[str, str]:
    """What makes the pods of each resource."""
    found = kubectl.list("deployments", names.CHILD_SELECTOR)
    return {d["metadata"]["name"]: json.dumps(d["spec"]["template"], sort_keys=True) for d in found}


def complete(kubectl: Kubectl) -> bool:
    """Every resource has its Deployment, and as many pods as it asks for."""
    deployments = kubectl.list("deployments", names.CHILD_SELECTOR)
    asked = sum(d["spec"]["replicas"] for d in deployments)
    return len(deployments) == len(RESOURCES) and len(pods(kubectl)) == asked == 4


def test_no_pod_is_made_anew_until_an_edit_asks_for_it(versions_of: list[Version], kubectl_here: Kubectl) -> None:
    old, new = (version.operator for version in versions_of)
    serving = Pods(kubectl_here)
    with running(old()):
        kubectl_here.apply(*(resource(name, **spec) for name, spec in RESOURCES.items()))
        eventually(lambda: complete(kubectl_here), "all pods of the old version")
        serving.next("plain").serve()
        eventually(lambda: good(kubectl_here, "plain"), "a good revision")
    before, made_before = templates(kubectl_here), pods(kubectl_here)

    with running(new()) as operator:
        eventually(looked_at_all(kubectl_here, operator), "a look at every resource")
        assert (templates(kubectl_here), pods(kubectl_here)) == (before, made_before)

        kubectl_here("scale", "dss", "plain", "--replicas=3")
        eventually(lambda: len(pods(kubectl_here)) == len(made_before) + 2, "two more pods")
        assert templates(kubectl_here) == before, "more of the same"
        assert pods(kubectl_here) > made_before

        for name in RESOURCES:
            kubectl_here.patch("dss", name, {"spec": {"engine": {"maxNumSeqs": 7}}})
        eventually(lambda: all("--max-num-seqs" in made for made in templates(kubectl_here).values()), "the edit")
        eventually(lambda: roll(kubectl_here) == {"plain", "many", "said"}, "new pods of all that have pods")
        assert "Traceback" not in operator.says()
    serving.close()


def roll(kubectl: Kubectl) -> set[str]:
    """The resources that have a pod of their Deployment's present revision."""
    def revision(made: Object) -> tuple[str, str]:
        labels = made["metadata"]["labels"]
        return labels[names.LABEL_NAME], labels[names.LABEL_REVISION]

    present = {revision(d["spec"]["template"]) for d in kubectl.list("deployments", names.CHILD_SELECTOR)}
    running_now = {revision(pod) for pod in kubectl.list("pods", names.CHILD_SELECTOR)}
    return {name for name, _ in present & running_now}


def good(kubectl: Kubectl, name: str) -> bool:
    """The resource's last good revision is named in its status."""
    found: Object = kubectl.get("dss", name) or {}
    return bool(found.get("status", {}).get("lastGoodRevision"))


def test_a_later_version_renders_and_defaults_otherwise_and_only_what_is_new_gets_it(
    kubectl_here: Kubectl, tmp_path: Path,
) -> None:
    (tmp_path / "later").mkdir()
    later = Version(versions.later(tmp_path / "later"), tmp_path, kubectl_here)
    this = Version(versions.ROOT, tmp_path, kubectl_here)
    with running(this.operator()):
        kubectl_here.apply(resource("plain"))
        eventually(lambda: templates(kubectl_here), "the first Deployment")
    with running(later.operator()):
        kubectl_here.apply(resource("new"))
        eventually(lambda: "new" in templates(kubectl_here), "the second Deployment")
        made = templates(kubectl_here)
        assert ("LATER" in made["plain"], '"--stall-seconds", "600"' in made["plain"]) == (False, True)
        assert ("LATER" in made["new"], '"--stall-seconds", "900"' in made["new"]) == (True, True)
    kubectl_here("delete", "dss", "--all")
    install_crd(kubectl_here)
