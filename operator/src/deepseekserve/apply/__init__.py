"""Turns rendered manifests into live objects: missing ones created, drifted ones applied, strangers left alone.

I/O; stands between render and status. `apply` writes children in order and stops at the first that cannot be had;
`prune` deletes what is ours and no longer wanted, and is never called when something was in the way; `stop` is, when
no pods are asked for.
"""

from deepseekserve.apply.children import Outcome, apply
from deepseekserve.apply.compare import drift
from deepseekserve.apply.pruning import prune
from deepseekserve.apply.stopping import stop

__all__ = ["Outcome", "apply", "drift", "prune", "stop"]
