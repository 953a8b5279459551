"""Turns what observe saw (raw pods and Events, a Deployment, agents' reports) into frozen values, to compare and keep.

Pure; stands between observe and diagnose. What is missing or strange in a raw object becomes an empty value, never an
exception: a decision must not fail because a pod was read half-written.
"""

from deepseekserve.facts.asks import Asks, Reference
from deepseekserve.facts.checkpoints import DamagedSummary, parse_summary
from deepseekserve.facts.durations import Took, last_took, parse_took
from deepseekserve.facts.events import parse_events
from deepseekserve.facts.findings import Finding, Fix
from deepseekserve.facts.fit import FITS, REFUSED, UNKNOWN, Amounts, Fit
from deepseekserve.facts.pods import Ended, Mounting, Neighbour, PodFacts, Trouble, parse_pod
from deepseekserve.facts.readings import UNREAD, Reading, kept_reading, parse_reading
from deepseekserve.facts.reports import AgentReport, parse_message, parse_report
from deepseekserve.facts.resource import Facts, parse_refusal

__all__ = [
    "FITS", "REFUSED", "UNKNOWN", "UNREAD", "AgentReport", "Amounts", "Asks", "DamagedSummary", "Ended", "Facts",
    "Finding", "Fit", "Fix", "Mounting", "Neighbour", "PodFacts", "Reading", "Reference", "Took",
    "Trouble", "kept_reading", "last_took", "parse_events", "parse_message", "parse_pod", "parse_reading",
    "parse_refusal", "parse_report", "parse_summary", "parse_took",
]
