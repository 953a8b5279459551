"""Turns RFC 3339 text into moments and back; Kubernetes writes whole seconds, agents may write fractions.

Pure; used by diagnose, status, reconcile and leader.
"""

from datetime import UTC, datetime


def moment(text: str) -> datetime | None:
    """Read a time; None when it is empty or none."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def rfc3339(at: datetime) -> str:
    """Write a time in UTC with whole seconds, as Kubernetes does."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_time(at: datetime) -> str:
    """Write a time in UTC with microseconds: Kubernetes' MicroTime, which Leases and Events want."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_since(text: str, now: datetime) -> float | None:
    """Seconds from a time to `now`; None when the text is no time."""
    at = moment(text)
    return (now - at).total_seconds() if at else None
