"""Plays the kubelet of all pods: each is given the address of one serving agent, and is Ready at once."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from deepseekserve import names
from deepseekserve.kube import Object, key_of
from deepseekserve.kube.kinds import PODS
from tests.integration.operating import Agent, now, phases, pod_status, serving
from tests.soak.client import Client, Refused

EVERY_S = 0.3


@contextmanager
def played(client: Client) -> Iterator[Agent]:
    """Serve every pod that comes, until the end, also after the API server was away; the agent that all have."""
    agent, stop = Agent(), threading.Event()
    agent.report = serving(phases=phases(Starting=90, LoadingWeights=60, Serving=0))

    def work() -> None:
        while not stop.wait(EVERY_S):
            _serve_new(client, agent.address)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield agent
    finally:
        stop.set()
        thread.join()
        agent.close()


def _serve_new(client: Client, address: str) -> None:
    try:
        for pod in client.list(PODS, selector=names.LABEL_NAME):
            if _is_new(pod):
                running = {"running": {"startedAt": now()}}
                status = pod_status("Running", address, ready=True, state=running)
                client.patch(PODS, key_of(pod), {"status": status}, "status")
    except (OSError, http.client.HTTPException, Refused):
        return                          # the pod, or the API server, is gone: the next look tells


def _is_new(pod: Object) -> bool:
    return "podIP" not in pod.get("status", {}) and "deletionTimestamp" not in pod["metadata"]
