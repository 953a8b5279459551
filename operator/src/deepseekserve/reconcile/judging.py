"""Turns a resource into what is judged of it, computed once for each edit.

Part of reconcile. What is computed is kept beside what it was computed from: a look that finds nothing new is free.
"""

from dataclasses import dataclass, field, replace

from deepseekserve import fits
from deepseekserve.api import DeepSeekServe
from deepseekserve.facts import Fit
from deepseekserve.kube import Key

ENFORCE = "Enforce"


@dataclass(frozen=True)
class Judged:
    """A resource with the numbers that were decided for it, and whether it can work."""

    serve: DeepSeekServe
    found: Fit

    def fit(self, *, is_new: bool) -> Fit:
        """Refused where it cannot work and its revision is new.

        A revision that is stored was admitted once: it goes on, whatever is known of it now.
        """
        enforced = self.found.refused and is_new and self.serve.spec.rollout.admission == ENFORCE
        return replace(self.found, enforced=enforced)


@dataclass(frozen=True)
class Judge:
    """What was judged last of each resource."""

    _last: dict[Key, tuple[str, int, Judged]] = field(default_factory=dict)       # uid, generation

    def judged(self, serve: DeepSeekServe) -> Judged:
        """Judge it, if it is not known; raises InvalidSpec."""
        who = serve.metadata
        key = Key(who.namespace, who.name)
        uid, generation, last = self._last.get(key, ("", 0, None))
        if last and (uid, generation) == (who.uid, who.generation):
            return last
        verdict = fits.judge(serve, fits.known_of(serve))
        found = Judged(verdict.case.serve, fits.fit_of(verdict))
        self._last[key] = (who.uid, who.generation, found)
        return found

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._last.pop(key, None)
