"""Turns a wish for proof into one real completion, on a thread of its own that may hang as long as the engine does.

Started by `prober` at the moment of readiness: looks once whether chat works, then waits for `supervisor` to ask.
"""

import contextlib
import threading
from collections.abc import Callable

from deepseekserve.agent.client import EngineClient, Unanswered
from deepseekserve.agent.clock import Clock
from deepseekserve.agent.completion import Refusal, complete, lacks_chat


class Canary(threading.Thread):
    """Sends one-token requests, one at a time; the attributes are written here and read by `supervisor`."""

    def __init__(self, client: EngineClient, clock: Clock, timeout_s: float) -> None:
        super().__init__(name="canary", daemon=True)
        self._client = client
        self._clock = clock
        self._timeout_s = timeout_s          # beyond every verdict: a hung request must stay visible in `since`
        self._wanted = threading.Event()
        self.since: float | None = None      # when the request in flight was sent
        self.asked_at = 0.0                  # when the last request ended, however it did
        self.proof_at = 0.0                  # when a completion last succeeded
        self.refused_since: float | None = None      # completions have been answered since, and none has succeeded
        self.refusal: Refusal | None = None          # the last of them
        self.completions = 0
        self.chat: str | None = None         # why chat does not work, "" when it does, None before that is known

    def send(self) -> None:
        """Ask for one completion; does nothing while one is in flight."""
        self._wanted.set()

    def run(self) -> None:
        """Look at chat once, then complete whenever asked."""
        self._ask(self._look_at_chat)
        while True:
            self._wanted.wait()
            self._ask(self.complete)
            self._wanted.clear()

    def _ask(self, request: Callable[[], object]) -> None:
        self.since = self._clock()
        with contextlib.suppress(Unanswered):                # a closed port is the health check's business
            request()
        self.since, self.asked_at = None, self._clock()

    def _look_at_chat(self) -> None:
        self.chat = lacks_chat(self._client, self._timeout_s) or ""

    def complete(self) -> str | None:
        """Ask for one token now; return the engine's complaint, None for success. Raises Unanswered."""
        refusal, now = complete(self._client, self._timeout_s), self._clock()
        if refusal is None:
            self.completions += 1
            self.proof_at = now
        self.refused_since = None if refusal is None or refusal.busy else self.refused_since or now
        self.refusal = refusal
        return refusal.complaint if refusal else None
