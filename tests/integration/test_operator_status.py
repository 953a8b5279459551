"""What a resource's status says while real Deployments make pods whose kubelet and agent the test plays."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from tests.integration.operating import (
    Operator,
    Pods,
    eventually,
    failing,
    looked_at,
    now,
    phases,
    resource,
    serving,
    starting,
)
from tests.lab.kubectl import Kubectl, KubectlFailed, Object
from tests.lab.watch import Predicate, Watch, condition, failed_with, is_current, is_true, serves, serves_and_tells

AWQ = {"engine": {"device": "CPU", "quantization": "AWQ"}}
TOOK = "deepseekserve.io/took"
PROMPT_S = 5.0          # aims: 1.5 s to Ready, 3 s to a failure; this machine may be running ten other things


@pytest.fixture
def tiny(here: Kubectl) -> Iterator[Watch]:
    """A new resource, watched from its beginning."""
    with Watch(here, "tiny") as watch:
        here.apply(resource("tiny"))
        yield watch


def phase_is(phase: str) -> Predicate:
    return lambda r: r.get("status", {}).get("phase") == phase


def failed_and_gone(seen: Object) -> bool:
    status = seen.get("status", {})
    return status.get("replicas") == 0 and "failure" in status


def startup(seen: Object) -> Object:
    found: Object = seen["status"].get("startup", {})
    return found


def annotations(thing: Object) -> Object:
    found: Object = thing["metadata"].get("annotations", {})
    return found


def event_reasons(kubectl: Kubectl, name: str) -> list[str]:
    events = [e for e in kubectl.list("events") if e["involvedObject"]["name"] == name]
    ours = [e for e in events if e["involvedObject"]["kind"] == "DeepSeekServe"]
    return [e["reason"] for e in sorted(ours, key=lambda e: str(e["eventTime"]))]


# A start

def test_a_start_is_followed_phase_by_phase_until_it_serves(here: Kubectl, tiny: Watch, pods: Pods) -> None:
    pod = pods.next("tiny")
    tiny.until(phase_is("Scheduling"), timeout_s=30, what="Scheduling")
    pod.schedule()
    tiny.until(phase_is("Pulling"), timeout_s=30, what="Pulling")
    pod.run()
    tiny.until(phase_is("Starting"), timeout_s=30, what="Starting")
    pod.agent.report = starting("LoadingWeights", 37)
    seen = tiny.until(phase_is("LoadingWeights"), timeout_s=30, what="LoadingWeights").object
    assert startup(seen)["percent"] == 35
    assert startup(seen)["pod"] == pod.name
    assert startup(seen)["expectedReadyTime"]
    pod.agent.report = starting("CapturingGraphs", 90)
    tiny.until(phase_is("CapturingGraphs"), timeout_s=30, what="CapturingGraphs")
    pod.serve()
    seen = tiny.until(serves_and_tells, timeout_s=30, what="Serving").object
    assert seen["status"]["engine"]["version"] == "0.32.0"
    assert (seen["status"]["replicas"], seen["status"]["readyReplicas"]) == (1, 1)
    assert startup(seen) == {}
    assert seen["status"]["lastGoodRevision"] == seen["status"]["currentRevision"]
    good = eventually(lambda: here.list("controllerrevisions", "deepseekserve.io/good=true"), "a good revision")
    assert [r["metadata"]["name"] for r in good] == [seen["status"]["lastGoodRevision"]]
    percents = [startup(s.object)["percent"] for s in tiny.seen if startup(s.object).get("pod") == pod.name]
    assert percents == sorted(percents)
    assert event_reasons(here, "tiny") == ["RolloutStarted", "Serving"]


def test_a_phase_that_passed_between_two_looks_is_shown_too(tiny: Watch, pods: Pods) -> None:
    pod = pods.next("tiny")
    pod.run()
    tiny.until(phase_is("Starting"), timeout_s=30, what="Starting")
    passed = ["Starting", "LoadingWeights", "Compiling", "ProfilingMemory", "Serving"]
    pod.serve(serving(phases=phases(**dict.fromkeys(passed, 0))))
    tiny.until(serves, timeout_s=30, what="Serving")
    shown = [s.object.get("status", {}).get("phase") for s in tiny.seen]
    assert list(dict.fromkeys(shown))[-5:] == passed


def test_ready_is_true_soon_after_the_pods_readiness(tiny: Watch, pods: Pods) -> None:
    pod = pods.next("tiny")
    pod.run()
    tiny.until(phase_is("Starting"), timeout_s=30, what="Starting")
    pod.serve()
    before = time.time()
    assert tiny.until(is_true("Ready"), timeout_s=30, what="Ready").at - before < PROMPT_S


def test_an_agent_that_does_not_answer_delays_nothing(tiny: Watch, pods: Pods) -> None:
    pod = pods.next("tiny")
    pod.agent.close()
    pod.run()
    tiny.until(phase_is("Starting"), timeout_s=30, what="Starting")
    pod.serve()
    tiny.until(serves, timeout_s=30, what="Serving without a word of the agent")


# Failures

def test_a_failure_is_told_before_the_engine_has_ended(tiny: Watch, pods: Pods, operator: Operator) -> None:
    pod = pods.next("tiny")
    pod.run()
    tiny.until(phase_is("Starting"), timeout_s=30, what="Starting")
    pod.agent.report = failing("CorruptModel", "model.safetensors is truncated.")
    seen = tiny.until(failed_with("CorruptModel"), timeout_s=30, what="CorruptModel")
    failure = seen.object["status"]["failure"]
    assert failure["message"] == "model.safetensors is truncated."
    assert failure["pod"] == pod.name
    assert condition(seen.object, "Ready")["reason"] == "CorruptModel"
    assert seen.at - datetime.fromisoformat(failure["at"]).timestamp() < PROMPT_S
    eventually(lambda: operator.count("deepseekserve_failures_total", reason="CorruptModel") == 1, "it is counted")
    assert operator.count("deepseekserve_failure_report_seconds_count") >= 1


def test_a_failure_stays_told_through_the_next_start_and_ends_when_it_serves(tiny: Watch, pods: Pods) -> None:
    pod = pods.next("tiny")
    pod.fail(json.dumps(failing("CorruptModel")))
    tiny.until(failed_with("CorruptModel"), timeout_s=30, what="CorruptModel")
    mark = tiny.mark()
    pod.agent.report = starting("LoadingWeights", 50)
    pod.run()
    seen = tiny.until(lambda r: startup(r).get("percent") == 50, timeout_s=30, what="the next start", since=mark).object
    assert (seen["status"]["phase"], seen["status"]["failure"]["reason"]) == ("Failed", "CorruptModel")
    pod.serve()
    seen = tiny.until(serves, timeout_s=30, what="Serving").object
    assert "failure" not in seen["status"]


def test_a_killed_container_is_out_of_memory(tiny: Watch, pods: Pods) -> None:
    pods.next("tiny").fail("Loading safetensors checkpoint shards:   0%", code=137, reason="OOMKilled")
    seen = tiny.until(failed_with("HostOutOfMemory"), timeout_s=30, what="HostOutOfMemory").object
    assert is_true("Reconciling")(seen)
    assert not is_true("Stalled")(seen)


def test_the_end_of_a_log_is_read_when_the_agent_was_killed_too(tiny: Watch, pods: Pods) -> None:
    pods.next("tiny").fail("vllm: error: unrecognized arguments: --max-num-seqz=4\n", code=2)
    seen = tiny.until(failed_with("InvalidArgument"), timeout_s=30, what="InvalidArgument").object
    assert "--max-num-seqz" in seen["status"]["failure"]["message"]


@pytest.mark.parametrize(("waiting", "message", "reason"), [
    ("ImagePullBackOff", 'Back-off pulling image "x": not found', "ImagePullFailed"),
    ("CreateContainerConfigError", 'secret "hf" not found', "ContainerConfigError"),
])
def test_what_the_kubelet_cannot_do_is_told_until_it_can(
    tiny: Watch, pods: Pods, waiting: str, message: str, reason: str,
) -> None:
    pod = pods.next("tiny")
    pod.wait(waiting, message)
    tiny.until(failed_with(reason), timeout_s=30, what=reason)
    mark = tiny.mark()
    pod.run()
    seen = tiny.until(lambda r: "failure" not in r["status"], timeout_s=30, what="no failure", since=mark).object
    assert seen["status"]["phase"] == "Starting"


def test_a_secret_that_only_events_say_is_missing_is_told_until_it_is_there(here: Kubectl, pods: Pods) -> None:
    volume = {"name": "certs", "secret": {"secretName": "certs"}}
    with Watch(here, "tiny") as tiny:
        here.apply(resource("tiny", podTemplate={"spec": {"volumes": [volume]}}))
        pod = pods.next("tiny")
        pod.schedule()
        pod.say("FailedMount", 'MountVolume.SetUp failed for volume "certs" : secret "certs" not found')
        seen = tiny.until(failed_with("ContainerConfigError"), timeout_s=60, what="the missing Secret").object
        assert "the Secret certs does not exist; it is asked for by spec.podTemplate" in (
            seen["status"]["failure"]["message"])
        mark = tiny.mark()
        pod.say("Pulling", 'Pulling image "x"')
        tiny.until(lambda r: "failure" not in r["status"], timeout_s=60, what="no failure", since=mark)


def test_a_volume_that_is_in_use_elsewhere_is_told_until_the_container_runs(tiny: Watch, pods: Pods) -> None:
    pod = pods.next("tiny")
    pod.schedule()
    pod.say("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) other')
    seen = tiny.until(failed_with("VolumeMountFailed"), timeout_s=60, what="VolumeMountFailed").object
    assert "which the pod other uses" in seen["status"]["failure"]["message"]
    mark = tiny.mark()
    pod.run()
    tiny.until(lambda r: "failure" not in r["status"], timeout_s=30, what="no failure", since=mark)


# What keeps us from it

@contextmanager
def no_deployment_is_taken(kubectl: Kubectl) -> Iterator[None]:
    """Somebody's admission webhook that answers nothing stands before every write of a Deployment in the namespace."""
    name = f"broken-{kubectl.namespace}"
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
            "resources": ["deployments"]}
    webhook = {
        "name": "broken.example.com", "clientConfig": {"url": "https://127.0.0.1:9/"}, "failurePolicy": "Fail",
        "sideEffects": "None", "admissionReviewVersions": ["v1"], "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kubectl.namespace}},
    }
    kubectl.apply({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                   "metadata": {"name": name}, "webhooks": [webhook]})
    try:
        eventually(lambda: not _takes_deployments(kubectl), "a webhook that fails")
        yield
    finally:
        kubectl("delete", "validatingwebhookconfiguration", name)


def _takes_deployments(kubectl: Kubectl) -> bool:
    try:
        kubectl("create", "deployment", "probe", "--image=x", "--dry-run=server")
    except KubectlFailed:
        return False
    return True


def test_failures_are_told_while_somebodys_webhook_refuses_our_children(
    here: Kubectl, tiny: Watch, pods: Pods,
) -> None:
    pod = pods.next("tiny")
    pod.run()
    tiny.until(phase_is("Starting"), timeout_s=30, what="Starting")
    mark = tiny.mark()
    with no_deployment_is_taken(here):
        here("scale", "dss/tiny", "--replicas=2")
        refused = lambda r: condition(r, "Reconciling")["reason"] == "ApplyFailed"  # noqa: E731
        seen = tiny.until(refused, timeout_s=30, what="the refusal", since=mark).object
        assert "broken.example.com" in condition(seen, "Reconciling")["message"]
        assert seen["status"]["observedGeneration"] == seen["metadata"]["generation"]
        pod.fail("", code=137, reason="OOMKilled")
        seen = tiny.until(failed_with("HostOutOfMemory"), timeout_s=30, what="HostOutOfMemory", since=mark).object
        assert is_true("Reconciling")(seen)
    here("wait", "deployment/tiny", "--for=jsonpath={.spec.replicas}=2", "--timeout=60s")


def refuses_pods(kubectl: Kubectl, name: str) -> bool:
    """Whether a pod is refused by what has this name."""
    try:
        kubectl("run", "probe", "--image=x", "--dry-run=server")
    except KubectlFailed as refusal:
        return name in refusal.stderr
    return False


def test_a_quota_that_refuses_the_pod_is_told_with_its_numbers(here: Kubectl) -> None:
    here.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"},
                "spec": {"hard": {"requests.memory": "1Gi"}}})
    eventually(lambda: refuses_pods(here, "small"), "a quota that is enforced")
    with Watch(here, "tiny") as watch:
        here.apply(resource("tiny"))
        seen = watch.until(failed_with("QuotaExceeded"), timeout_s=30, what="QuotaExceeded").object
    assert seen["status"]["failure"]["message"] == (
        "The namespace's quota small refuses the pod: the pod asks for requests.memory=4Gi, and 0 of 1Gi are used.")


def test_a_policy_that_refuses_the_pod_is_named(here: Kubectl) -> None:
    name = f"no-pods-{here.namespace}"
    scope = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": here.namespace}}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    here.apply(
        {**group, "kind": "ValidatingAdmissionPolicy", "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "false", "message": "no pods here"}]}},
        {**group, "kind": "ValidatingAdmissionPolicyBinding", "spec": {
            "policyName": name, "validationActions": ["Deny"], "matchResources": scope}},
    )
    try:
        eventually(lambda: refuses_pods(here, name), "a policy that is enforced")
        with Watch(here, "tiny") as watch:
            here.apply(resource("tiny"))
            seen = watch.until(failed_with("AdmissionRefused"), timeout_s=30, what="AdmissionRefused").object
    finally:
        here("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)
    told = f"The ValidatingAdmissionPolicy {name} refuses the pod: no pods here."
    assert seen["status"]["failure"]["message"] == told


def test_a_drained_pod_is_told_until_its_successor_serves(here: Kubectl, tiny: Watch, pods: Pods) -> None:
    pod = pods.next("tiny")
    pod.serve()
    tiny.until(serves, timeout_s=30, what="Serving")
    mark = tiny.mark()
    here.patch("pod", pod.name, {"metadata": {"finalizers": ["example.com/held"]}})  # as a kubelet holds it
    here("wait", "pdb/tiny", "--for=jsonpath={.status.disruptionsAllowed}=1", "--timeout=60s")
    path = f"/api/v1/namespaces/{here.namespace}/pods/{pod.name}/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name}}
    here("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    seen = tiny.until(failed_with("Evicted"), timeout_s=30, what="Evicted", since=mark)
    assert "evicted through the API" in seen.object["status"]["failure"]["message"]
    here.patch("pod", pod.name, {"metadata": {"finalizers": None}})
    pods.next("tiny", other_than=(pod,)).serve()
    is_well = lambda r: serves(r) and "failure" not in r["status"]  # noqa: E731
    tiny.until(is_well, timeout_s=30, what="Serving", since=seen.index)


def labelled(kubectl: Kubectl, path: str) -> None:
    """By PUT: a patch would write the immutable data in another form."""
    found = json.loads(kubectl("get", "--raw", path))
    found["metadata"]["labels"]["example.com/note"] = "mine"
    kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps(found))


def deleted(kubectl: Kubectl, path: str) -> None:
    kubectl("delete", "--raw", path)


@pytest.mark.parametrize("meddle", [labelled, deleted])
def test_a_revision_that_somebody_has_meddled_with_is_marked_good(
    here: Kubectl, tiny: Watch, pods: Pods, meddle: Callable[[Kubectl, str], None],
) -> None:
    pod = pods.next("tiny")
    name = here.list("controllerrevisions")[0]["metadata"]["name"]
    meddle(here, f"/apis/apps/v1/namespaces/{here.namespace}/controllerrevisions/{name}")
    pod.serve()
    tiny.until(serves, timeout_s=30, what="Serving")
    eventually(lambda: here.list("controllerrevisions", "deepseekserve.io/good=true"), "a good revision", 30)


# A start after another one

def test_a_second_start_is_expected_to_take_as_long_as_the_first(
    here: Kubectl, tiny: Watch, pods: Pods, operator: Operator,
) -> None:
    first = pods.next("tiny")
    first.serve(serving(phases=phases(Starting=1000, LoadingWeights=900, Serving=0)))
    tiny.until(serves, timeout_s=30, what="Serving")
    (kept,) = eventually(
        lambda: [r for r in here.list("controllerrevisions", "deepseekserve.io/good=true") if TOOK in annotations(r)],
        "a good revision that knows what its start took")
    took = json.loads(annotations(kept)[TOOK])
    assert took["seconds"] == {"Starting": 100, "LoadingWeights": 900}
    mark = tiny.mark()
    here("delete", "pod", first.name, "--wait=false")
    second = pods.next("tiny", other_than=(first,))
    reported = time.time()
    second.agent.report = starting(phaseSince=now(50), phases=phases(Starting=50))
    second.run()
    seen = tiny.until(lambda r: "expectedReadyTime" in startup(r), timeout_s=30, what="a time", since=mark).object
    left_s = datetime.fromisoformat(startup(seen)["expectedReadyTime"]).timestamp() - reported
    assert left_s == pytest.approx(950, abs=PROMPT_S)
    assert startup(seen)["percent"] == 5
    second.serve(serving(phases=phases(Starting=1050, LoadingWeights=940, Serving=0)))
    tiny.until(serves_and_tells, timeout_s=30, what="Serving again", since=mark)
    looks = operator.looks()
    here("annotate", "dss", "tiny", "look=again")
    looked_at(operator, looks + 1)
    assert here.get("controllerrevision", kept["metadata"]["name"]) == kept, "a start much like the first is no news"


# An older revision

def test_a_new_revision_that_fails_degrades_what_the_old_one_serves_until_it_is_mended(
    here: Kubectl, tiny: Watch, pods: Pods,
) -> None:
    old = pods.next("tiny")
    old.serve()
    tiny.until(serves, timeout_s=30, what="Serving")
    mark = tiny.mark()
    here.patch("dss", "tiny", {"spec": AWQ})
    new = pods.next("tiny", other_than=(old,))
    new.fail(json.dumps(failing("QuantizationMissingConfig")))
    seen = tiny.until(failed_with("QuantizationMissingConfig"), timeout_s=30, what="the failure", since=mark).object
    assert (condition(seen, "Ready")["status"], seen["status"]["phase"]) == ("True", "Serving")
    assert condition(seen, "Degraded")["reason"] == "QuantizationMissingConfig"
    assert is_true("Stalled")(seen)
    assert seen["status"]["lastGoodRevision"] != seen["status"]["currentRevision"]
    mark = tiny.mark()
    here.patch("dss", "tiny", {"spec": {"engine": {"quantization": "Auto"}}})
    seen = tiny.until(serves, timeout_s=30, what="Serving as before", since=mark).object
    assert all(is_true("Ready")(s.object) for s in tiny.seen[mark:])
    assert "failure" not in seen["status"]


# Giving up

def test_three_restarts_of_what_only_an_edit_can_cure_scale_to_zero_and_an_edit_starts_again(
    here: Kubectl, tiny: Watch, pods: Pods,
) -> None:
    pod = pods.next("tiny")
    for _ in range(3):
        pod.fail(json.dumps(failing("QuantizationMissingConfig")))
    here("wait", "deployment/tiny", "--for=jsonpath={.spec.replicas}=0", "--timeout=30s")
    seen = tiny.until(failed_and_gone, timeout_s=30, what="no pods").object
    assert "scaled to zero after 3 restarts" in seen["status"]["failure"]["message"]
    assert (seen["status"]["phase"], is_true("Stalled")(seen), is_true("Reconciling")(seen)) == ("Failed", True, False)
    mark = tiny.mark()
    here.patch("dss", "tiny", {"spec": {"engine": {"quantization": "Auto", "enforceEager": True}}})
    second = pods.next("tiny", other_than=(pod,))
    second.serve()
    tiny.until(serves, timeout_s=30, what="Serving after the edit", since=mark)
    assert "ScaledToZero" in event_reasons(here, "tiny")


def test_an_operator_that_is_killed_remembers_that_it_gave_up(
    here: Kubectl, tiny: Watch, pods: Pods, operator: Operator,
) -> None:
    pod = pods.next("tiny")
    for _ in range(3):
        pod.fail(json.dumps(failing("QuantizationMissingConfig")))
    here("wait", "deployment/tiny", "--for=jsonpath={.spec.replicas}=0", "--timeout=30s")
    operator.kill()
    here.patch("deployment", "tiny", {"spec": {"replicas": 1}})
    operator.start()
    eventually(operator.leads, "the operator leads", 60)
    here("wait", "deployment/tiny", "--for=jsonpath={.spec.replicas}=0", "--timeout=30s")
    assert is_true("Stalled")(here.get("dss", "tiny") or {})


# Several pods

def test_scaling_up_keeps_ready_and_ends_with_all_pods_ready(here: Kubectl, tiny: Watch, pods: Pods) -> None:
    first = pods.next("tiny")
    first.serve()
    tiny.until(serves, timeout_s=30, what="Serving")
    mark = tiny.mark()
    here("scale", "dss/tiny", "--replicas=2")
    second = pods.next("tiny", other_than=(first,))
    second.run()
    has_two = lambda r: startup(r).get("pod") == second.name  # noqa: E731
    seen = tiny.until(has_two, timeout_s=30, what="another pod", since=mark).object
    assert (is_true("Ready")(seen), is_true("Reconciling")(seen)) == (True, True)
    second.serve()
    tiny.until(lambda r: serves(r) and r["status"]["readyReplicas"] == 2, timeout_s=30, what="two pods", since=mark)
    assert all(is_true("Ready")(s.object) for s in tiny.seen[mark:])


def test_a_missing_chat_template_is_degraded_and_ready(tiny: Watch, pods: Pods) -> None:
    pods.next("tiny").serve(serving(degraded="The model has no chat template."))
    seen = tiny.until(is_true("Degraded"), timeout_s=30, what="Degraded").object
    assert is_true("Ready")(seen)
    assert is_current(seen)
    assert condition(seen, "Degraded")["reason"] == "TokenizerError"


def test_a_look_that_finds_nothing_new_writes_nothing(
    here: Kubectl, tiny: Watch, pods: Pods, operator: Operator,
) -> None:
    pods.next("tiny").serve()
    tiny.until(serves_and_tells, timeout_s=30, what="Serving")
    mark = tiny.mark()
    for number in range(5):
        looks = operator.looks()
        here("annotate", "dss", "tiny", f"look=again-{number}", "--overwrite")
        looked_at(operator, looks + 1)
    here("annotate", "dss", "tiny", "look=for-the-last-time", "--overwrite")
    is_last = lambda r: "for-the-last-time" in r["metadata"]["annotations"].values()  # noqa: E731
    last = tiny.until(is_last, timeout_s=30, what="the last edit")
    assert [s.object["status"] for s in tiny.seen[mark:]] == [last.object["status"]] * 6


def test_nothing_of_the_above_was_a_bug_or_forbidden_to_it(operator: Operator) -> None:
    """Last in this module."""
    assert "Traceback" not in operator.says()
    assert "User \\\"system:serviceaccount" not in operator.says()
