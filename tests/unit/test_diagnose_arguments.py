"""Fixes of single arguments become the whole corrected list, or nothing where that would be refused."""

import pytest

from deepseekserve.agent.diagnosis import ExitInfo, LogReader
from deepseekserve.agent.reasons import Reason
from deepseekserve.diagnose.arguments import EXTRA_ARGS, whole
from deepseekserve.facts import Finding, Fix

REFUSED = "usage: vllm [-h]\nvllm: error: unrecognized arguments: {}\n"


def fixed(refused: str, extra_args: list[str]) -> dict[str, str]:
    """The edits that the engine's complaint about arguments leads to: value by field."""
    reader = LogReader()
    reader.feed(REFUSED.format(refused).encode(), 0.0)
    failure = reader.failure(ExitInfo(code=2))
    assert failure
    finding = Finding(failure.reason, failure.message, failure.remedy, tuple(Fix(**vars(f)) for f in failure.fixes))
    return {fix.field: fix.value for fix in whole(finding, extra_args).fixes}


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
])
def test_what_would_not_work_is_no_fix(refused: str, extra_args: list[str]) -> None:
    assert fixed(refused, extra_args) == {}


def test_other_fixes_are_left_alone() -> None:
    finding = Finding(Reason.CONTEXT_TOO_LONG, "", "", (Fix("spec.engine.maxModelLen", "32768", ""),))
    assert whole(finding, ["--seed=1"]) is finding
