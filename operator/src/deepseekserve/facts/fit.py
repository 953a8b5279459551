"""Turns nothing into anything: what was computed of a resource before anything of it started.

Pure; made from a verdict of `fits`, shown by status.
"""

from dataclasses import dataclass

from deepseekserve.facts.findings import Finding

FITS, REFUSED, UNKNOWN = "True", "False", "Unknown"


@dataclass(frozen=True)
class Amounts:
    """The terms of the sum, in bytes of one device, and the context in tokens that they are for."""

    weights: int
    token: int                    # of KV cache
    overhead: int
    available: int | None         # None: no limit is known
    context: int
    tokens: int | None = None     # that the KV cache is to hold; None: nothing limits it


@dataclass(frozen=True)
class Fit:
    """Whether the resource can work: True, False or Unknown, as the status of a condition."""

    status: str
    message: str
    finding: Finding | None = None         # why not
    amounts: Amounts | None = None
    spec_hash: str = ""                    # of the spec that was judged
    read: str = ""                         # of the model's files, where they were
    enforced: bool = False                 # no pod is made for it
    pending: bool = False                  # nothing is decided yet: its model is being read
    warnings: tuple[str, ...] = ()         # what may go wrong all the same

    @property
    def refused(self) -> bool:
        """It cannot work."""
        return self.status == REFUSED
