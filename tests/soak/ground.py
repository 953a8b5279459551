"""What each scenario stands on: a control plane of its own with an audit log, and operators that can be told apart."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from deepseekserve.kube import Object
from deepseekserve.kube.kinds import SERVES
from tests.cluster import audit
from tests.cluster.controlplane import ControlPlane
from tests.integration.operating import ROOT, Operator, install_crd, least_privileged, resource
from tests.lab.kubectl import Kubectl
from tests.lab.watch import is_current, is_true, serves
from tests.soak.client import Client

NAMESPACE = "soak"
FORBIDDEN = f"serviceaccount:{NAMESPACE}"     # in every refusal for want of rights; a new API server knows no roles yet


@dataclass
class Ground:
    """One control plane, and everybody's access to it."""

    plane: ControlPlane
    kubectl: Kubectl                  # as admin, in NAMESPACE
    client: Client                    # likewise, without a process for each request
    folder: Path                      # of the audit log, the operators' logs and credentials
    source: Path                      # of the operator
    operators: list[Operator] = field(default_factory=list)

    def operator(self, identity: str, **settings: str) -> Operator:
        """An operator that is not started yet, with the chart's permissions and a token of its own."""
        folder = self.folder / f"operator-{len(self.operators)}"
        folder.mkdir()
        kubectl = least_privileged(self.kubectl, NAMESPACE, folder)
        made = Operator(kubectl, folder / "log", identity, NAMESPACE, settings, self.source)
        self.operators.append(made)
        return made

    def asked(self, operator: Operator) -> list[audit.Record]:
        """Everything that one operator, told by its token, asked the API server for."""
        token = yaml.safe_load(operator.kubectl.kubeconfig.read_text())["users"][0]["user"]["token"]
        own = audit.credential(token)
        return [record for record in audit.read(self.folder) if record.credential == own]

    def writes(self, operator: Operator) -> list[audit.Record]:
        """What one operator asked the API server to change, its Lease left out."""
        return [record for record in self.asked(operator) if record.mutates and record.resource != "leases"]

    def serve(self, name: str) -> Object | None:
        """The resource of a name."""
        return self.client.get(SERVES, NAMESPACE, name)

    def bugs(self, *more: str) -> list[str]:
        """Lines that operators should never log; `more` words are of such, too."""
        words = ("Traceback", "a bug", *more)
        return [line[:300] for o in self.operators for line in o.says().splitlines() if any(w in line for w in words)]


@contextmanager
def ground(folder: Path, source: Path) -> Iterator[Ground]:
    """A control plane with the CRD; it and all operators on it are gone at the end."""
    folder.mkdir(exist_ok=True)
    with ControlPlane(audit.flags(folder)) as plane:
        admin = Kubectl(plane.kubectl_binary, plane.kubeconfig)
        install_crd(admin)
        admin("create", "namespace", NAMESPACE)
        made = Ground(plane, replace(admin, namespace=NAMESPACE), Client(plane), folder, source)
        try:
            yield made
        finally:
            for operator in made.operators:
                operator.kill()


def placed(name: str, **spec: object) -> Object:
    """`resource` in NAMESPACE, as the API itself wants it."""
    made = resource(name, **spec)
    return {**made, "metadata": {**made["metadata"], "namespace": NAMESPACE}}


def copied_source(folder: Path) -> Path:
    """The operator as it is now: the checkout may be edited while scenarios run, and they are about one version."""
    ignore = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "operator" / "src", folder / "src", ignore=ignore))


def settled(resource: Object | None) -> bool:
    """The status speaks of the spec as it stands, and says that no work goes on."""
    return bool(resource and is_current(resource) and not is_true("Reconciling")(resource))


def served(resource: Object | None) -> bool:
    """Ready and settled, for the spec as it stands."""
    return bool(resource and serves(resource))
