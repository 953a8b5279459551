"""Resources that are as they shall be are left alone: nothing is written but the Lease."""

import threading
import time
from collections import Counter

import pytest

from deepseekserve.kube import Object
from deepseekserve.kube.kinds import SERVES
from tests.cluster import audit
from tests.integration.operating import eventually
from tests.soak.ground import FORBIDDEN, NAMESPACE, Ground, placed, settled
from tests.soak.kubelet import played
from tests.soak.report import Section
from tests.soak.walk import INVALID

BEGUN_S = 30.0             # until the first list that comes after the watch has begun

pytestmark = pytest.mark.timeout(7200)


def wanted() -> list[Object]:
    """Twenty resources in every state that lasts."""
    specs: list[Object] = [{} for _ in range(14)]
    specs += [{"replicas": 2}, {"replicas": 0}, {"replicas": 0}, {"suspended": True}, {"suspended": True}, INVALID]
    return [placed(f"quiet-{number}", **spec) for number, spec in enumerate(specs)]


def test_settled_resources_cause_no_write_but_the_lease(
    ground: Ground, section: Section, pytestconfig: pytest.Config,
) -> None:
    minutes = float(pytestconfig.getoption("--soak-quiet-minutes", 25.0))
    with played(ground.client):
        operator = ground.operator("operator-1")
        operator.start()
        for made in wanted():
            ground.client.create(SERVES, made)
        eventually(lambda: all(settled(r) for r in ground.client.list(SERVES)), "all settled", 120)
        threading.Event().wait(BEGUN_S)
        began, before = time.time(), versions(ground)
        phases = Counter(r["status"]["phase"] for r in ground.client.list(SERVES))
        section.did(f"20 resources ({', '.join(f'{n} {phase}' for phase, n in phases.items())}), settled, "
                    f"left alone for {minutes:g} minutes")
        while (left_s := began + minutes * 60 - time.time()) > 0:
            threading.Event().wait(min(left_s, 60))
            section.progress(f"{(time.time() - began) / 60:.0f} minutes, {len(late_writes(ground, began))} writes")
        assert versions(ground) == before
    written = late_writes(ground, began)
    section.found("writes by the operator", len(written))
    asked = requests(ground, began)
    section.found("its requests, the Lease's among them", dict(sorted(asked.items())))
    section.found("reconciles", int(operator_count(ground)))
    assert asked["update leases"] > 0
    assert written == []
    assert ground.bugs(FORBIDDEN) == []


def versions(ground: Ground) -> dict[str, str]:
    """Version of each resource."""
    return {r["metadata"]["name"]: r["metadata"]["resourceVersion"] for r in ground.client.list(SERVES)}


def late_writes(ground: Ground, since: float) -> list[audit.Record]:
    """What the operator has written since then."""
    return [record for record in ground.writes(ground.operators[0]) if record.at >= since]


def requests(ground: Ground, since: float) -> Counter[str]:
    """All requests by the operator's service account since then, by verb and resource."""
    account = f"system:serviceaccount:{NAMESPACE}:deepseekserve"
    return Counter(
        f"{record.verb} {record.resource}" for record in audit.read(ground.folder)
        if record.user == account and record.at >= since
    )


def operator_count(ground: Ground) -> float:
    """Looks at resources so far."""
    return ground.operators[0].looks()
