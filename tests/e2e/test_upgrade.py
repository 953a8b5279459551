"""The operator of another version takes over running engines: none restarts before an edit of its resource asks for it.

From the version that users run (tests/chart/PREVIOUS, built from git) to one of tomorrow, which renders, defaults and
has fields otherwise. tests/integration/test_operator_upgrade.py has further steps, without engines.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import START_S, engine_pods
from tests.e2e.groups import group
from tests.images import ensure
from tests.lab import versions
from tests.lab.kubectl import Kubectl, Object
from tests.lab.setup import Lab, cluster, install
from tests.lab.watch import Watch, has_ready, serves

Install = Callable[[Callable[[Path], Path]], None]


@pytest.fixture
def install_version(lab: Lab, alone: None, tmp_path: Path) -> Iterator[Install]:
    """Build a version, bring it into the cluster and install it with its own chart; afterwards this one is back."""
    def install_one(make: Callable[[Path], Path]) -> None:
        root = tmp_path / make.__name__
        root.mkdir()
        image = ensure("operator", make(root))
        cluster(print, "load", str(image.archive))
        install(replace(lab, operator_image=image.name), root=root)

    yield install_one
    install(lab)


def lives(pod: Object) -> tuple[str, int]:
    """What is another one after a restart: the pod, or the count of its container."""
    return pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]


def rolled(resource: Object) -> bool:
    """The present revision serves, and has become the last good one."""
    return serves(resource) and resource["status"]["currentRevision"] == resource["status"]["lastGoodRevision"]


def test_engines_outlive_an_upgrade_and_roll_with_the_first_edit_after_it(
    kubectl: Kubectl, served: Watch, install_version: Install,
) -> None:
    bystander = [lives(pod) for pod in engine_pods(kubectl, served.name)]
    install_version(versions.previous)
    with group(kubectl, {"upgraded": {}}) as watches:
        watch = watches["upgraded"]
        watch.until(serves, timeout_s=START_S, what="serving under the version before")
        (first,) = engine_pods(kubectl, watch.name)

        install_version(versions.later)
        kubectl("scale", "dss", watch.name, "--replicas=2")
        watch.until(has_ready(2), timeout_s=START_S, what="a second pod under the later version")
        old, new = engine_pods(kubectl, watch.name)
        assert lives(old) == lives(first)
        assert old["metadata"]["labels"] == new["metadata"]["labels"], "more of the same"
        assert [lives(pod) for pod in engine_pods(kubectl, served.name)] == bystander

        mark = watch.mark()
        kubectl.patch("dss", watch.name, {"spec": {"replicas": 1, "engine": {"maxNumSeqs": 7}}})
        watch.until(rolled, timeout_s=START_S, what="serving after the edit", since=mark)
        (last,) = engine_pods(kubectl, watch.name)
        assert lives(last)[0] not in {lives(old)[0], lives(new)[0]}
        assert {"name": "LATER", "value": "1"} in last["spec"]["containers"][0]["env"]
        assert [lives(pod) for pod in engine_pods(kubectl, served.name)] == bystander
