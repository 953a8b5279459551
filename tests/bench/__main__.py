"""`python -m tests.bench`, or `make bench`: measure the product, and write docs/performance.json and its tables.

A benchmark that is left out keeps the figures that it had. Progress goes to standard error.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import agent, operator, plan
from tests.bench.report import BenchError, Figures, page
from tests.cluster.errors import ClusterError
from tests.cluster.progress import say
from tests.integration.operating import ROOT
from tests.lab.kubectl import KubectlFailed
from tests.prerequisites import missing

DOCS = ROOT / "docs"
BENCHMARKS: Sequence[tuple[str, Callable[..., Figures]]] = (
    ("operator", operator.run), ("agent", agent.run), ("plan", plan.run))
HAVE_QUICK = frozenset({"operator"})


def main() -> int:
    """0 when the figures are written, 1 when something went wrong, 2 when the machine lacks something."""
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if lacking := missing():
        return _fail("\n".join(f"missing: {line}" for line in lacking), 2)
    try:
        measured = {name: measure(name, run, quick=asked.quick) for name, run in BENCHMARKS if name in asked.only}
        write(measured, asked.to)
    except (BenchError, ClusterError, KubectlFailed, AssertionError) as error:      # the last from `eventually`
        return _fail(str(error)[:2000], 1)
    return 0


def arguments() -> argparse.Namespace:
    """What was asked for."""
    known = [name for name, _ in BENCHMARKS]
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Measure the product; about 15 minutes on two idle cores.")
    parser.add_argument("--only", nargs="+", choices=known, default=known, help="not all of them")
    parser.add_argument("--quick", action="store_true",
                        help="50 resources instead of 1,000: for work on the benchmark, not for figures")
    parser.add_argument("--to", type=Path, default=DOCS, metavar="FOLDER",
                        help="where performance.json and performance.md are (default: docs)")
    return parser.parse_args()


def measure(name: str, run: Callable[..., Figures], *, quick: bool) -> Figures:
    """Run one benchmark, and say when and where that was."""
    began, options = time.monotonic(), {"quick": quick} if name in HAVE_QUICK else {}
    say(f"{name}: begins")
    figures = run(lambda text: say(f"{name}: {text}"), **options)
    return {"about": about(minutes=(time.monotonic() - began) / 60, quick=quick), "figures": figures}


def about(*, minutes: float, quick: bool) -> Mapping[str, Any]:
    """Date, commit and machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}", "commit": _commit(), "cores": os.cpu_count(),
        "memoryGib": round(memory), "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(), "minutes": round(minutes, 1), "quick": quick,
    }


def write(measured: Mapping[str, Figures], folder: Path) -> None:
    """Replace what was measured, in the JSON and then in the tables."""
    file, text = folder / "performance.json", folder / "performance.md"
    results = {**(json.loads(file.read_text()) if file.exists() else {}), **measured}
    file.write_text(json.dumps(results, indent=1) + "\n")
    text.write_text(page((text if text.exists() else DOCS / "performance.md").read_text(), results))
    say(f"written: {file} and {text}")


def _commit() -> str:
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "operator"], check=False).returncode
    return (commit.stdout.strip() or "unknown") + (" with changes that were not committed" if changed else "")


def _fail(why: str, code: int) -> int:
    print(why, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
