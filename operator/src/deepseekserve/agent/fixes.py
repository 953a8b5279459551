"""Turns nothing into anything: one edit of the resource, as advice, reports and findings carry it.

At the very bottom of the flow, beside `reasons`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fix:
    """One edit of the resource that would help; the value is written as text.

    Of a list only one entry is known here: `instead_of` is what stands there, and no value takes it out.
    """

    field: str
    value: str
    why: str
    instead_of: str = ""

    def to_json(self) -> dict[str, str]:
        """Return what a report says of it."""
        said = {"field": self.field, "value": self.value, "why": self.why}
        return said | ({"insteadOf": self.instead_of} if self.instead_of else {})
