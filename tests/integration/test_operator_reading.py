"""A model that the catalogue does not know is read by a Job before its engine is made; nothing waits for ever.

The Job's pod is a real one, whose kubelet the test plays.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deepseekserve.reader import summary
from deepseekserve.reader.summary import Outcome, Summary
from tests.integration.operating import Operator, eventually, install_crd, least_privileged, now, running
from tests.lab.kubectl import Kubectl, Object
from tests.lab.watch import Predicate, Watch, condition, is_current
from tests.unit.sizing.models import llama

IMAGE = "registry.example/operator:1"
READS = "deepseekserve.io/reads"
CLAIM: Object = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "weights"},
    "spec": {
        "accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "none",
    },
}
L4 = {"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"}}


@pytest.fixture(scope="module")
def operator(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator, which knows its own image."""
    install_crd(kubectl)
    folder = tmp_path_factory.mktemp("operator")
    account = least_privileged(kubectl, "default", folder)
    with running(Operator(account, folder / "log", settings={"DSS_IMAGE": IMAGE})) as started:
        yield started


@pytest.fixture(autouse=True)
def claim(here: Kubectl) -> None:
    """A claim that waits for its first consumer."""
    here.apply(CLAIM)


@pytest.fixture
def watch(here: Kubectl) -> Iterator[Watch]:
    with Watch(here, "mine") as watch:
        yield watch


def mine(**spec: Any) -> Object:
    return {"apiVersion": "deepseekserve.io/v1alpha1", "kind": "DeepSeekServe", "metadata": {"name": "mine"},
            "spec": {"model": {"source": "pvc://weights/mine"}, "scheduling": L4, **spec}}


def fits(status: str, words: str = "") -> Predicate:
    def holds(thing: Object) -> bool:
        told = condition(thing, "Fits")
        return is_current(thing) and told.get("status") == status and words in told.get("message", "")
    return holds


def reader(kubectl: Kubectl, name: str = "mine", *, but: str = "") -> str:
    """A pod that reads the resource's model and is not `but`, once it is there."""
    def found() -> list[str]:
        pods = [str(pod["metadata"]["name"]) for pod in kubectl.list("pods", f"{READS}={name}")]
        return [pod for pod in pods if pod != but]

    return eventually(found, "the reader's pod")[0]


def jobs(kubectl: Kubectl) -> list[str]:
    """The Jobs that are not being deleted."""
    return [job["metadata"]["name"] for job in kubectl.list("jobs") if "deletionTimestamp" not in job["metadata"]]


def ends(kubectl: Kubectl, pod: str, message: str, code: int = 0) -> None:
    """The reader's container ends with this message."""
    ended = {"exitCode": code, "reason": "Completed", "message": message, "startedAt": now(), "finishedAt": now()}
    container = {"name": "reader", "image": "x", "imageID": "x", "ready": False, "restartCount": 0,
                 "state": {"terminated": ended}}
    status = {"phase": "Succeeded" if code == 0 else "Failed", "containerStatuses": [container]}
    kubectl("patch", "pod", pod, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))


def told(outcome: Outcome = Outcome.READ, **parts: Any) -> str:
    return summary.message(Summary(outcome, **parts)).decode()


def engine_arguments(kubectl: Kubectl) -> list[str]:
    deployment = eventually(lambda: kubectl.get("deployment", "mine"), "the Deployment")
    found: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    return found


def test_no_engine_is_made_before_the_model_is_read_and_then_with_what_fits(here: Kubectl, watch: Watch) -> None:
    here.apply(mine(engine={"kvCacheMemory": "64Mi"}))
    seen = watch.until(fits("Unknown", "reads the model"), timeout_s=30, what="the reading told").object
    assert seen["status"]["phase"] == "Pending"
    pod = reader(here)
    assert here.get("deployment", "mine") is None
    ends(here, pod, told(config=llama(max_position_embeddings=1 << 20)))
    read = watch.until(fits("True"), timeout_s=30, what="Fits=True").object
    given = engine_arguments(here)
    context = int(given[given.index("--max-model-len") + 1])
    assert context == read["status"]["sizing"]["maxModelLen"]
    assert 0 < context < 1 << 20
    assert read["status"]["replicas"] in (0, 1), "the reader's pod is none of the engine's"
    eventually(lambda: not jobs(here), "the Job is gone once its message is kept")
    assert json.loads(read["status"]["sizing"]["summary"])["outcome"] == "Read"


def test_what_was_read_outlives_the_job_and_the_operator(
    here: Kubectl, watch: Watch, operator: Operator,
) -> None:
    here.apply(mine())
    ends(here, reader(here), told(config=llama()))
    watch.until(fits("True"), timeout_s=30, what="Fits=True")
    eventually(lambda: not jobs(here), "the Job is gone")
    operator.kill()
    operator.start()
    mark = watch.mark()
    here.patch("dss", "mine", {"spec": {"replicas": 2}})
    watch.until(fits("True"), timeout_s=60, what="still Fits=True", since=mark)
    assert not [s for s in watch.seen[mark:] if condition(s.object, "Fits").get("status") != "True"]


def test_what_does_not_fit_is_refused_and_read_again_for_the_next_edit(here: Kubectl, watch: Watch) -> None:
    here.apply(mine(engine={"maxModelLen": 999_999}))
    pod = reader(here)
    ends(here, pod, told(config=llama()))
    refused = watch.until(fits("False"), timeout_s=30, what="Fits=False").object
    assert refused["status"]["failure"]["reason"] == "ContextTooLong"
    assert here.get("deployment", "mine") is None
    mark = watch.mark()
    here.patch("dss", "mine", {"spec": {"engine": {"maxModelLen": 2048}}})
    pending = watch.until(fits("Unknown"), timeout_s=30, what="the edit's reading told", since=mark).object
    assert "failure" not in pending["status"]
    assert condition(pending, "Stalled")["status"] == "False"
    assert condition(pending, "Reconciling")["reason"] == "ReadingModel"
    ends(here, reader(here, but=pod), told(config=llama()))
    watch.until(fits("True"), timeout_s=30, what="Fits=True after the edit")
    assert "2048" in engine_arguments(here)


def test_a_refusal_leaves_no_pod_and_outlives_live_edits_and_the_operator(
    here: Kubectl, watch: Watch, operator: Operator,
) -> None:
    here.apply(mine(engine={"maxModelLen": 999_999}))
    ends(here, reader(here), told(config=llama()))
    watch.until(fits("False"), timeout_s=30, what="Fits=False")
    eventually(lambda: not jobs(here) and not here.list("pods"), "neither Job nor pod is left")
    mark = watch.mark()
    here.patch("dss", "mine", {"spec": {"replicas": 2}})
    watch.until(fits("False"), timeout_s=30, what="still Fits=False", since=mark)
    operator.kill()
    operator.start()
    here.patch("dss", "mine", {"spec": {"replicas": 3}})
    watch.until(lambda r: fits("False")(r) and r["spec"]["replicas"] == 3, timeout_s=60, what="and after a restart",
                since=mark)
    assert {condition(s.object, "Fits")["status"] for s in watch.seen[mark:]} == {"False"}
    assert jobs(here) == []
    here.patch("dss", "mine", {"spec": {"rollout": {"admission": "Warn"}}})
    assert "999999" in engine_arguments(here)
    assert jobs(here) == [], "what was read is known"
    events = eventually(lambda: [e for e in here.list("events") if e["reason"] == "AdmittedWithWarning"], "its Event")
    assert len(events) == 1


def test_a_model_with_the_longest_name_is_read_too(here: Kubectl) -> None:
    longest = "a" * 63
    with Watch(here, longest) as watch:
        here.apply({**mine(), "metadata": {"name": longest}})
        ends(here, reader(here, longest), told(config=llama()))
        watch.until(fits("True"), timeout_s=30, what="Fits=True")


@pytest.mark.parametrize(("scheduling", "claimed", "says"), [
    ({}, False, "there is no PersistentVolumeClaim weights"),
    (L4, False, "there is no PersistentVolumeClaim weights"),
    ({}, True, "weights is not bound, and spec.scheduling does not say"),
])
def test_a_claim_that_cannot_be_read_is_said_at_once(
    here: Kubectl, watch: Watch, scheduling: Object, claimed: bool, says: str,
) -> None:
    here("delete", "pvc", "weights", "--wait=true")
    if claimed:
        here.apply(CLAIM)
    here.apply(mine(scheduling=scheduling))
    watch.until(fits("Unknown", says), timeout_s=10, what=says)
    assert engine_arguments(here)
    assert jobs(here) == []


def test_a_hub_that_must_not_be_asked_is_not(here: Kubectl, watch: Watch) -> None:
    env = [{"name": "HF_HUB_OFFLINE", "value": "1"}]
    here.apply(mine(model={"source": "hf://somebody/a-model-of-his-own"}, engine={"env": env}))
    watch.until(fits("Unknown", "HF_HUB_OFFLINE"), timeout_s=10, what="why")
    assert engine_arguments(here)
    assert jobs(here) == []


def test_a_refusal_by_what_needs_no_model_stays_though_the_model_cannot_be_read(here: Kubectl, watch: Watch) -> None:
    t4 = {"nodeSelector": {"nvidia.com/gpu.product": "Tesla-T4"}}
    here.apply(mine(engine={"dtype": "BFloat16"}, scheduling=t4))
    ends(here, reader(here), told(Outcome.UNREADABLE, message="an error of the disk"))
    watch.until(fits("False", "bfloat16"), timeout_s=30, what="Fits=False")
    eventually(lambda: not jobs(here), "the Job is gone")
    mark = watch.mark()
    here.patch("dss", "mine", {"spec": {"replicas": 2}})
    watch.until(fits("False"), timeout_s=30, what="still Fits=False", since=mark)
    assert {condition(s.object, "Fits")["status"] for s in watch.seen[mark:]} == {"False"}
    assert jobs(here) == []
    refusals = [e for e in here.list("events") if e["reason"] == "DtypeUnsupported"]
    assert len(refusals) == 1


def test_where_jobs_cannot_be_made_the_engine_starts(here: Kubectl, watch: Watch) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    here.apply({**quota, "spec": {"hard": {"count/jobs.batch": "0"}}})
    eventually(lambda: "used" in (here.get("resourcequota", "none") or {}).get("status", {}), "the quota counts")
    here.apply(mine())
    watch.until(fits("Unknown", "was refused: "), timeout_s=30, what="why nothing was read")
    assert engine_arguments(here)


@pytest.mark.parametrize(("message", "code", "says"), [
    (told(Outcome.NO_MODEL, message="no config.json in /models/mine"), 0, "no config.json in /models/mine"),
    (told(Outcome.DAMAGED, message="config.json is damaged: line 1"), 0, "config.json is damaged: line 1"),
    (told(config={"architectures": ["TomorrowForCausalLM"]}), 0, "no formula for this architecture"),
    ("Killed", 137, "exit code 137"),
])
def test_what_cannot_be_read_is_said_and_left_to_the_engine(
    here: Kubectl, watch: Watch, message: str, code: int, says: str,
) -> None:
    here.apply(mine())
    ends(here, reader(here), message, code)
    watch.until(fits("Unknown", says), timeout_s=30, what=says)
    assert engine_arguments(here)
    eventually(lambda: not jobs(here), "the Job is gone")
    mark = watch.mark()
    here.patch("dss", "mine", {"spec": {"replicas": 2}})
    watch.until(fits("Unknown", says), timeout_s=30, what="the same after another look", since=mark)


def test_a_pod_without_a_node_is_waited_for_and_then_the_engine_decides(here: Kubectl, watch: Watch) -> None:
    here.apply(mine())
    pod = reader(here)
    unbound = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": now(),
               "message": "pod has unbound immediate PersistentVolumeClaims"}
    status = json.dumps({"status": {"phase": "Pending", "conditions": [unbound]}})
    here("patch", "pod", pod, "--subresource=status", "--type=merge", "-p", status)
    is_told = fits("Unknown", "unbound immediate")
    waiting = watch.until(is_told, timeout_s=30, what="why it waits").object
    assert "currentRevision" not in waiting["status"]
    is_decided = lambda r: is_told(r) and "currentRevision" in r["status"]  # noqa: E731
    watch.until(is_decided, timeout_s=30, what="why nothing was read")
    assert engine_arguments(here)
