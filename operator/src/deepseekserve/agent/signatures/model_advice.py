"""What to do when the model cannot be found, read or run: sentences and edits."""

import re

from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case
from deepseekserve.agent.signatures.words import shorten

_AGAIN = ("Download the model again into the folder of spec.model.source (hf download, or git lfs pull), and compare "
          "sizes and checksums; the pod then starts by itself, and no field can help.")


def _context_too_long(case: Case) -> Advice:
    limits = [int(n) for key in ("limit", "tokenizer") if (n := case.number(key))]
    requested = case.word("requested")
    if not limits:
        return Advice(
            f"spec.engine.maxModelLen{' ' + requested if requested else ''} is above what the model allows.",
            "Set spec.engine.maxModelLen to Auto: the engine then takes the model's own length.",
            (Fix("spec.engine.maxModelLen", "Auto", "the model's own length"),))
    value = str(min(limits))
    return Advice(f"spec.engine.maxModelLen {requested} is above the model's {value}.",
                  f"Set spec.engine.maxModelLen to {value} or less.",
                  (Fix("spec.engine.maxModelLen", value, f"the model's configuration allows {value} tokens"),))


def _model_not_found(case: Case) -> Advice:
    missing = case.first("file", "missing", "named").strip(" .,")
    if missing:
        return Advice(f"The model lacks the file {shorten(missing, 160)}.",
                      "Put the missing file into the model's folder (download it again), or correct spec.model.source.")
    if folder := case.word("folder"):
        return Advice(
            f"The model's folder {folder} holds no weights (*.safetensors, *.bin or *.gguf).",
            "Download the model whole into that folder (hf download, or git lfs pull), or name another in "
            "spec.model.source; the pod then starts by itself.")
    name = shorten(case.first("model", "name", "path", "where"), 160)
    if re.search(r"\.(?:json|safetensors|bin|pt|gguf|model)$", name):
        return Advice(f"The file {name} does not exist.",
                      "Put the missing file into the model's folder (download it again), or correct spec.model.source.")
    what = f"The model {name}" if name else "The model"
    return Advice(f"{what} does not exist: there is no such folder with a config.json, nor such a repository.",
                  "Correct spec.model.source: for pvc:// the path inside the claim, for hf:// owner/name and revision.")


def _access_denied(case: Case) -> Advice:
    name = case.word("model")
    return Advice(
        f"The hub (huggingface.co, or what HF_ENDPOINT names) does not hand out the model{' ' + name if name else ''} "
        "without a token of somebody who may have it.",
        "Accept the model's terms on its page (of a private one ask its owner for access), and set "
        "spec.model.tokenSecretRef to name and key of a Secret with a token of that account; if it is set, the token "
        "is wrong or expired.")


def _hub_unreachable(_: Case) -> Advice:
    return Advice(
        "The model is not on disk, and the hub that should deliver it cannot be reached from the pod.",
        "Give the pod a way to the hub (DNS; proxy variables in spec.engine.env), or put the model into a claim and "
        "set "
        "spec.model.source to pvc://CLAIM/PATH.")


def _corrupt(case: Case) -> Advice:
    what, tensor = case.first("what", "kind", "variant").strip(), case.first("tensor", "param", "module")
    if path := case.word("path"):
        return Advice(f"The file {shorten(path, 160)} is damaged: it is not valid JSON.", _AGAIN)
    if what:
        hint = " (a Git LFS pointer in its place looks like this)" if re.search("too ?large", what, re.I) else ""
        return Advice(f"A weights file of the model is damaged: {what}{hint}.", _AGAIN)
    if tensor:
        return Advice(f"The weights do not match the model's configuration, for example {shorten(tensor, 80)}.", _AGAIN)
    if config := shorten(case.word("config")):
        return Advice(f"The model's configuration is not what the engine expects: {config}",
                      "Compare config.json with the one on the model's page, or choose a newer spec.engine.image.")
    return Advice("A file of the model is damaged or was not downloaded whole, or the weights are those of another "
                  "configuration than its config.json.", _AGAIN)


def _architecture(case: Case) -> Advice:
    name = case.first("arch", "one", "type", "gguf", "gguf_type").strip("'\" ")
    version = case.facts.known.get("version")
    if attention := case.word("attention"):
        return Advice(
            f"This engine{f' (vLLM {version})' if version else ''} has no {attention} for this device.",
            "Set spec.engine.image to a newer vLLM that has it, or choose another model in spec.model.source.")
    return Advice(
        f"This engine{f' (vLLM {version})' if version else ''} does not know the model architecture "
        f"{name or 'of the model'}.",
        "Set spec.engine.image to a newer vLLM that supports it, or choose another model in spec.model.source.")


def _remote_code(case: Case) -> Advice:
    name = case.word("model")
    return Advice(
        f"The model{' ' + name if name else ''} brings its own Python code, which runs only when it is trusted.",
        "Read that code, then set spec.model.trustRemoteCode to true.",
        (Fix("spec.model.trustRemoteCode", "true", "the model cannot be loaded without its own code"),))


def _tokenizer(case: Case) -> Advice:
    path = shorten(case.word("path"), 160)
    if "template" in case.text.lower() or path.endswith(".jinja"):
        return Advice(f"The chat template{' ' + path if path else ''} cannot be used.",
                      "Correct or remove --chat-template in spec.engine.extraArgs.")
    return Advice(
        f"The model's tokenizer, which turns text into numbers, is missing or damaged{': ' + path if path else ''}.",
        "Put tokenizer.json and tokenizer_config.json from the model's page into the folder of spec.model.source, in "
        "place of those that are there, or download the whole model into it again; the pod then starts by itself.")


def _download_stalled(_: Case) -> Advice:
    return Advice("The download of the model from its hub (huggingface.co, or what HF_ENDPOINT names) has stopped.",
                  "Check that the pod reaches it (DNS, proxy, NetworkPolicy) and has room for it on its disk, or "
                  "put the model into a PersistentVolumeClaim and set spec.model.source to pvc://CLAIM/PATH.")


ADVICE: dict[Reason, Adviser] = {
    Reason.CONTEXT_TOO_LONG: _context_too_long,
    Reason.MODEL_NOT_FOUND: _model_not_found,
    Reason.MODEL_ACCESS_DENIED: _access_denied,
    Reason.HUB_UNREACHABLE: _hub_unreachable,
    Reason.DOWNLOAD_STALLED: _download_stalled,
    Reason.CORRUPT_MODEL: _corrupt,
    Reason.UNSUPPORTED_ARCHITECTURE: _architecture,
    Reason.REMOTE_CODE_REQUIRED: _remote_code,
    Reason.TOKENIZER_ERROR: _tokenizer,
}
