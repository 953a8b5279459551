"""Turns statuses into the lines that the demo prints."""

import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.lab.kubectl import Kubectl, Object
from tests.lab.watch import condition


def line(text: str) -> None:
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


def paragraph(title: str, text: str) -> None:
    """A titled text, wrapped to the width of a terminal."""
    line(textwrap.fill(text, 110, initial_indent=f"  {title + ':':9}", subsequent_indent=" " * 11))


def table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Two columns under a title."""
    kept = list(rows)
    width = max((len(left) for left, _ in kept), default=0)
    line(f"\n{title}")
    for left, right in kept:
        line(f"  {left:{width}}  {right}")


@dataclass
class Phases:
    """Shows each change of a start as it comes, and remembers when each phase began."""

    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    at: list[tuple[str, float]] = field(default_factory=list)
    last: str = ""

    def show(self, resource: Object) -> bool:
        """Print what changed, if anything did; always true, so that it can stand in a predicate."""
        status = resource.get("status", {})
        phase, startup = status.get("phase", ""), status.get("startup", {})
        shown = startup.get("phase") or phase
        if not shown:
            return True
        now = time.monotonic() - self.began
        if not self.at or self.at[-1][0] != shown:
            self.at.append((shown, now))
        ready = condition(resource, "Ready").get("status", "Unknown")
        reason = status.get("failure", {}).get("reason", "")
        text = f"{phase:16} {progress(startup):5} {ready:8} {reason}"
        if text != self.last:
            self.say(f"  {now:6.1f} s  {text.rstrip()}")
            self.last = text
        return True

    def seconds(self) -> Sequence[tuple[str, str]]:
        """How long each phase lasted, in the order in which they came."""
        ends = [when for _, when in self.at[1:]]
        return [(name, f"{end - when:.1f} s") for (name, when), end in zip(self.at, ends, strict=False)]


def progress(startup: Object) -> str:
    """The percentage of a start as shown to people; empty while there is none."""
    percent = startup.get("percent")
    return "" if percent is None else f"{percent} %"


def last_events(kubectl: Kubectl, name: str) -> None:
    """The resource's Events, as `kubectl events` prints them."""
    printed = kubectl("events", "--for", f"deepseekserve/{name}").rstrip()
    line(f"\nevents\n{textwrap.indent(printed, '  ')}")
