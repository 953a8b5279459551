"""Fixes of single arguments become the whole corrected list, or nothing where that would be refused."""

import pytest

from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.arguments_advice import _FIELDS
from deepseekserve.diagnose.arguments import EXTRA_ARGS, whole
from deepseekserve.engine.flags import OWNED_FLAGS
from deepseekserve.facts import Finding, Fix

REFUSED = "usage: vllm [-h]\nvllm: error: unrecognized arguments: {}\n"


def found(refused: str, extra_args: list[str]) -> Finding:
    """What the engine's complaint about arguments leads to."""
    reader = LogReader()
    reader.feed(REFUSED.format(refused).encode(), 0.0)
    failure = reader.failure(ExitInfo(code=2))
    assert failure
    return whole(Finding(failure.reason, failure.message, failure.remedy, failure.fixes), extra_args)


def fixed(refused: str, extra_args: list[str]) -> dict[str, str]:
    """Its edits: value by field."""
    return {fix.field: fix.value for fix in found(refused, extra_args).fixes}


@pytest.mark.parametrize(("refused", "extra_args", "expected"), [
    ("--blok-size=16", ["--blok-size=16", "--seed=1"], {EXTRA_ARGS: '["--block-size=16", "--seed=1"]'}),
    ("--blok-size 16", ["--seed", "1", "--blok-size", "16"], {EXTRA_ARGS: '["--seed", "1", "--block-size", "16"]'}),
    ("--max-num-seqz=4", ["--max-num-seqz=4"], {EXTRA_ARGS: "[]", "spec.engine.maxNumSeqs": "4"}),
    ("--max-num-seqz 4", ["--max-num-seqz", "4", "--seed=1"],
     {EXTRA_ARGS: '["--seed=1"]', "spec.engine.maxNumSeqs": "4"}),
    ("--warp-speed", ["--warp-speed", "--seed=1"], {EXTRA_ARGS: '["--seed=1"]'}),
    ("--warp-speed 9", ["--warp-speed", "9"], {EXTRA_ARGS: "[]"}),
], ids=lambda value: value if isinstance(value, str) else "")
def test_the_list_is_corrected(refused: str, extra_args: list[str], expected: dict[str, str]) -> None:
    assert fixed(refused, extra_args) == expected


@pytest.mark.parametrize(("refused", "extra_args"), [
    ("--gpu-memory-utilisation=0.9", ["--gpu-memory-utilisation=0.9"]),      # a share of 1, and the field a percentage
    ("--enforce-eagr", ["--enforce-eagr"]),                                  # a switch, whose field is for its owner
    ("--ssl-keyfil=/k", ["--ssl-keyfil=/k"]),                                # the nearest flag is refused here
    ("--warp-speed", ["--seed=1"]),                                          # not among the arguments of this spec
    ("--tensor-parallel-siz=2", ["--tensor-parallel-siz=2"]),                # must match the number of GPUs
    ("--blok-size=16", ["--blok-size=16", f"--seed={5000 * '1'}"]),          # longer than a status can say it
])
def test_what_would_not_work_is_no_fix(refused: str, extra_args: list[str]) -> None:
    assert fixed(refused, extra_args) == {}


def test_other_fixes_are_left_alone() -> None:
    finding = Finding(Reason.CONTEXT_TOO_LONG, "", "", (Fix("spec.engine.maxModelLen", "32768", ""),))
    assert whole(finding, ["--seed=1"]) is finding


def test_a_flag_that_may_not_be_set_is_not_recommended() -> None:
    remedy = found("--ssl-keyfil=/k", ["--ssl-keyfil=/k"]).remedy
    assert remedy.startswith("Remove the argument")
    assert "--ssl-keyfile cannot be set" in remedy


def test_the_agent_knows_the_same_fields_as_the_operator() -> None:
    owned = {
        flag.removeprefix("--").removeprefix("no-"): field.partition(" (")[0]
        for flag, field in OWNED_FLAGS.items() if flag.startswith("--")
    }
    assert {flag: f"spec.{field}" for flag, field in _FIELDS.items()} == owned
