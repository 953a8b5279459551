"""Turns the environment into a running operator: probes, then the Lease, then the CRD, then the watch.

What `python -m deepseekserve` runs when it is told nothing else; `--help` lists the variables.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import kopf

from deepseekserve import bundle, handlers, metrics, scope, settings
from deepseekserve.kube import Kube, KubeError, connect
from deepseekserve.kube.kinds import SERVES
from deepseekserve.leader import Lease
from deepseekserve.logs import fields, loop_errors, set_up
from deepseekserve.observe import Agents, Cache, Observer, PodEvents, Watch
from deepseekserve.observe.agents import session
from deepseekserve.probes import probes
from deepseekserve.reconcile import Reconciler
from deepseekserve.reconcile.judging import Judge
from deepseekserve.reconcile.publish import Publisher
from deepseekserve.reconcile.reading import Reader
from deepseekserve.reconcile.revisions import Revisions
from deepseekserve.settings import InvalidSetting, Settings
from deepseekserve.workqueue import WorkQueue

CRD_POLL_S = 1.0
# The API server takes 10,000 levels of JSON, in spec.podTemplate and in anybody's ControllerRevision. Reading asks for
# as many frames, a deep copy for twice as many: with Python's 1,000, one such object ends the watch of all.
STACK_FRAMES = 40_000
VARIABLES = {
    "DSS_NAMESPACE": "namespace of the Lease",
    "DSS_IDENTITY": "name of this process in the Lease; the pod's name",
    "DSS_IMAGE": "the operator's own image, for Jobs that read models; empty: none is read",
    "DSS_ENGINE_IMAGE_GPU": "engine image for GPUs, where spec.engine.image says nothing",
    "DSS_ENGINE_IMAGE_CPU": "the same for CPUs",
    "DSS_IMAGE_PULL_POLICY": "of the engine's image",
    "DSS_WATCH_NAMESPACES": "namespaces to work in, with commas between; empty: all",
    "DSS_ENGINE_RUN_AS_USER": "uid of the engine, or omit",
    "DSS_HTTP_PORT": "port of /livez, /readyz and /metrics",
    "DSS_WORKERS": "resources worked on at the same time",
    "DSS_RESYNC_SECONDS": "time between two lists of everything",
    "DSS_LEASE_SECONDS": "time after which a standby takes over from a leader that has died",
    "DSS_LOG_LEVEL": "DEBUG, INFO, WARNING or ERROR",
}

log = logging.getLogger("deepseekserve")


def main() -> int:
    """Run until a signal; 0 after an orderly end, 2 for a setting that cannot be used."""
    variables = "\n".join(f"  {name:24}{what}" for name, what in VARIABLES.items())
    argparse.ArgumentParser(
        prog="python -m deepseekserve", description=(
            "The DeepSeekServe operator (`python -m deepseekserve plan` is another program).\n"
            "It is set up by its environment:"),
        epilog=variables, formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    try:
        chosen = _identified(settings.read(os.environ))
    except InvalidSetting as error:
        sys.stderr.write(f"{error}\n")
        return 2
    set_up(chosen.log_level)
    sys.setrecursionlimit(STACK_FRAMES)
    return asyncio.run(run(chosen))


async def run(chosen: Settings) -> int:
    """Stand by, lead, and let go of the lease."""
    asyncio.get_running_loop().set_exception_handler(loop_errors)
    _end_on_signals()
    try:
        async with probes(chosen.http_port), connect() as leases, connect() as kube:
            lease = Lease(leases, namespace=chosen.namespace, identity=chosen.identity, seconds=chosen.lease_seconds)
            kube.fence(lease.check)
            await lease.acquire()
            # Before anything else that a process does which was stopped: also when that was between fence and socket.
            signal.signal(signal.SIGCONT, lambda *_: lease.check())
            renewal = asyncio.create_task(lease.keep())
            try:
                return await lead(kube, chosen)
            finally:
                renewal.cancel()
                await asyncio.wait([renewal])
                await lease.release()
    except asyncio.CancelledError:
        log.info("ended by a signal before it led")
        return 0


def reconciler(kube: Kube, cache: Cache, agents: Agents, chosen: Settings) -> Reconciler:
    """What a reconcile works with, put together."""
    return Reconciler(
        kube=kube,
        cache=cache,
        observer=Observer(cache, agents, PodEvents(kube)),
        revisions=Revisions(kube, cache, chosen, bundle.build()),
        publisher=Publisher(kube, cache, chosen.identity),
        judge=Judge(chosen),
        reader=Reader(kube, cache, chosen),
    )


async def lead(kube: Kube, chosen: Settings) -> int:
    """Watch and reconcile until kopf ends; the process's exit code."""
    await wait_for_crd(kube)
    watched = await scope.readable(kube, chosen.watch_namespaces)
    kube.confine(watched)
    cache = Cache()
    metrics.REGISTRY.register(metrics.Resources(cache.phases))
    async with session() as agents:
        queue = WorkQueue(reconciler(kube, cache, Agents(agents), chosen).reconcile, workers=chosen.workers)
        watch = Watch(kube, cache, queue.add, resync_s=chosen.resync_seconds)
        await watch.prime()
        broken = asyncio.Event()
        background = [queue.run, watch.keep]
        if missing := [namespace for namespace in chosen.watch_namespaces if namespace not in watched]:
            background.append(lambda: scope.until_another(kube, missing))
        handlers.bind(watch, broken, *background)
        await follow(chosen.identity, watched, broken)
        return 1 if broken.is_set() else 0


async def follow(identity: str, namespaces: Sequence[str], broken: asyncio.Event) -> None:
    """Watch until a signal comes; an end of kopf's own, such as a namespace that is gone, sets `broken`."""
    try:
        await kopf.operator(
            settings=handlers.settings(), standalone=True, clusterwide=not namespaces, namespaces=namespaces,
            # Without an identity kopf asks for the user's name, and the pod's uid has none.
            identity=cast(Any, identity), stop_flag=broken,
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, the next start begins with what is there then
        log.error("the watch has ended, and with it this process", extra=fields(error=repr(error)))
        broken.set()


async def wait_for_crd(kube: Kube) -> None:
    """Wait until the API server serves the kind: with scanning off, kopf would never notice it later."""
    waiting = False
    while not await _is_served(kube):
        if not waiting:
            log.warning("waiting for the CRD", extra=fields(crd=f"{SERVES.plural}.{SERVES.group}"))
        waiting = True
        await asyncio.sleep(CRD_POLL_S)


async def _is_served(kube: Kube) -> bool:
    try:
        return await kube.serves(SERVES)
    except KubeError as error:
        log.warning("cannot ask for the CRD", extra=fields(error=str(error)))
        return False


def _identified(chosen: Settings) -> Settings:
    """Outside of a pod nothing makes the holder's name unique."""
    is_default = chosen.identity == Settings().identity
    return replace(chosen, identity=f"{os.uname().nodename}-{uuid.uuid4().hex[:8]}") if is_default else chosen


def _end_on_signals() -> None:
    """Until kopf takes the signals over: PID 1 would ignore a SIGTERM that nobody handles."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: task.cancel() if task else None)
