"""Turns the live Deployment into one without pods, and changes nothing else of it.

I/O; part of apply. For a spec that asks for no pods and cannot be rendered or applied as a whole: to suspend must work
whatever else is wrong.
"""

from deepseekserve import names
from deepseekserve.kube import Kube, Object, key_of
from deepseekserve.kube.kinds import DEPLOYMENTS
from deepseekserve.observe import Cache


async def stop(kube: Kube, cache: Cache, serve: Object) -> None:
    """Scale the Deployment of `serve` to zero, if it is ours and runs; the next apply takes the field back."""
    key = key_of(serve)
    live = cache.child(DEPLOYMENTS, key, key.name)
    if live is None or not names.is_ours(live["metadata"], serve["metadata"]["uid"]) or not live["spec"]["replicas"]:
        return
    operations = [
        {"op": "test", "path": "/metadata/uid", "value": live["metadata"]["uid"]},
        {"op": "replace", "path": "/spec/replicas", "value": 0},
    ]
    cache.put(DEPLOYMENTS, await kube.patch(DEPLOYMENTS, key, operations))
