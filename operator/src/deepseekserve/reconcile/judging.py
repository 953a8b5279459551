"""Turns a resource into what is judged of it, computed once for each edit.

Part of reconcile. What is computed is kept beside what it was computed from: a look that finds nothing new is free.
"""

from dataclasses import dataclass, field, replace

from deepseekserve import fits
from deepseekserve.api import DeepSeekServe
from deepseekserve.facts import Fit, Reading
from deepseekserve.kube import Key
from deepseekserve.revision import Revision, spec_hash
from deepseekserve.settings import Settings

ENFORCE = "Enforce"


@dataclass(frozen=True)
class Judged:
    """A resource with the numbers that were decided for it, and whether it can work.

    It names the image of its engine too where that is of another release than the tables of fits.
    """

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

    settings: Settings
    _last: dict[Key, tuple[object, Judged]] = field(default_factory=dict)       # with what it was judged by

    def judged(self, serve: DeepSeekServe, reading: Reading | None, stored: Revision | None) -> Judged:
        """Judge it, if it is not known; raises InvalidSpec."""
        who, read = serve.metadata, (reading.message, reading.why) if reading else None
        key, by = Key(who.namespace, who.name), (who.uid, who.generation, read, stored and stored.name)
        last = self._last.get(key)
        if last and last[0] == by:
            return last[1]
        image = stored.image if stored else self.settings.engine_image(serve.spec.engine.device)
        asked, arguments = fits.with_image(serve, image), stored.arguments if stored else None
        verdict = fits.judge(asked, fits.known_of(serve, reading), arguments)
        fit = fits.fit_of(verdict)
        # A refusal must outlive its Job, be it that nothing could be read.
        kept = reading.text if reading and (fit.refused or reading.has_config) else ""
        found = Judged(verdict.case.serve, replace(fit, spec_hash=spec_hash(serve), read=kept))
        self._last[key] = (by, found)
        return found

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._last.pop(key, None)
