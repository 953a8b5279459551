"""What cannot work by computation costs nothing: no pod, the wrong number, and the edit after which it serves."""

from tests.e2e.cases import FAIL_S, Case, assert_predicted, assert_told_everywhere
from tests.e2e.conftest import START_S, delete, engine_pods, resource
from tests.lab.kubectl import Kubectl, Object
from tests.lab.watch import Watch, condition, is_current, serves_and_tells
from tests.specs import patch_of

REFUSED = Case(
    "ContextTooLong", {"engine": {"maxModelLen": 999999}}, "", ("999999", "32768"),
    fixes={"spec.engine.maxModelLen": "32768"},
)


def is_judged(thing: Object) -> bool:
    return is_current(thing) and condition(thing, "Fits").get("status") in ("True", "False")


def test_what_cannot_work_gets_no_pod_until_it_is_edited(kubectl: Kubectl) -> None:
    with Watch(kubectl, "unfit") as watch:
        kubectl.apply(resource("unfit", **REFUSED.edit))
        refused = watch.until(is_judged, timeout_s=FAIL_S, what="judged").object
        assert condition(refused, "Fits")["status"] == "False"
        assert_told_everywhere(kubectl, refused, REFUSED)
        assert not kubectl.list("deployments", "deepseekserve.io/name=unfit")
        assert not [pod for pod in engine_pods(kubectl, "unfit") if pod["spec"]["containers"][0]["name"] == "engine"]
        mark = watch.mark()
        kubectl.patch("dss", "unfit", patch_of(refused["status"]["failure"]["fixes"]))
        ready = watch.until(serves_and_tells, timeout_s=START_S, what="Ready after the edit", since=mark).object
        assert condition(ready, "Fits")["status"] == "True"
        assert_predicted(ready)
    delete(kubectl, "unfit")
