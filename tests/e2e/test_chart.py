"""The chart on the cluster: an upgrade restarts no engine, an uninstall keeps the resources, an install takes over."""

import pytest

from tests.e2e.conftest import delete_service, engine_pods
from tests.lab.kubectl import Kubectl
from tests.lab.setup import Lab, install, uninstall
from tests.lab.watch import Watch, serves


@pytest.mark.usefixtures("alone")
def test_upgrade_uninstall_and_install_leave_the_engines_alone(lab: Lab, kubectl: Kubectl, served: Watch) -> None:
    before = [p["metadata"]["uid"] for p in engine_pods(kubectl, served.name)]
    install(lab, "--set", "logLevel=DEBUG")
    install(lab)
    uninstall(lab)
    assert kubectl.get("dss", served.name), "the resource went with the operator"
    assert [p["metadata"]["uid"] for p in engine_pods(kubectl, served.name)] == before
    install(lab)
    delete_service(kubectl, served.name, back_within_s=60)
    assert serves(kubectl.get("dss", served.name) or {})
    assert [p["metadata"]["uid"] for p in engine_pods(kubectl, served.name)] == before
