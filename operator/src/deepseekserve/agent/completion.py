"""Turns a request for one token into the proof that the engine is usable, or the reason why it is not.

Used by `prober` before it says ready and by `canary` afterwards. "Healthy" is not usable: only a completion is.
"""

from dataclasses import dataclass

from deepseekserve.agent.client import Answer, EngineClient, Unanswered

# A base model has no chat template and a model may come without a tokenizer: text first, then a token's number.
_PROMPTS: tuple[object, ...] = ("1", [1])
_TRIES = 3
_BUSY = (429, 503)              # what servers and proxies in them say under load: neither works nor is broken


@dataclass(frozen=True)
class Refusal:
    """An answer that is no completion: the engine's complaint, and whether it only says that it is busy."""

    complaint: str
    busy: bool = False


def complete(client: EngineClient, timeout_s: float) -> Refusal | None:
    """Ask for one token; return None when it came, else what came instead. Raises Unanswered."""
    refusal = None
    for prompt in _PROMPTS:
        answer = client.post("/v1/completions", _request(client.model, {"prompt": prompt}), timeout_s)
        if answer.status == 200:
            return None if _has_choice(answer) else Refusal("/v1/completions answered 200 without a completion")
        refusal = Refusal(f"/v1/completions: {answer.complaint()}", answer.status in _BUSY)
        if not 400 <= answer.status < 500:
            break
    return refusal


def lacks_model(client: EngineClient, timeout_s: float) -> str | None:
    """Return None when /v1/models lists ours, else what it says instead. Raises Unanswered."""
    answer = client.get("/v1/models", timeout_s)
    if answer.status != 200:
        return f"/v1/models: {answer.complaint()}"
    content = answer.json()
    entries = content.get("data") if isinstance(content, dict) else None
    names = [str(e.get("id")) for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    if client.model in names:
        return None
    return f"/v1/models lists {', '.join(names[:10]) or 'nothing'}, not {client.model}"


def lacks_chat(client: EngineClient, timeout_s: float) -> str | None:
    """Try one chat request and say why chat does not work (no chat template, for example); None when it does.

    An engine that is only busy (5xx, no answer) is asked again and then believed.
    """
    request = _request(client.model, {"messages": [{"role": "user", "content": "1"}]})
    for _ in range(_TRIES):
        try:
            answer = client.post("/v1/chat/completions", request, timeout_s)
        except Unanswered:
            continue
        if answer.status == 200:
            return None
        if 400 <= answer.status < 500:
            return _why_no_chat(answer)
    return None


def _request(model: str, prompt: dict[str, object]) -> dict[str, object]:
    return {"model": model, "max_tokens": 1, "temperature": 0, "stream": False, **prompt}


def _has_choice(answer: Answer) -> bool:
    content = answer.json()
    return isinstance(content, dict) and bool(content.get("choices"))


def _why_no_chat(answer: Answer) -> str:
    complaint = answer.complaint()
    if "chat template" in complaint.lower() or "chat_template" in complaint.lower():
        return ("The model has no chat template (base models have none): /v1/completions works, /v1/chat/completions "
                "is refused. Add chat_template to its tokenizer_config.json, or pass one with --chat-template in "
                "spec.engine.extraArgs.")
    return f"/v1/completions works, but a chat request is refused: {complaint}"
