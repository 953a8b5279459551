"""Writes docs/diagnosis.md: every failure reason, with a real example of what a status says of it.

`make handbook`. Each example goes through the diagnosis itself when the page is made: the engine's from the recorded
logs and from tests/logs/wordings.tsv, Kubernetes' from its words in tests/unit/data/seen, the sums' from the sums.
No example can promise what the code does not say. How much of what vLLM can raise has a name, tests/logs/sources.tsv
knows.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from deepseekserve.agent.diagnose import diagnose as diagnose_log
from deepseekserve.agent.reasons import REASONS, Reason
from deepseekserve.agent.signatures import TABLE, Fix
from deepseekserve.diagnose import diagnose as diagnose_facts
from deepseekserve.facts import Finding
from deepseekserve.fits import fit_of
from tests.logs import recorder, sources
from tests.logs.test_wordings import WORDINGS
from tests.unit.fits.cases import DISTILL, judged
from tests.unit.seen import facts, pod, said_of, words

PAGE = Path(__file__).parents[1] / "docs" / "diagnosis.md"
EXAMPLES = 2
KUBERNETES_EXAMPLES = 6
LINE_CHARS = 300

INTRODUCTION = """\
<!-- Made by `make handbook` from the diagnosis itself; do not edit. -->
# Why it does not serve

`kubectl get dss` shows the reason in one word, `kubectl describe dss NAME` the message, the remedy and the decisive
lines (`status.failure`). This page has a section for each reason: when it is given, an example where it comes from a
log or a pod, and the next step.

Where the log's own numbers allow it, `status.failure.fixes` holds the edit as data, `{field, value, why}`:

```sh
kubectl get dss NAME -o jsonpath='{.status.failure.fixes}'
```

A reason is *permanent* when only an edit of the spec can help. A start that fails of one, with a revision that has
never served, gets three restarts; then the operator frees the GPU and sets `Stalled=True` until the spec is edited. The
others can pass without an edit, when a file, a Secret or the cluster is mended: the start is tried again.

## How the cause is found

The decisive line is almost never the last: several processes write at once, ranks repeat an error, exceptions wrap
exceptions, and the log ends with wrappers (`Engine core initialization failed. See root cause above`).

1. Every error in the log, with its traceback, is one candidate. Its wording gives it a weight: it explains the
   failure; it explains it unless something better does; it only says that something was killed or refused; it says
   that another process died; it is an echo of such a death.
2. The heaviest wins. Among equals the earliest does: that is the root cause in the process that failed first.
3. An error that no wording knows weighs as much as "was killed": no wrapper outvotes it. Its first line is then shown
   under the reason `Unknown`.
4. A traceback that a program has caught and logged is a suspicion, and is forgotten once the start moves on.
5. Once the engine serves, only its own words for its death count: nothing that stands in a request's text does.
6. The kernel's out-of-memory counter of the container comes before all that: where it has counted, the reason is
   `HostOutOfMemory`.

What Kubernetes says of the pod (no node, no image, no Secret) comes after what the engine itself says. What the sums
refuse before a pod is made ([sizing](sizing.md), condition `Fits`) has the reason that the engine would have failed
with, or `DoesNotFit`. The same diagnosis for any log, without a cluster:
`python -m deepseekserve.agent.diagnose engine.log`.
"""

COVERAGE = """\
## What the engine can raise

Of the errors with a text of their own that vLLM's sources can raise in a start, the diagnosis names so many, by the
text or by where it is raised (named / raised):
"""
LEFT = """\
What is not named is `Unknown`, with the error's own line. For the most part these are checks that vLLM makes of its
own state, and no edit of a spec helps against them. Not counted are the folders that a plain start does not touch (what
moves caches, weights and experts between engines, processors of images and sound, parsers of answers), and:
"""
REPEAT = """\
To count a release: unpack its wheel (nothing is installed or run), read what has no name, write signatures and
wordings for what a start can meet, record the numbers.

```sh
pip download --no-deps vllm==0.31.0 && unzip -q vllm-0.31.0-*.whl 'vllm/*.py' -d 0.31.0
export PYTHONPATH=operator/src:.
python -m tests.logs.sources 0.31.0/vllm --list
python -m tests.logs.sources 0.31.0/vllm --table && make handbook
```
"""

# A context that is too long for a GPU, a GPU that the engine has left behind: what the sums alone can say.
_UNFIT = (
    ("R1-Distill-Llama-8B on an A10G", DISTILL + "Llama-8B", "A10G", {"engine": {"maxModelLen": 131072}}),
    ("R1-Distill-Llama-8B on a V100", DISTILL + "Llama-8B", "Tesla-V100-SXM2-16GB", {"engine": {"maxModelLen": 8192}}),
)

# What of tests/unit/data/seen/words.yaml can be of a reason.
_KUBERNETES: Mapping[Reason, str] = {
    Reason.IMAGE_PULL_FAILED: "images",
    Reason.UNSCHEDULABLE: "scheduler",
    Reason.EVICTED: "evictions",
    Reason.QUOTA_EXCEEDED: "refusals",
    Reason.ADMISSION_REFUSED: "refusals",
    Reason.CONTAINER_CONFIG_ERROR: "containers",
    Reason.VOLUME_MOUNT_FAILED: "volumes",
}

_NEXT_STEPS: Mapping[Reason, str] = {
    Reason.ENGINE_UNRESPONSIVE: "It is started again. Once needs nothing; if it returns, look at the GPUs.",
    Reason.INVALID_SPEC: "Edit the spec as the message says; what runs goes on unchanged meanwhile.",
    Reason.NAME_CONFLICT: "Delete or rename the object that the message names, or take another name.",
    Reason.SUSPENDED: "Set spec.suspended to false.",
}


class Example(NamedTuple):
    """One failure as its status shows it."""

    source: str
    lines: Sequence[str]
    message: str
    remedy: str
    fixes: Sequence[Fix] = ()


def page() -> str:
    """The whole page."""
    engine = [reason for reason in Reason if any(reason is known.reason for known in TABLE)]
    rest = [reason for reason in Reason if reason not in engine]
    parts = [INTRODUCTION, _contents([*engine, *rest]), "## From the engine\n"]
    parts += [_section(reason) for reason in engine]
    parts += ["## From the agent, Kubernetes and the operator\n", *(_section(reason) for reason in rest)]
    parts += [COVERAGE, _coverage(), LEFT, *(f"* {left.what}: {left.why}" for left in sources.LEFT_OUT), "", REPEAT]
    return "\n".join(parts)


def _contents(reasons: Sequence[Reason]) -> str:
    links = ", ".join(f"[{reason.value}](#{reason.value.lower()})" for reason in reasons)
    return f"Reasons: {links}. How much has a name: [What the engine can raise](#what-the-engine-can-raise).\n"


def _coverage() -> str:
    """One row for each part of vLLM's sources, one column for each release."""
    cells = {(row.part, row.version): f"{row.named} / {row.raised}" for row in sources.table()}
    releases = list(dict.fromkeys(release for _, release in cells))
    rows = [["part", *releases], ["---", *["--:"] * len(releases)]]
    rows += [[part, *(cells[part, release] for release in releases)] for part in sources.PARTS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _section(reason: Reason) -> str:
    info = REASONS[reason]
    cure = "*Permanent.* " if info.permanent else ""
    parts = [f"### {reason.value}\n", f"{cure}{info.condition}\n", *map(_shown, _examples(reason)), *_alone(reason)]
    return "\n".join(parts)


def _alone(reason: Reason) -> Iterator[str]:
    """The next step of a reason that no log and no pod shows."""
    if reason in _NEXT_STEPS:
        yield f"* next step: {_NEXT_STEPS[reason]}\n"


def _examples(reason: Reason) -> list[Example]:
    """Recorded logs first, then wordings; of the same message one."""
    found: dict[str, Example] = {}
    most = KUBERNETES_EXAMPLES if reason in _KUBERNETES else EXAMPLES
    for example in chain(_from_logs(reason), _from_kubernetes(reason), _from_sums(reason)):
        found.setdefault(re.sub(r"\d+", "0", example.message), example)
        if len(found) == most:
            break
    return list(found.values())


def _from_logs(reason: Reason) -> Iterator[Example]:
    logs = [(f"vLLM 0.32, {log}", log.engine_bytes) for log in recorder.CPU_FAILURES if log.cause == reason.value]
    logs += [(wording.source, wording.text.encode()) for wording in WORDINGS if wording.reason == reason.value]
    for source, data in logs:
        told = diagnose_log(io.BytesIO(data))
        if told["reason"] == reason.value:
            assert isinstance(told["lines"], list)
            assert isinstance(told["fixes"], list)
            fixes = [Fix(fix["field"], fix["value"], fix["why"]) for fix in told["fixes"]]
            yield Example(
                source, _decisive(told["lines"], reason), str(told["message"]), str(told["remedy"]), fixes)


def _decisive(lines: Sequence[str], reason: Reason) -> Sequence[str]:
    """Of the lines that the status shows, the one that gave the reason; the last where it is broken over several."""
    known = [signature for signature in TABLE if signature.reason is reason and not signature.frames]
    said = [line for line in lines if not line.lstrip().startswith("raise ")]
    fitting = (line for line in said if any(signature.match(line, "") is not None for signature in known))
    return [next(fitting, lines[-1])] if lines else []


def _from_kubernetes(reason: Reason) -> Iterator[Example]:
    about = _KUBERNETES.get(reason)
    told = [(said["source"], [" ".join(said["says"].split())], said_of(about, said))
            for said in words(about)] if about else []
    told += [("Kubernetes", [], facts(pod("node-lost")))] if reason is Reason.NODE_LOST else []
    for source, lines, seen in told:
        found = diagnose_facts(seen)
        assert isinstance(found, Finding)
        if found.reason is reason:
            fixes = [Fix(fix.field, fix.value, fix.why) for fix in found.fixes]
            yield Example(source, lines, found.message, found.remedy, fixes)


def _from_sums(reason: Reason) -> Iterator[Example]:
    for title, source, gpu, spec in _UNFIT if reason is Reason.DOES_NOT_FIT else ():
        found = fit_of(judged(source, gpu, **spec)).finding
        assert found is not None
        assert found.reason is reason
        fixes = [Fix(fix.field, fix.value, fix.why) for fix in found.fixes]
        yield Example(title, [], found.message, found.remedy, fixes)


def _shown(example: Example) -> str:
    line = "".join(f"> `{text[:LINE_CHARS].replace('`', chr(39))}`\n>\n" for text in example.lines)
    fixes = "".join(f"\n* fix: `{fix.field}: {fix.value}` ({_plain(fix.why)})" for fix in example.fixes)
    return (
        f"Example ({_plain(example.source)}):\n\n{line}> {_plain(example.message)}\n\n"
        f"* next step: {_plain(example.remedy)}{fixes}\n"
    )


def _plain(text: str) -> str:
    """Text in which nothing is taken for Markdown."""
    return re.sub(r"([*_<>\[\]`#|])", r"\\\1", text)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
