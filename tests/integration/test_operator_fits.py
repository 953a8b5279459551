"""What becomes of a spec that cannot work by computation: refused before any pod, or started with a warning."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.operating import Operator, Pods, eventually, serving
from tests.lab.kubectl import Kubectl, Object
from tests.lab.watch import Predicate, Watch, condition, is_current, serves_and_tells
from tests.specs import patch_of

# A guide that many people copy: AWQ of a checkpoint that is not quantized, on a GPU without bfloat16.
GUIDE: dict[str, Any] = {
    "model": {"source": "hf://deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"},
    "engine": {"quantization": "AWQ", "maxModelLen": 32768},
    "scheduling": {"nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4"}},
}
CHILDREN = "deployments,services,configmaps,serviceaccounts,poddisruptionbudgets,controllerrevisions"
OURS = "app.kubernetes.io/managed-by=deepseekserve"


def guide(**groups: Any) -> Object:
    spec = {**GUIDE, **{name: {**GUIDE.get(name, {}), **group} for name, group in groups.items()}}
    return {"apiVersion": "deepseekserve.io/v1alpha1", "kind": "DeepSeekServe", "metadata": {"name": "guide"},
            "spec": spec}


def fits(status: str) -> Predicate:
    return lambda r: is_current(r) and condition(r, "Fits").get("status") == status


@pytest.fixture
def watch(here: Kubectl) -> Iterator[Watch]:
    with Watch(here, "guide") as watch:
        yield watch


def test_what_cannot_work_makes_nothing_and_says_why_and_what_would(here: Kubectl, watch: Watch) -> None:
    here.apply(guide())
    seen = watch.until(fits("False"), timeout_s=30, what="Fits=False").object
    failure = seen["status"]["failure"]
    assert failure["reason"] == "QuantizationMissingConfig"
    assert "AWQ is asked for, and the checkpoint is not quantized" in failure["message"]
    assert "spec.engine.quantization to Auto" in failure["remedy"]
    for kind in ("Ready", "Fits"):
        told = condition(seen, kind)
        assert (told["status"], told["reason"]) == ("False", failure["reason"])
    assert condition(seen, "Stalled")["status"] == "True"
    assert seen["status"]["phase"] == "Failed"
    assert "currentRevision" not in seen["status"]
    assert seen["status"]["sizing"]["weightsBytes"] > 3 * 2**30
    assert here.list(CHILDREN, f"{OURS},deepseekserve.io/name=guide") == []
    events = eventually(lambda: [e for e in here.list("events") if e["reason"] == failure["reason"]], "its Event")
    assert len(events) == 1

    mark = watch.mark()
    here.patch("dss", "guide", patch_of(failure["fixes"]))
    cured = watch.until(fits("True"), timeout_s=30, what="Fits=True with the fixes", since=mark).object
    assert "failure" not in cured["status"]
    assert here.get("deployment", "guide")


def test_with_warn_it_is_started_and_stays_when_warn_is_taken_back(here: Kubectl, watch: Watch) -> None:
    here.apply(guide(rollout={"admission": "Warn"}))
    seen = watch.until(fits("False"), timeout_s=30, what="Fits=False").object
    assert "failure" not in seen["status"]
    assert condition(seen, "Stalled")["status"] == "False"
    eventually(lambda: here.get("deployment", "guide"), "the Deployment")
    mark = watch.mark()
    here.patch("dss", "guide", {"spec": {"rollout": {"admission": "Enforce"}, "replicas": 2}})
    watch.until(fits("False"), timeout_s=30, what="the edit seen", since=mark)
    eventually(lambda: here.get("deployment", "guide")["spec"]["replicas"] == 2, "the edit of an admitted revision")  # type: ignore[index]


def test_a_refused_edit_leaves_what_is_there_alone_and_goes_back(here: Kubectl, watch: Watch) -> None:
    here.apply(guide(engine={"quantization": "Auto"}))
    watch.until(fits("True"), timeout_s=30, what="Fits=True")
    before = eventually(lambda: here.get("deployment", "guide"), "the Deployment")
    mark = watch.mark()
    here.patch("dss", "guide", {"spec": {"engine": {"maxModelLen": 9_999_999}}})
    refused = watch.until(fits("False"), timeout_s=30, what="refused", since=mark).object
    assert refused["status"]["failure"]["reason"] == "ContextTooLong"
    assert {f["field"]: f["value"] for f in refused["status"]["failure"]["fixes"]} == {
        "spec.engine.maxModelLen": "131072", "spec.engine.dtype": "Float16"}
    after = here.get("deployment", "guide")
    assert after is not None
    assert after["spec"] == before["spec"]
    mark = watch.mark()
    here.patch("dss", "guide", {"spec": {"engine": {"maxModelLen": 32768}}})
    back = watch.until(fits("True"), timeout_s=30, what="the edit back", since=mark).object
    assert "failure" not in back["status"]


def test_what_nobody_knows_is_left_to_the_engine(here: Kubectl, watch: Watch, operator: Operator) -> None:
    here.apply(guide(model={"source": "hf://somebody/fine-tune"}))
    seen = watch.until(fits("Unknown"), timeout_s=30, what="Fits=Unknown").object
    assert "config.json is not known" in condition(seen, "Fits")["message"]
    eventually(lambda: here.get("deployment", "guide"), "the Deployment")
    assert not operator.has_ended()


def test_what_an_engine_reports_is_compared_with_what_was_predicted(
    here: Kubectl, watch: Watch, operator: Operator, pods: Pods,
) -> None:
    compared, total = (operator.count(f"deepseekserve_kv_cache_prediction_ratio_{part}") for part in ("count", "sum"))
    here.apply(guide(engine={"quantization": "Auto"}))
    predicted = watch.until(fits("True"), timeout_s=30, what="Fits=True").object["status"]["sizing"]["kvCacheTokens"]
    pod = pods.next("guide")
    pod.run()
    pod.serve({**serving(), "engine": {"version": "0.32.0", "maxModelLen": 32768, "kvCacheTokens": predicted // 2}})
    told = watch.until(serves_and_tells, timeout_s=30, what="Serving").object["status"]
    assert (told["sizing"]["kvCacheTokens"], told["engine"]["kvCacheTokens"]) == (predicted, predicted // 2)
    eventually(  # it is counted once the status is written
        lambda: operator.count("deepseekserve_kv_cache_prediction_ratio_count") == compared + 1, "one comparison")
    ratio = operator.count("deepseekserve_kv_cache_prediction_ratio_sum") - total
    assert ratio == pytest.approx(0.5, rel=0.01)
