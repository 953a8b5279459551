"""Turns the engine's HTTP answers into readiness: first whether it is usable, then whether it still answers.

Ready means: the log has announced the server (or cannot be read any more, or a server has answered for 20 s without a
word in the log), /v1/models lists the model, and one completion has succeeded since this engine started.
This thread alone writes the attributes; `supervisor` and the probes' pages read them.
"""

import threading

from deepseekserve.agent.canary import Canary
from deepseekserve.agent.client import Answer, EngineClient, Unanswered
from deepseekserve.agent.clock import Clock
from deepseekserve.agent.completion import lacks_model
from deepseekserve.agent.limits import Limits
from deepseekserve.agent.reading import Reading
from deepseekserve.agent.vitals import Load, read_load


class Prober(threading.Thread):
    """Asks the engine: tightly around the moment that it becomes ready, gently before and after."""

    def __init__(self, client: EngineClient, canary: Canary, reading: Reading, clock: Clock, limits: Limits) -> None:
        super().__init__(name="prober", daemon=True)
        self._client = client
        self._canary = canary
        self._reading = reading
        self._clock = clock
        self._limits = limits
        self._open_since: float | None = None
        self._next_look = 0.0
        self._next_scrape = 0.0
        self._over = threading.Event()
        self._last_load: Load | None = None
        self.draining = False                     # set by `supervisor`: look at the queue often
        self.ready_at: float | None = None        # first readiness of this engine
        self.unannounced = False                  # it came without a word in the log
        self.error: str | None = None             # why the engine is not ready
        self.answered_at = 0.0                    # last HTTP answer, whatever it said
        self.failing_since: float | None = None   # health checks have failed since
        self.load: Load | None = None             # None: the last look at the metrics failed
        self.load_at = 0.0
        self.queued_since: float | None = None    # requests have run or waited since, without a break
        self.proof_at = 0.0                       # when work was last seen to move
        self.tokens_at = 0.0                      # when tokens were last seen to come, whoever asked for them

    def is_ready(self, now: float) -> bool:
        """Tell whether the engine was usable once and answers now."""
        return (self.ready_at is not None and self.failing_since is None
                and now - self.answered_at < self._limits.unready_s)

    def requests(self, now: float) -> float | None:
        """Return how many requests run and wait, None when that is not known or no longer fresh."""
        load = self.load                          # once: our thread may replace it at any time
        return None if load is None or now - self.load_at > self._limits.quiet_s else load.requests

    def stop(self) -> None:
        """End the thread at its next step."""
        self._over.set()

    def run(self) -> None:
        """Step for ever; whatever goes wrong in a step is an answer that did not come, never an end of probing."""
        delay_s = 0.0
        while not self._over.wait(delay_s):
            try:
                delay_s = self._approach() if self.ready_at is None else self._watch()
            except Exception as error:  # noqa: BLE001  a wrapper must never be the reason for an outage
                self.error = f"{type(error).__name__}: {error}"
                delay_s = self._limits.health_s

    def _approach(self) -> float:
        """One step on the way to readiness; return the seconds until the next."""
        limits = self._limits
        if not self._reading.is_announced(self._clock()) and not self._answers_unannounced():
            return limits.poll_s
        try:
            complaint = lacks_model(self._client, limits.request_s) or self._canary.complete()
        except Unanswered as unanswered:
            self.error = str(unanswered)
            return limits.poll_s
        if complaint:
            self.error = complaint
            return limits.retry_s
        self._become_ready()
        return 0.0

    def _answers_unannounced(self) -> bool:
        """Tell whether a server has answered for long although the log is silent (log levels can be turned down)."""
        now = self._clock()
        if now >= self._next_look:
            self._next_look = now + self._limits.blind_poll_s
            try:
                self._client.get("/health", min(1.0, self._limits.request_s))
            except Unanswered:
                self._open_since = None
            else:
                self._open_since = self._open_since or now
        self.unannounced = self._open_since is not None and now - self._open_since >= self._limits.unannounced_s
        return self.unannounced

    def _become_ready(self) -> None:
        self._reading.serve()                     # before anything is asked whose failure the log could tell
        self.error = None
        self.proof_at = self.answered_at = self.ready_at = self._clock()
        self._canary.start()

    def _watch(self) -> float:
        """One look at the health and, less often, at the metrics of an engine that has been ready."""
        limits = self._limits
        try:
            self._judge_health(self._client.get("/health", limits.unresponsive_s))
        except Unanswered as unanswered:
            self.error = str(unanswered)
            self.failing_since = self.failing_since or self._clock()
        if self.draining or self._clock() >= self._next_scrape:
            self._next_scrape = self._clock() + limits.scrape_s
            self._read_metrics()
        return limits.drain_poll_s if self.draining else limits.health_s

    def _judge_health(self, answer: Answer) -> None:
        self.answered_at = self._clock()
        if answer.status < 500:
            self.failing_since = self.error = None
            return
        self.error = f"/health: {answer.complaint()}"
        self.failing_since = self.failing_since or self.answered_at

    def _read_metrics(self) -> None:
        """Note what waits, and since when, and whether anything has moved since the last look.

        What the last look saw stands until the answer is here: a drain must not take the wait for unrest.
        """
        try:
            answer = self._client.get("/metrics", self._limits.unresponsive_s)
        except Unanswered:
            self.load = None
            return
        now = self.answered_at = self._clock()
        load = read_load(answer.body.decode(errors="replace")) if answer.status == 200 else None
        if load is None:
            self.load = None
            return
        if self._last_load is None or load.mark != self._last_load.mark:
            self.proof_at = now
        if self._last_load is None or load.tokens != self._last_load.tokens:
            self.tokens_at = now
        self.load_at = now
        self.load = self._last_load = load
        self.queued_since = (self.queued_since or now) if load.requests > 0 else None
