"""Writes that somebody else has overtaken: parts of the operator, in this process, on a real API server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from kubernetes_asyncio.client.api_client import ApiClient
from kubernetes_asyncio.client.configuration import Configuration
from kubernetes_asyncio.config import load_kube_config

from deepseekserve import names
from deepseekserve.apply.children import _own_as_applied
from deepseekserve.kube import Kube
from deepseekserve.kube.kinds import SERVICES
from deepseekserve.leader import Lease
from tests.lab.kubectl import Kubectl


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Kube]:
    configuration = Configuration()
    await load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    async with ApiClient(configuration) as client:
        yield Kube(client)


def test_a_child_whose_managed_fields_have_shrunk_is_read_again(
    kubeconfig: Path, kubectl_here: Kubectl, namespace: str,
) -> None:
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": "tiny"},
        "spec": {"ports": [{"port": 80}]},
    }

    async def overtaken() -> None:
        async with connected(kubeconfig) as kube:
            read = await kube.create(SERVICES, service)
            assert read["metadata"]["managedFields"]
            kubectl_here.patch("service", "tiny", {"metadata": {"managedFields": [{}]}})
            await _own_as_applied(kube, SERVICES, read)

    asyncio.run(overtaken())
    assert (kubectl_here.get("service", "tiny") or {})["metadata"].get("managedFields", []) == []


def test_a_lease_is_released_though_its_last_renewal_was_cut_off(
    kubeconfig: Path, kubectl_here: Kubectl,
) -> None:
    # What a renewal does whose answer nobody waited for: another version.
    renewed = partial(kubectl_here, "annotate", f"lease/{names.LEASE_NAME}", "renewed=yes")
    assert holder_after_release(kubeconfig, kubectl_here, renewed) == ""


def test_a_lease_that_another_process_holds_is_not_released(
    kubeconfig: Path, kubectl_here: Kubectl,
) -> None:
    taken = partial(kubectl_here.patch, "lease", names.LEASE_NAME, {"spec": {"holderIdentity": "operator-2"}})
    assert holder_after_release(kubeconfig, kubectl_here, taken) == "operator-2"


def holder_after_release(kubeconfig: Path, kubectl: Kubectl, overtake: Callable[[], object]) -> str:
    """Who holds a lease that we have acquired, that somebody else has then written, and that we have released."""

    async def released() -> None:
        async with connected(kubeconfig) as kube:
            lease = Lease(kube, namespace=kubectl.namespace, identity="operator-1", seconds=15)
            await lease.acquire()
            overtake()
            await lease.release()

    asyncio.run(released())
    lease = kubectl.get("lease", names.LEASE_NAME)
    assert lease
    holder: str = lease["spec"]["holderIdentity"]
    return holder
