"""API server and etcd go away and come back, watches end, answers are errors or are cut off: the operator goes on."""

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from deepseekserve import names
from deepseekserve.kube.kinds import DEPLOYMENTS, DISRUPTION_BUDGETS, LEASES, SERVES, SERVICES
from tests.integration.operating import Operator, eventually
from tests.lab.kubectl import Object
from tests.lab.watch import is_current
from tests.soak.ground import NAMESPACE, Ground, placed, served
from tests.soak.kubelet import played
from tests.soak.proxy import Faults, Proxy
from tests.soak.report import Section

RESOURCES = 10
AWAY_S = 60.0
CONVERGED_S = 30.0
SERVED_S = 180.0          # Kubernetes' own controllers come back at longer and longer intervals
LONG_LEASE_S = 120        # with less, the operator ends before the API server is back: see the last scenario

pytestmark = pytest.mark.timeout(2400)


@dataclass
class Users:
    """Who edits resources and deletes children, and knows what must come of it."""

    ground: Ground
    chance: random.Random
    wanted: dict[str, str] = field(default_factory=dict)       # the value of the variable STEP, by resource
    edits: int = 0

    def begin(self) -> None:
        """Make the resources."""
        for number in range(RESOURCES):
            name = f"disturbed-{number}"
            self.wanted[name] = ""
            self.ground.client.create(SERVES, placed(name))

    def edit(self) -> None:
        """Give each a new template, and delete the Service or the PodDisruptionBudget of every other one."""
        for name in self.wanted:
            self.edits += 1
            self.wanted[name] = str(self.edits)
            variable = {"name": "STEP", "value": self.wanted[name]}
            self.ground.client.patch(SERVES, (NAMESPACE, name), {"spec": {"engine": {"env": [variable]}}})
        for name in self.chance.sample(sorted(self.wanted), RESOURCES // 2):
            self.ground.client.delete(self.chance.choice([SERVICES, DISRUPTION_BUDGETS]), (NAMESPACE, name))

    def unmet(self) -> list[str]:
        """The resources whose children or whose status are not as they were told to be."""
        return [name for name, value in self.wanted.items() if not self._is_met(name, value)]

    def _is_met(self, name: str, value: str) -> bool:
        client = self.ground.client
        deployment, resource = client.get(DEPLOYMENTS, NAMESPACE, name), self.ground.serve(name)
        others = [client.get(kind, NAMESPACE, name) for kind in (SERVICES, DISRUPTION_BUDGETS)]
        return bool(
            resource and is_current(resource) and deployment and all(others) and _variable(deployment) == value
        )


def _variable(deployment: Object) -> str:
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return next((str(entry["value"]) for entry in env if entry["name"] == "STEP"), "")


@dataclass(frozen=True)
class Stage:
    """What disturbances work on."""

    ground: Ground
    proxy: Proxy
    users: Users

    def away(self, begin: Callable[[], None], end: Callable[[], None], seconds: float) -> None:
        """Let the users edit, and take something away in the middle of what comes of it."""
        self.users.edit()
        begin()
        threading.Event().wait(seconds)
        end()

    def faulty(self, faults: Faults, seconds: float) -> None:
        """Let the users edit, then once more halfway, while the proxy misbehaves."""
        self.proxy.faults = faults
        self.proxy.cut_watches()
        for _ in range(2):
            self.users.edit()
            threading.Event().wait(seconds / 2)
        self.proxy.faults = Faults()

    def apiserver_killed(self) -> None:
        """The API server killed, and started again after 60 s."""
        plane = self.ground.plane
        self.away(lambda: plane.kill("apiserver"), lambda: plane.restart("apiserver"), AWAY_S)

    def apiserver_stopped(self) -> None:
        """The API server stopped (SIGSTOP) for 60 s: connections stay open and nothing answers."""
        plane = self.ground.plane
        send = plane.signal
        self.away(lambda: send("apiserver", signal.SIGSTOP), lambda: send("apiserver", signal.SIGCONT), AWAY_S)

    def etcd_restarted(self) -> None:
        """etcd killed, and started again after 10 s with the same data."""
        plane = self.ground.plane
        self.away(lambda: plane.kill("etcd"), lambda: plane.restart("etcd"), 10)
        eventually(lambda: not _fails(lambda: self.ground.client.list(SERVES)), "the API server answers", 60)

    def watches_gone(self) -> None:
        """All watches cut, and answered with a 410 event for 20 s."""
        self.faulty(Faults(gone="event"), 20)

    def errors(self) -> None:
        """Half of all requests answered with 429 (Retry-After), 500, 503 or 504 for 30 s."""
        self.faulty(Faults(refused=0.5), 30)

    def nothing_but_errors(self) -> None:
        """All watches cut, and all requests answered with 429 (Retry-After), 500, 503 or 504 for 60 s."""
        self.faulty(Faults(refused=1.0), 60)

    def resets(self) -> None:
        """40 % of all answers cut off in the middle, after a write was carried out, and all delayed, for 40 s."""
        self.faulty(Faults(reset=0.4, delay_s=0.5), 40)


DISTURBANCES = (
    Stage.watches_gone, Stage.errors, Stage.nothing_but_errors, Stage.resets, Stage.etcd_restarted,
    Stage.apiserver_stopped, Stage.apiserver_killed,
)


def test_it_survives_each_disturbance_and_converges_within_30_s(
    ground: Ground, chance: random.Random, section: Section,
) -> None:
    with Proxy(ground.plane, chance) as proxy, played(ground.client):
        stage = Stage(ground, proxy, Users(ground, chance))
        operator = ground.operator("operator-1", DSS_LEASE_SECONDS=str(LONG_LEASE_S))
        operator.go_through(proxy.url)
        operator.start()
        assert operator.process
        pid = operator.process.pid
        section.did(f"one operator (Lease of {LONG_LEASE_S} s) behind a proxy, {RESOURCES} resources that serve")
        stage.users.begin()
        everything_serves(ground)
        for disturb in DISTURBANCES:
            disturbed(stage, section, disturb)
        assert operator.process.pid == pid
        assert operator.stop() == 0
        operator = restarted_after_an_outage(stage, section)
        assert ground.bugs() == []
        restarted_after_refused_watches(stage, section, operator)
        operator.kill()                 # before its way to the API server goes, or it knocks at a proxy that is leaving
        section.found("what the proxy did", dict(sorted(proxy.done.items())))


def disturbed(stage: Stage, section: Section, disturb: Callable[[Stage], None]) -> None:
    """One disturbance, and the seconds from its end until all is as it was told to be.

    The next one must not begin before the Lease is renewed: two of 60 s are longer than its time together.
    """
    what = str(disturb.__doc__)
    section.did(what)
    disturb(stage)
    undone_at = renewed_at(stage.ground)
    section.found(f"converged, {disturb.__name__}", f"{converged(stage):.1f} s")
    everything_serves(stage.ground)
    eventually(lambda: renewed_at(stage.ground) != undone_at, "the Lease is renewed", LONG_LEASE_S / 3)


def renewed_at(ground: Ground) -> str:
    """When the Lease was last renewed, as its holder says."""
    lease = ground.client.get(LEASES, NAMESPACE, names.LEASE_NAME)
    return lease["spec"]["renewTime"] if lease else ""


def converged(stage: Stage) -> float:
    """Seconds until the children and statuses are as the users have asked; fails after 30."""
    began = time.monotonic()
    eventually(lambda: not stage.users.unmet(), "children and statuses as asked", CONVERGED_S)
    return time.monotonic() - began


def restarted_after_an_outage(stage: Stage, section: Section) -> Operator:
    """With the Lease of the chart it ends before a standby could lead, and is started again as its pod is."""
    plane = stage.ground.plane
    operator = stage.ground.operator("operator-2")
    operator.go_through(stage.proxy.url)
    operator.start()
    eventually(operator.leads, "the second operator leads")

    section.did("another operator (Lease of 15 s): the API server killed, and started again after 60 s")
    stage.users.edit()
    plane.kill("apiserver")
    began = time.monotonic()
    section.found("ended without an API server", ended(operator, "leadership lost"))
    operator.start()
    threading.Event().wait(AWAY_S - (time.monotonic() - began))
    plane.restart("apiserver")
    section.found("converged, restarted after apiserver_killed", f"{converged(stage):.1f} s")
    return operator


def restarted_after_refused_watches(stage: Stage, section: Section, operator: Operator) -> None:
    """kopf knows no way out of it, and says so at length; no API server does this, but what stands before one may."""
    proxy = stage.proxy
    section.did("all watches cut, and refused with HTTP 410, which an API server says in an event")
    proxy.faults = Faults(gone="answer")
    proxy.cut_watches()
    section.found("ended with watches refused", ended(operator, "the watch has ended"))
    proxy.faults = Faults()
    stage.users.edit()
    operator.start()
    section.found("converged, restarted after watches refused", f"{converged(stage):.1f} s")
    assert not operator.has_ended()


def ended(operator: Operator, last_words: str) -> str:
    """Wait until it has ended by itself, for the reason that these words tell."""
    began = time.monotonic()
    assert operator.process
    code = operator.process.wait(timeout=30)
    assert last_words in operator.says()
    assert code == 1
    return f"exit code {code} after {time.monotonic() - began:.1f} s"


def everything_serves(ground: Ground) -> None:
    """Wait until each resource serves again; the operator must live meanwhile."""
    operator, waited = ground.operators[-1], threading.Event()
    deadline = time.monotonic() + SERVED_S
    while others := [r["status"] for r in ground.client.list(SERVES) if not served(r)]:
        assert not operator.has_ended(), operator.says()[-3000:]
        assert time.monotonic() < deadline, f"these do not serve again: {others}"
        waited.wait(0.2)


def _fails(look: Callable[[], object]) -> bool:
    try:
        look()
    except Exception:  # noqa: BLE001 - whatever a server on its way up answers
        return True
    return False
