"""The CRD as a real API server takes it: accepted, defaulted, refused with the next step, explained, shown, scaled."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deepseekserve import api, names
from deepseekserve.crd import embedded
from tests.lab.kubectl import Kubectl, KubectlFailed, Object, await_crd
from tests.specs import ACCEPTED, MINIMAL, REFUSED, SpecCase, merged

CRD = Path(__file__).parents[2] / "crds" / "deepseekserve.yaml"
CRD_NAME = f"{names.PLURAL}.{names.GROUP}"
STATUS = {
    "observedGeneration": 1, "phase": "Failed", "model": "r1", "url": "http://r1.models.svc:8000/v1",
    "replicas": 2, "readyReplicas": 0, "selector": "deepseekserve.io/name=r1",
    "conditions": [{
        "type": "Ready", "status": "False", "reason": "ContextTooLong", "message": "Too long.",
        "lastTransitionTime": "2026-11-24T12:00:00Z", "observedGeneration": 1,
    }],
    "startup": {"phase": "LoadingWeights", "percent": 35, "since": "2026-11-24T12:00:00Z"},
    "engine": {"maxModelLen": 4096, "quantization": "awq", "weightsBytes": 2**40},
    "failure": {"reason": "ContextTooLong", "message": "Too long.", "fixes": [{"field": "spec.x", "value": "1"}]},
}


def resource(name: str, spec: Any = None, **metadata: Any) -> Object:
    return {
        "apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name, **metadata},
        "spec": merged(MINIMAL, spec or {}),
    }


def write_status(kubectl: Kubectl, status: Object) -> None:
    change = json.dumps({"status": status})
    kubectl("patch", "dss", "r1", "--subresource=status", "--type=merge", "--patch-file=/dev/stdin", stdin=change)


def stream(cases: list[SpecCase]) -> str:
    return "\n---\n".join(json.dumps(resource(f"case-{i:03d}", case.spec)) for i, case in enumerate(cases))


@pytest.fixture(scope="module")
def served(kubectl: Kubectl) -> Iterator[Kubectl]:
    """kubectl where the CRD is served."""
    kubectl("apply", "--validate=strict", "-f", str(CRD))
    await_crd(kubectl, CRD_NAME)
    yield kubectl
    kubectl("delete", "crd", CRD_NAME, "--timeout=60s")


@pytest.fixture
def here(served: Kubectl, namespace: str) -> Kubectl:
    """The same in a namespace of the test's own."""
    return replace(served, namespace=namespace)


@pytest.fixture(scope="module")
def refusals(served: Kubectl) -> list[str]:
    """What kubectl prints for each row of the table, in its order: one line per refused object."""
    with pytest.raises(KubectlFailed) as failed:
        served("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=stream(REFUSED))
    return [line for line in failed.value.stderr.splitlines() if line.startswith("Error from server")]


# Accepted

def test_the_definition_is_served_with_a_structural_schema_and_rules_within_the_cost_budget(served: Kubectl) -> None:
    definition = served.get("crd", CRD_NAME)
    assert definition is not None
    conditions = {c["type"]: c["status"] for c in definition["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions["NamesAccepted"] == "True"
    assert "NonStructuralSchema" not in conditions


def test_the_definition_can_be_applied_by_the_client_and_again_without_a_change(served: Kubectl) -> None:
    assert "unchanged" in served("apply", "--validate=strict", "-f", str(CRD))


def test_every_right_spec_is_accepted(served: Kubectl) -> None:
    created = served("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=stream(ACCEPTED))
    assert created.count("created") == len(ACCEPTED)


def test_the_api_server_and_the_operator_fill_in_the_same_defaults(here: Kubectl) -> None:
    here("create", "-f", "-", stdin=stream(ACCEPTED))
    stored = here.list("dss")
    assert len(stored) == len(ACCEPTED)
    for case, live in zip(ACCEPTED, stored, strict=True):
        read = api.parse(live).spec
        assert read == api.parse_spec(case.spec), case.name
        written = read.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert normal(live["spec"]) == normal(written), case.name


def normal(value: Any) -> Any:
    """Quantities may stay numbers at the API server, and nobody can tell 8 from "8" there."""
    match value:
        case dict():
            return {key: normal(part) for key, part in value.items()}
        case list():
            return [normal(part) for part in value]
        case bool():
            return value
        case int() | float():
            return str(int(value))
    return value


def test_a_whole_number_with_a_point_is_stored_and_read(here: Kubectl) -> None:
    text = json.dumps(resource("r1", {"replicas": 2})).replace('"replicas": 2', '"replicas": 2.0')
    here("create", "-f", "-", stdin=text)
    assert api.parse(here.get("dss", "r1") or {}).spec.replicas == 2


# Refused

def test_every_row_of_the_table_is_refused(refusals: list[str]) -> None:
    assert len(refusals) == len(REFUSED)


@pytest.mark.parametrize("index", range(len(REFUSED)), ids=[case.name for case in REFUSED])
def test_a_wrong_spec_is_refused_with_its_field_and_what_to_do(refusals: list[str], index: int) -> None:
    assert re.search(REFUSED[index].api_server, refusals[index]), refusals[index]


def test_rules_across_fields_are_never_a_failure_of_the_rule_itself(refusals: list[str]) -> None:
    assert [line for line in refusals if "evaluating rule" in line or "no such" in line] == []


@pytest.mark.parametrize("name", ["1st", "my.model", "a" * 64])
def test_a_name_that_no_service_can_have_is_refused(served: Kubectl, name: str) -> None:
    with pytest.raises(KubectlFailed, match=r"choose a name of at most 63 lower-case letters, digits and '-'"):
        served("create", "--dry-run=server", "-f", "-", stdin=json.dumps(resource(name)))


@pytest.mark.parametrize("name", ["a", "r1", "deepseek-r1-distill", "a" * 63])
def test_a_name_that_a_service_can_have_is_accepted(served: Kubectl, name: str) -> None:
    assert "created" in served("create", "--dry-run=server", "-f", "-", stdin=json.dumps(resource(name)))


def test_a_field_that_does_not_exist_is_named(served: Kubectl) -> None:
    wrong = json.dumps(resource("r1", {"engine": {"maxModelLength": 4096}}))
    with pytest.raises(KubectlFailed, match=r'unknown field "spec\.engine\.maxModelLength"'):
        served("create", "--dry-run=server", "-f", "-", stdin=wrong)


def test_what_kubectl_explains_are_the_fields_that_the_models_have_and_no_others(served: Kubectl) -> None:
    explained = re.findall(r"^  (\w+)\t", served("explain", "dss.spec"), re.MULTILINE)
    assert set(explained) == {path.split(".")[0] for path in api.effects(api.Spec)}


# Status

def test_a_resource_that_no_operator_has_seen_is_not_taken_for_ready(here: Kubectl) -> None:
    here.apply(resource("r1"))
    assert (here.get("dss", "r1") or {})["status"] == {"observedGeneration": -1}


def test_nobody_writes_a_status_by_way_of_the_resource(here: Kubectl) -> None:
    here.apply({**resource("r1"), "status": STATUS})
    assert (here.get("dss", "r1") or {})["status"] == {"observedGeneration": -1}


def test_what_the_operator_writes_is_accepted_and_read_back(here: Kubectl) -> None:
    here.apply(resource("r1"))
    written = api.Status.read(STATUS)
    write_status(here, written.to_dict())
    assert api.parse(here.get("dss", "r1") or {}).status == written


def test_the_longest_status_that_the_operator_can_write_is_accepted(here: Kubectl) -> None:
    long = "ü" * 100_000
    status = api.Status.read({
        **STATUS, "model": long, "url": long, "selector": long, "currentRevision": long, "lastGoodRevision": long,
        "conditions": [{**STATUS["conditions"][0], "message": long}],  # type: ignore[index]
        "engine": {"version": long, "notes": [long] * 100, "dtype": long},
        "failure": {
            "reason": "Unknown", "message": long, "remedy": long, "logExcerpt": long, "pod": long,
            "fixes": [{"field": long, "value": long, "why": long}] * 100,
        },
    })
    here.apply(resource("r1"))
    write_status(here, status.to_dict())
    assert api.parse(here.get("dss", "r1") or {}).status == status


# kubectl

def test_the_columns_of_kubectl_get_stand_in_order_with_their_values(here: Kubectl) -> None:
    here.apply(resource("r1", {"resources": {"gpu": {"count": 2}}}))
    write_status(here, STATUS)
    heads, row = here("get", "dss").splitlines()
    assert heads.split() == ["NAME", "MODEL", "READY", "PHASE", "PROGRESS", "REASON", "CONTEXT", "QUANT", "AGE"]
    assert row.split()[:-1] == ["r1", "r1", "False", "Failed", "35", "ContextTooLong", "4096", "awq"]
    heads, row = here("get", "deepseekserves", "-o", "wide").splitlines()
    assert heads.split()[-3:] == ["URL", "GPUS", "AGE"]
    assert row.split()[-3:-1] == ["http://r1.models.svc:8000/v1", "2"]


@pytest.mark.parametrize(("field", "words"), [
    ("engine.maxModelLen", "Longest context in tokens, prompt and answer together"),
    ("resources.memory", "Main memory that is reserved for each pod"),
    ("model.source", "hf://organisation/name"),
    ("scheduling.affinity.nodeAffinity", "node affinity scheduling rules"),
])
def test_kubectl_explains_a_field(served: Kubectl, field: str, words: str) -> None:
    assert words in " ".join(served("explain", f"dss.spec.{field}").split())


def test_kubectl_scales_and_the_scale_says_which_pods(here: Kubectl) -> None:
    here.apply(resource("r1"))
    write_status(here, STATUS)
    here("scale", "dss/r1", "--replicas=3")
    scale = json.loads(here("get", "dss", "r1", "--subresource=scale", "-o", "json"))
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 2, "selector": "deepseekserve.io/name=r1"}
    assert (here.get("dss", "r1") or {})["spec"]["replicas"] == 3


def test_kubectl_scale_beyond_the_bound_is_refused(here: Kubectl) -> None:
    here.apply(resource("r1"))
    with pytest.raises(KubectlFailed, match=r"spec\.replicas.*less than or equal to 1000"):
        here("scale", "dss/r1", "--replicas=1001")


# core/v1

def test_the_stored_schemas_of_core_are_those_of_this_api_server(kubectl: Kubectl) -> None:
    openapi = json.loads(kubectl("get", "--raw", "/openapi/v3/api/v1"))
    assert embedded.extract(openapi) == json.loads(embedded.FILE.read_text(encoding="utf-8"))
