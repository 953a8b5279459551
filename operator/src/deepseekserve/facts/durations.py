"""Turns the phases of starts that came to serve into how long such a start takes, and that into text and back.

Pure; kept with the revision, as an annotation of its ControllerRevision.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from deepseekserve.agent.reasons import ENGINE_PHASES, Phase
from deepseekserve.facts.moments import moment, rfc3339
from deepseekserve.facts.pods import PodFacts
from deepseekserve.facts.reports import AgentReport

NEWS_SHARE = 0.2              # figures that have moved by less are not written again
LONGEST_S = 30 * 86400.0


@dataclass(frozen=True)
class Took:
    """How long each phase of one start took."""

    served: str                           # RFC 3339: when that start began to serve
    seconds: Mapping[Phase, float]        # at least one is above 0

    @property
    def total(self) -> float:
        """Seconds of the whole start."""
        return sum(self.seconds.values())

    @property
    def text(self) -> str:
        """As `parse_took` reads it."""
        seconds = {phase.value: round(seconds) for phase, seconds in self.seconds.items()}
        return json.dumps({"served": self.served, "seconds": seconds}, separators=(",", ":"))

    def is_news_to(self, known: "Took | None") -> bool:
        """Tell whether this is a later start than the known one, and took notably more or less time somewhere."""
        if known is None:
            return True
        phases = {*self.seconds, *known.seconds}
        moved = sum(abs(self.seconds.get(phase, 0.0) - known.seconds.get(phase, 0.0)) for phase in phases)
        return self.served > known.served and moved > NEWS_SHARE * known.total


def last_took(pods: Iterable[PodFacts]) -> Took | None:
    """What the latest start of these pods took; None while none that serves can tell."""
    starts = [took for pod in pods if pod.ready and pod.report and (took := took_of(pod.report))]
    return max(starts, key=lambda took: took.served, default=None)


def took_of(report: AgentReport) -> Took | None:
    """What a start has taken, as it will be read again; None before it serves, and where its agent does not say."""
    last, since = report.phases[-1] if report.phases else (None, "")
    served = moment(since)
    if last is not Phase.SERVING or served is None:
        return None
    return parse_took(Took(rfc3339(served), passed_seconds(report)).text)


def passed_seconds(report: AgentReport) -> dict[Phase, float]:
    """How long each phase lasted that is over."""
    known = [(phase, at) for phase, since in report.phases if (at := moment(since))]
    return {phase: (end - begin).total_seconds() for (phase, begin), (_, end) in pairwise(known)}


def parse_took(text: object) -> Took | None:
    """Read what was written; None when it is missing, in another form, or what only a wrong clock can have told."""
    try:
        raw = json.loads(text) if isinstance(text, str) else {}
        told = {phase: raw["seconds"].get(phase.value) for phase in ENGINE_PHASES[:-1]}
        seconds = {phase: float(value) for phase, value in told.items() if value is not None}
        took = Took(raw["served"], seconds)
        return took if moment(took.served) and 0 < took.total < LONGEST_S and min(seconds.values()) >= 0 else None
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None
