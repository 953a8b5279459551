"""Turns what the operator does into Prometheus metrics: all collectors and their help texts.

Beside the flow: reconcile, workqueue, kube and leader count here, the HTTP server of `operate` shows the registry.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from deepseekserve.agent.reasons import Reason

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

RECONCILE_SECONDS = Histogram(
    "deepseekserve_reconcile_seconds", "Duration of one reconcile.", registry=REGISTRY,
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RECONCILES = Counter(
    "deepseekserve_reconciles", "Reconciles by result: settled, requeued or error.", ["result"], registry=REGISTRY,
)
QUEUE_DEPTH = Gauge(
    "deepseekserve_queue_depth", "Resources that wait for a free worker.", registry=REGISTRY,
)
FAILURES = Counter(
    "deepseekserve_failures", "Failures that appeared in a resource's status, by reason.", ["reason"],
    registry=REGISTRY,
)
FAILURE_REPORT_SECONDS = Histogram(
    "deepseekserve_failure_report_seconds",
    "From the moment at which the agent saw an engine's failure to the condition in the resource's status.",
    registry=REGISTRY, buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300),
)
KV_CACHE_RATIO = Histogram(
    "deepseekserve_kv_cache_prediction_ratio",
    "Tokens that an engine's KV cache holds, divided by those that were predicted before its start.",
    registry=REGISTRY, buckets=(0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.01, 1.02, 1.05, 1.1, 1.2, 2),
)
AGENT_REQUESTS = Counter(
    "deepseekserve_agent_requests", "Questions to agents in engine pods, by result: answered or failed.", ["result"],
    registry=REGISTRY,
)
KUBE_REQUESTS = Counter(
    "deepseekserve_kube_requests", "Requests to the API server by verb and HTTP code (none: no answer).",
    ["verb", "code"], registry=REGISTRY,
)
LEADER = Gauge("deepseekserve_leader", "1 while this process holds the Lease.", registry=REGISTRY)

# A series that appears with its first count hides that count from rate() and increase(): these begin at 0.
for _result in ("settled", "requeued", "error"):
    RECONCILES.labels(_result)
for _result in ("answered", "failed"):
    AGENT_REQUESTS.labels(_result)
for _reason in Reason:
    if _reason is not Reason.SUSPENDED:         # which is no failure
        FAILURES.labels(_reason.value)


class Resources(Collector):
    """deepseekserve_resources{phase}, counted from the cache whenever somebody looks."""

    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self._count = count

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """One sample per phase that occurs."""
        family = GaugeMetricFamily("deepseekserve_resources", "DeepSeekServe resources by phase.", labels=["phase"])
        for phase, number in sorted(self._count().items()):
            family.add_metric([phase], number)
        yield family
