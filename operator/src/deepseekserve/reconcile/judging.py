"""Turns a resource into its Fit, computed once for each edit of it.

Part of reconcile. What is computed is kept beside what it was computed from: a look that finds nothing new is free.
"""

from dataclasses import dataclass, field, replace

from deepseekserve import fits
from deepseekserve.api import DeepSeekServe
from deepseekserve.facts import Fit
from deepseekserve.kube import Key

ENFORCE = "Enforce"


@dataclass(frozen=True)
class Judge:
    """The last Fit of each resource."""

    _last: dict[Key, tuple[str, int, Fit]] = field(default_factory=dict)       # uid, generation

    def fit(self, serve: DeepSeekServe, *, is_new: bool) -> Fit:
        """Whether it can work; refused where it cannot and its revision is new. Raises InvalidSpec.

        A revision that is stored was admitted once: it goes on, whatever is known of it now.
        """
        who, found = serve.metadata, self._known(serve)
        if found is None:
            found = fits.fit_of(fits.judge(serve, fits.known_of(serve)))
            self._last[Key(who.namespace, who.name)] = (who.uid, who.generation, found)
        return replace(found, enforced=found.refused and is_new and serve.spec.rollout.admission == ENFORCE)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._last.pop(key, None)

    def _known(self, serve: DeepSeekServe) -> Fit | None:
        who = serve.metadata
        uid, generation, found = self._last.get(Key(who.namespace, who.name), ("", 0, None))
        return found if (uid, generation) == (who.uid, who.generation) else None
