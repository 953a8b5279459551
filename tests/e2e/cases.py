"""What the tests of failures share: a mistake, the reason that it must get, and whether it was told well."""

from dataclasses import dataclass, field
from typing import Any

from tests.lab.kubectl import Object

FAIL_S = 300  # a failing start takes 10 to 25 s on two idle cores; several start at once, and the machines are shared


@dataclass(frozen=True)
class Case:
    """An edit that cannot work here, the reason it must get, words of the decisive line, fields of the fix."""

    reason: str
    edit: dict[str, Any]
    decisive: str
    says: tuple[str, ...] = ()
    fixes: dict[str, str] = field(default_factory=dict)


def assert_told_well(status: Object, case: Case) -> None:
    failure = status["failure"]
    assert failure["message"]
    assert failure["remedy"]
    for word in case.says:
        assert word in failure["message"] + failure["remedy"]
    values = {f["field"]: f["value"] for f in failure.get("fixes", [])}
    assert case.fixes.items() <= values.items()
