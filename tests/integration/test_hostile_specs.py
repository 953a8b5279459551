"""2,000 hostile specs: each is refused by the API server, ends as InvalidSpec, or makes pods; nothing else can happen.

Judged by the real API server (dry runs) and by the operator's own code from the parser to the last manifest; a part of
them is then given to a real operator.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deepseekserve import api, engine, names, render, revision
from deepseekserve.kube.kinds import BY_KIND
from tests.cluster.controlplane import ControlPlane
from tests.golden.cases import BUNDLE, first_revision
from tests.integration.api import Answer, Api
from tests.integration.operating import Operator, eventually
from tests.lab.kubectl import Kubectl, Object
from tests.specs import hostile

SPECS, LIVE = 2000, 150
SERVES = f"/apis/{names.API_VERSION}/namespaces/default/{names.PLURAL}"
# What a message says that tells its reader what to do: our own words, and those of the API server's own checks.
ADVICE = re.compile(
    r"\b(set|remove|raise|lower|choose|change|write|give|move|use|bind|must|should|may not|expected|supported values)\b"
    r"|Required value|Too (?:long|many)|unknown field|Unsupported value|Duplicate value|cannot unmarshal|not be longer")
UNIQUE = settings(
    max_examples=SPECS, deadline=None, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(operator: Operator, control_plane: ControlPlane) -> Iterator[Api]:
    """A connection to a server that knows the CRD."""
    with Api(control_plane) as connected:
        yield connected


def resource(name: str, spec: Any) -> Object:
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name}, "spec": spec}


def refused_well(message: str, *, begins_with_the_field: bool = False) -> None:
    """A refusal names what it is about and what would do; the operator's own does it in one line."""
    assert not begins_with_the_field or re.match(r"spec[^\n]+$", message), message
    assert re.search(r"\b(spec|metadata|name)\b", message), message
    assert ADVICE.search(message), message


def outcome(server: Api, name: str, spec: Any) -> str:
    """What becomes of a resource, all the way; any exception but InvalidSpec is a finding of this test."""
    answer = server.post(SERVES, resource(name, spec), dryRun="All", fieldValidation="Strict")
    if answer.code != 201:
        assert answer.code in (400, 422), answer
        refused_well(answer.message)
        return "refused"
    try:
        serve = api.parse(answer.body)
        render.check(serve)
        made = first_revision(serve)
        children = render.children(serve, made, replicas=1, bundle=BUNDLE)
    except api.InvalidSpec as error:
        refused_well(str(error), begins_with_the_field=True)
        return "InvalidSpec"
    is_a_list_of_words(serve, children)
    answers = [dry_run(server, child) for child in (revision.manifest(made, serve), *children)]
    assert all(made_or_there.code in (201, 409) for made_or_there in answers[:-1]), answers
    if answers[-1].code != 201:
        assert answers[-1].code in (400, 403, 422), answers[-1]
        refused_well(answers[-1].message)
        return "InvalidSpec of the Deployment"
    return "rendered"


def dry_run(server: Api, child: Object) -> Answer:
    """Whether the server would take a child; its owner does not exist, which only garbage collection minds."""
    path = BY_KIND[child["kind"]].path("default")
    return server.post(path, child, dryRun="All", fieldValidation="Strict")


def is_a_list_of_words(serve: api.DeepSeekServe, children: tuple[Object, ...]) -> None:
    """The engine is started by lists of arguments, of which each word of the user is one, and by no shell."""
    container = children[-1]["spec"]["template"]["spec"]["containers"][0]
    assert container["command"][0] == "python3"
    assert container["args"] == [engine.escape(word) for word in engine.argv(serve)]
    assert container["args"][len(container["args"]) - len(serve.spec.engine.extra_args):] == [
        engine.escape(word) for word in serve.spec.engine.extra_args]
    assert all(isinstance(word, str) and "\0" not in word for word in (*container["command"], *container["args"]))


def test_each_is_refused_with_advice_or_ends_as_invalid_or_makes_pods(server: Api) -> None:
    seen: Counter[str] = Counter()

    @UNIQUE
    @given(name=hostile.names(), spec=hostile.specs())
    def judge(name: str, spec: Any) -> None:
        seen[outcome(server, name, spec)] += 1

    judge()
    assert seen.total() >= SPECS
    assert set(seen) == {"refused", "InvalidSpec", "InvalidSpec of the Deployment", "rendered"}, "each way was taken"
    assert min(seen["refused"], seen["rendered"], 4 * seen["InvalidSpec"]) >= SPECS // 10, seen


def test_a_real_operator_makes_pods_of_them_or_says_invalid_and_goes_on(
    operator: Operator, server: Api, kubectl_here: Kubectl,
) -> None:
    path = f"/apis/{names.API_VERSION}/namespaces/{kubectl_here.namespace}/{names.PLURAL}"
    taken: list[str] = []

    @settings(UNIQUE, max_examples=4 * LIVE, phases=[Phase.generate])
    @given(spec=hostile.specs(), replicas=st.integers(0, 2))
    def create(spec: Any, replicas: int) -> None:
        name = f"hostile-{len(taken)}"
        if len(taken) < LIVE and server.post(path, resource(name, {**spec, "replicas": replicas})).code == 201:
            taken.append(name)

    create()
    assert len(taken) == LIVE
    ended = eventually(lambda: all_ended(kubectl_here), "an answer to each", 120)
    assert set(ended.values()) == {"InvalidSpec", "pods"}
    assert not operator.has_ended()
    assert "Traceback" not in operator.says()
    assert "a bug" not in operator.says()


def all_ended(kubectl: Kubectl) -> dict[str, str]:
    """What has become of each resource; empty while one has no answer yet."""
    found: dict[str, str] = {}
    serves = kubectl.list("dss")            # before the Deployments, which come before what is said of them
    deployments = {deployment["metadata"]["name"] for deployment in kubectl.list("deployments")}
    for serve in serves:
        name, status = serve["metadata"]["name"], serve["status"]
        reason = (status.get("failure") or {}).get("reason", "")
        has_pods = name in deployments and reason != "InvalidSpec"
        if status["observedGeneration"] != serve["metadata"]["generation"] or not (has_pods or reason):
            return {}
        found[name] = "pods" if has_pods else reason
    return found
