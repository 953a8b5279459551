"""Writes that somebody else has overtaken: parts of the operator, in this process, on a real API server."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deepseekserve import names
from deepseekserve.apply.children import _own_as_applied
from deepseekserve.kube import Key, Kind, Object
from deepseekserve.kube.kinds import SERVES, SERVICES
from deepseekserve.leader import Lease
from deepseekserve.observe import Agents, Cache, Watch
from deepseekserve.observe.agents import session
from deepseekserve.observe.watch import FIRST_RESYNC_S
from deepseekserve.operate import reconciler
from deepseekserve.settings import Settings
from tests.integration.operating import connected, install_crd, resource
from tests.lab.kubectl import Kubectl

# A leader whose renewals did not come through, as one that was stopped for a while finds itself.
LATE_WRITE = """
import asyncio, sys
from deepseekserve.kube import connect
from deepseekserve.kube.kinds import SERVICES
from deepseekserve.leader import Lease

async def late(namespace):
    async with connect() as kube, connect() as leases:
        lease = Lease(leases, namespace=namespace, identity="operator-1", seconds=1)
        kube.fence(lease.check)
        await lease.acquire()
        await asyncio.sleep(1)
        metadata = {"name": "late", "namespace": namespace}
        await kube.create(SERVICES, {"metadata": metadata, "spec": {"ports": [{"port": 80}]}})

asyncio.run(late(sys.argv[1]))
"""


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


@pytest.mark.parametrize("edit", [{"metadata": {"labels": {"team": "a"}}}, {"spec": {"engine": {"maxNumSeqs": 3}}}])
def test_an_edit_between_a_look_and_its_status_is_looked_at_at_once(
    kubeconfig: Path, kubectl_here: Kubectl, namespace: str, edit: Object, monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_crd(kubectl_here)
    kubectl_here.apply(resource("tiny"))
    owner, added = Key(namespace, "tiny"), list[Key]()

    async def looked() -> tuple[float | None, float | None]:
        async with connected(kubeconfig) as kube, session() as agents:
            write = kube.patch_status

            async def late(*what: Any) -> Object:
                kubectl_here.patch("dss", "tiny", edit)
                return await write(*what)

            monkeypatch.setattr(kube, "patch_status", late)
            cache = Cache()
            looks = reconciler(kube, cache, Agents(agents), Settings(identity="operator-1"))
            watch = Watch(kube, cache, added.append, resync_s=600)
            await watch.prime()
            added.clear()
            first = await looks.reconcile(owner)
            # The edit's own event comes after that, and is no news.
            watch.see(SERVES, {"type": "MODIFIED", "object": await kube.get(SERVES, owner)})
            return first, await looks.reconcile(owner)

    first, second = asyncio.run(looked())
    assert not added
    assert (first == 0) == ("spec" in edit)
    assert second != 0


@pytest.mark.parametrize("late", [False, True])
def test_a_lease_is_released_though_its_last_renewal_was_cut_off(
    kubeconfig: Path, kubectl_here: Kubectl, late: bool,
) -> None:
    # What a renewal does whose answer nobody waited for: another version.
    renewed = partial(kubectl_here, "annotate", f"lease/{names.LEASE_NAME}", "renewed=yes")
    assert holder_after_release(kubeconfig, kubectl_here, renewed, late=late) == ""


@pytest.mark.parametrize("late", [False, True])
def test_a_lease_that_another_process_holds_is_not_released(
    kubeconfig: Path, kubectl_here: Kubectl, late: bool,
) -> None:
    taken = partial(kubectl_here.patch, "lease", names.LEASE_NAME, {"spec": {"holderIdentity": "operator-2"}})
    assert holder_after_release(kubeconfig, kubectl_here, taken, late=late) == "operator-2"


def test_what_was_deleted_in_a_gap_of_the_watch_is_missed_soon_after_the_watch_has_begun_anew(
    kubeconfig: Path, kubectl_here: Kubectl, namespace: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_crd(kubectl_here)
    monkeypatch.setattr("deepseekserve.observe.watch.GAP_S", 0.1)
    labels, ports = {names.LABEL_NAME: "tiny"}, {"ports": [{"port": 80}]}
    for name in ("gone", "left"):
        kubectl_here.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
                            "spec": ports})
    owner = Key(namespace, "tiny")

    async def after_a_gap() -> None:
        async with connected(kubeconfig) as kube:
            cache = Cache()
            watch = Watch(kube, cache, lambda _: None, resync_s=600)
            await watch.prime()
            kubectl_here("delete", "service", "gone")
            assert cache.child(SERVICES, owner, "gone")
            watch.see(SERVICES, {"type": None, "object": kubectl_here.get("service", "left")})
            keeping = asyncio.create_task(watch.keep())
            async with asyncio.timeout(FIRST_RESYNC_S - 1):        # which would find it too
                while cache.child(SERVICES, owner, "gone"):
                    await asyncio.sleep(0.05)
            keeping.cancel()

    asyncio.run(after_a_gap())


def test_nothing_is_written_once_another_process_may_hold_the_lease(
    kubeconfig: Path, kubectl_here: Kubectl, namespace: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE_WRITE, namespace], env={**kubectl_here.env(), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=False, timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "leadership lost\n")
    assert kubectl_here.get("lease", names.LEASE_NAME)
    assert kubectl_here.get("service", "late") is None


def holder_after_release(kubeconfig: Path, kubectl: Kubectl, overtake: Callable[[], object], *, late: bool) -> str:
    """Who holds a lease that we have acquired, that somebody else has then written, and that we have released.

    `late`: it was written when we had looked at it for the last time, and not before.
    """
    async def released() -> None:
        async with connected(kubeconfig) as kube:
            lease = Lease(kube, namespace=kubectl.namespace, identity="operator-1", seconds=15)
            await lease.acquire()
            write = kube.replace

            async def overtaken(kind: Kind, obj: Object) -> Object:
                kube.replace = write            # type: ignore[method-assign]
                overtake()
                return await write(kind, obj)

            if late:
                kube.replace = overtaken        # type: ignore[method-assign]
            else:
                overtake()
            await lease.release()

    asyncio.run(released())
    lease = kubectl.get("lease", names.LEASE_NAME)
    assert lease
    holder: str = lease["spec"]["holderIdentity"]
    return holder
