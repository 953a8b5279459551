"""Turns the namespaces that the operator was told to watch into those that it may: one that is missing stops no other.

I/O; between the CRD and the watch. Without a list it is the whole cluster, and nothing here happens.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from deepseekserve.kube import Kube, KubeError
from deepseekserve.kube.kinds import SERVES
from deepseekserve.logs import fields

FIRST_POLL_S = 2.0             # while there is nothing to do
POLL_S = 30.0                  # while others are served

log = logging.getLogger(__name__)


async def readable(kube: Kube, namespaces: Sequence[str]) -> tuple[str, ...]:
    """Those of the namespaces whose resources may be listed; waits until there is one, if any is asked for."""
    found = await _readable(kube, namespaces)
    _complain(set(namespaces) - set(found))
    while namespaces and not found:
        await asyncio.sleep(FIRST_POLL_S)
        found = await _readable(kube, namespaces)
    return found


async def until_another(kube: Kube, missing: Sequence[str]) -> None:
    """Return when one of the missing namespaces has come, for which the watch must begin again; else never."""
    while not (found := await _readable(kube, missing)):
        await asyncio.sleep(POLL_S)
    log.info("starting again to watch one more namespace", extra=fields(namespace=found[0]))


async def _readable(kube: Kube, namespaces: Iterable[str]) -> tuple[str, ...]:
    return tuple([namespace for namespace in namespaces if await _may_list(kube, namespace)])


async def _may_list(kube: Kube, namespace: str) -> bool:
    """Roles are bound in the namespace itself, so they are missing as long as it is."""
    try:
        return await kube.may_list(SERVES, namespace)
    except KubeError as error:
        log.warning("cannot look into a namespace", extra=fields(namespace=namespace, error=str(error)))
        return False


def _complain(missing: Iterable[str]) -> None:
    for namespace in sorted(missing):
        log.warning(
            "not allowed to watch a namespace: create it, then upgrade the chart so that it binds its role there",
            extra=fields(namespace=namespace),
        )
