"""The model itself: where it is, whether it may be read, whether it is whole, whether this engine can run it."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Adviser, Advice, Case, Fix, Signature, Weight
from deepseekserve.agent.signatures.words import multiple_of_16

_MODEL_FILE = r"config\.json|\.safetensors|\.bin|\.pt|\.gguf|\.index\.json|generation_config|params\.json|preprocessor_config|\.model|\.py"

SIGNATURES = (
    Signature(Reason.CONTEXT_TOO_LONG,
              r"User-specified max_model_len \((?P<requested>\d+)\) is greater than the derived max_model_len"
              r"(?: \((?P<key>\w+)=(?P<limit>[\d.]+))?", "fail-max-model-len-too-large.log, GPU 091", statement=True,
              also=r"model_max_length=(?P<tokenizer>\d+)"),
    Signature(Reason.CONTEXT_TOO_LONG,
              r"max_model_len \((?P<requested>\d+)\).{0,80}(?:greater|larger|longer) than.{0,80}?"
              r"(?:position|sliding|derived|maximum)\D{0,60}(?P<limit>\d+)?", "config/model.py", statement=True),
    Signature(Reason.REMOTE_CODE_REQUIRED,
              r"(?:repository (?:for )?(?P<model>\S+) )?(?:contains|requires you to execute).{0,40}(?:custom|configuration|modeling) "
              r"(?:code|file)|trust_remote_code=True|--trust-remote-code", "GPU 097", statement=True),
    Signature(Reason.MODEL_ACCESS_DENIED,
              r"GatedRepoError|gated repo|Access to model (?P<model>\S+) is (?:restricted|denied)|403 (?:Client Error|Forbidden)"
              r"|Cannot access gated|Invalid (?:user )?token|not in the authorized list|awaiting a review",
              "huggingface_hub.errors"),
    Signature(Reason.MODEL_NOT_FOUND,
              r"RepositoryNotFoundError|RevisionNotFoundError|EntryNotFoundError: 404|Repository Not Found for url: (?P<url>\S+)"
              r"|is not a valid model identifier|is not a valid git identifier|Revision Not Found", "GPU 094, 095",
              statement=True, also=r"huggingface\.co/(?P<model>[\w.-]+/[\w.-]+)/|(?:Error: )(?P<name>\S+) is not a local folder"),
    Signature(Reason.MODEL_ACCESS_DENIED, r"401 Client Error|Unauthorized", "huggingface_hub"),
    Signature(Reason.HUB_UNREACHABLE,
              r"couldn't connect to '?https?://|OfflineModeIsEnabled|offline mode is enabled|LocalEntryNotFoundError"
              r"|outgoing traffic has been disabled|cannot find the (?:requested files|appropriate snapshot)"
              r"|Temporary failure in name resolution|Name or service not known|nodename nor servname|NameResolutionError"
              r"|Failed to resolve|Max retries exceeded|ConnectTimeout|Network is unreachable|No route to host"
              r"|(?:Proxy|SSL|MaxRetry)Error", "fail-hf-repo-nonetwork.log, threads"),
    Signature(Reason.DOWNLOAD_STALLED, r"(?:Read timed out|ReadTimeout|IncompleteRead|Download(?:ing)? (?:stalled|timed out))",
              "vllm-omni#2616", weight=Weight.LIKELY),
    Signature(Reason.CORRUPT_MODEL,
              r"Error while deserializing header: ?(?P<what>[\w ,]+)|SafetensorError: (?!.*(?:No such file|[Pp]ermission|os error 2\b))"
              r"(?P<kind>[\w ,]+)|MetadataIncompleteBuffer|InvalidHeader\w*|Header(?:TooLarge|TooSmall)|InvalidOffset",
              "fail-safetensors-*.log", statement=True),
    Signature(Reason.CORRUPT_MODEL,
              r"config file at '?(?P<path>[^']+)'? is not a valid JSON file|git-lfs\.github\.com/spec"
              r"|(?P<path2>\S+config\.json)\S* is not (?:a )?valid", "fail-config-json-truncated.log", statement=True),
    Signature(Reason.TOKENIZER_ERROR,
              r"JSONDecodeError|UnicodeDecodeError|expected value at line \d+|EOF while parsing|data did not match any variant",
              "tokenizers", frames=r"tokeniz|chat_template"),
    Signature(Reason.CORRUPT_MODEL, r"JSONDecodeError|UnicodeDecodeError", "json", weight=Weight.LIKELY,
              frames=r"config|index|load_weights|safetensors|json\.load"),
    Signature(Reason.CORRUPT_MODEL,
              r"PytorchStreamReader|invalid load key|UnpicklingError|pickle data was truncated|unexpected EOF, expected"
              r"|[Cc]onsistency check failed|corrupt(?:ed)? (?:file|checkpoint|safetensors)|not a gzip file|Ran out of input"
              r"|invalid magic number|Not a gguf file|GGUF magic invalid", "torch, huggingface_hub"),
    Signature(Reason.CORRUPT_MODEL,
              r"weights were not initialized from checkpoint: ?\{?'?(?P<tensor>[\w.]+)?|Tried to load weights of size"
              r"|Attempted to load weight \(.{0,80}into parameter|size mismatch for (?P<param>[\w.]+)"
              r"|could not determine the shape of object type|There is no module or parameter named '?(?P<module>[\w.]+)"
              r"|Missing keys? .{0,80}in loaded state|was never loaded", "GPU 064, 065, 067; weight_utils.py"),
    Signature(Reason.CORRUPT_MODEL,
              r"^(?:\w+\.)*(?:KeyError: '?(?P<tensor>[\w.]+\.(?:weight|bias|qweight|scales|weight_scale)\w*)|AssertionError$"
              r"|RuntimeError: (?:The size of tensor|start \(\d+\)|shape '|The expanded size of the tensor))", "models' load_weights",
              weight=Weight.LIKELY, frames=r"load_weights|weight_loader|default_weight_loader"),
    Signature(Reason.CORRUPT_MODEL,
              r"Should have a `model_type` key|No model architectures are specified|Unrecognized model in (?P<model>\S+)\."
              r"|does not have `num_attention_heads`|Could not determine the number of key-value",
              "transformers", weight=Weight.LIKELY),
    Signature(Reason.TOKENIZER_ERROR,
              r"Can't load (?:the )?tokenizer|[Tt]okenizer class \S+ (?:does not exist|is not)|invalid tiktoken vocab file"
              r"|HarmonyError|Couldn't instantiate the backend tokenizer|Failed to load the tokenizer"
              r"|Could not find (?:tiktoken|tokenizer)\.model|tokenizer file|[Nn]o tokenizer (?:file|registered)"
              r"|error loading or downloading vocab|Converting from (?:Tiktoken|SentencePiece)", "GPU 058 to 060"),
    Signature(Reason.TOKENIZER_ERROR,
              r"supplied chat template string \((?P<path>[^)]{1,300})\) (?:appears path-like|looks like a file path)"
              r"|[Cc]hat template .{0,80}(?:not found|doesn't exist|does not exist|could not be)|jinja2\.exceptions|TemplateSyntaxError",
              "fail-chat-template-missing.log"),
    Signature(Reason.TOKENIZER_ERROR, r"No such file or directory: '(?P<path>[^']*(?:token|vocab|merges|chat_template|\.jinja)[^']*)'",
              "python"),
    Signature(Reason.MODEL_NOT_FOUND,
              r"[Ii]nvalid repository ID or local directory specified: '?(?P<model>[^'\s]+)|Repo id must (?:be in the form|use alphanumeric)"
              r"|Cannot find any (?:safetensors )?(?:model )?weights with `(?P<folder>[^`]+)|HFValidationError"
              r"|Could not detect config format for no config file|Incorrect path_or_model_id: '(?P<path>[^']+)"
              r"|No supported config format found in '?(?P<where>[^'\s]+)",
              "fail-no-config.log, fail-no-weights.log", also=r"Repo id must .{0,80}?: '(?P<model>[^']+)'"),
    Signature(Reason.MODEL_NOT_FOUND,
              r"(?P<model>\S+) does not appear to have (?:a|any) files? named (?P<file>[\w.,\s-]+)|Can't load the (?:configuration|model) "
              r"(?:of|for) '(?P<path>[^']+)'|Can't load (?:feature extractor|image processor|processor) for"
              r"|Weight files referenced in index but missing: \{?'?(?P<missing>[^'}]+)"
              r"|Could not find checkpoint files|Error no file named|Failed to load mistral|no params\.json"
              r"|Model path .{0,200}does not exist|local model path .{0,200}not", "transformers; weight_utils.py"),
    Signature(Reason.MODEL_NOT_FOUND,
              rf"No such file or directory: '?(?P<path>[^']*(?:{_MODEL_FILE}|/models?/)[^']*)|No such file or directory \(os error 2\)",
              "python, safetensors", weight=Weight.ROOT),
    Signature(Reason.UNSUPPORTED_ARCHITECTURE,
              r"Model architectures \[(?P<arch>[^\]]+)\] are not supported|Model architecture '?(?P<one>\w+)'? (?:is|was) .{0,40}not supported"
              r"|was supported in vLLM until|does not recognize this architecture|model type [`']?(?P<type>[\w.-]+)[`']? but Transformers"
              r"|has no vLLM implementation|is not supported in-tree|is not compatible with vLLM|Cannot find model module",
              "fail-unsupported-arch.log"),
    Signature(Reason.UNSUPPORTED_ARCHITECTURE, r"Model architectures \[(?P<arch>[^\]]+)\] failed to be inspected", "GPU 119",
              weight=Weight.LIKELY),
)


def _context_too_long(case: Case) -> Advice:
    limits = [int(n) for key in ("limit", "tokenizer") if (n := case.number(key))]
    requested = case.word("requested")
    if not limits:
        return Advice(f"spec.engine.maxModelLen{' ' + requested if requested else ''} is above what the model allows.",
                      "Leave spec.engine.maxModelLen at Auto: the engine then takes the model's own length.",
                      (Fix("spec.engine.maxModelLen", "Auto", "the model's own length"),))
    limit = min(limits)
    value = str(multiple_of_16(limit) if limit > 16 else limit)
    return Advice(f"spec.engine.maxModelLen {requested} is above the model's {limit}.",
                  f"Set spec.engine.maxModelLen to {value} or less.",
                  (Fix("spec.engine.maxModelLen", value, f"the model's configuration allows {limit} tokens"),))


def _model_not_found(case: Case) -> Advice:
    missing = case.word("file") or case.word("missing")
    if missing:
        return Advice(f"The model lacks the file {missing.strip(' .,')}.",
                      "Put the missing file into the model's folder (download it again), or correct spec.model.source.")
    name = next((case.word(k) for k in ("model", "folder", "name", "path", "where") if case.word(k)), "")
    if "any" in case.text and "weights" in case.text:
        return Advice(f"The folder {name} holds no weights.",
                      "Finish the download of the model into that folder, or correct spec.model.source.")
    what = f"The model {name}" if name else "The model"
    return Advice(f"{what} does not exist: there is no such folder with a config.json, nor such a repository.",
                  "Correct spec.model.source: for pvc:// the path inside the claim, for hf:// owner/name and revision.")


def _access_denied(case: Case) -> Advice:
    return Advice(f"The hub refuses to hand out the model{' ' + case.word('model') if case.word('model') else ''}: it is gated or private.",
                  "Accept the model's terms on its page, and name a Secret with a token of that account in spec.model.tokenSecretRef.")


def _hub_unreachable(_: Case) -> Advice:
    return Advice("The model is not on disk, and the hub that should deliver it cannot be reached from the pod.",
                  "Give the pod a way to the hub (DNS, proxy variables in spec.engine.env), or put the model into a claim and set "
                  "spec.model.source to pvc://CLAIM/PATH.")


def _corrupt(case: Case) -> Advice:
    path = case.word("path") or case.word("path2")
    tensor = next((case.word(k) for k in ("tensor", "param", "module") if case.word(k)), "")
    what = case.word("what") or case.word("kind")
    if path:
        message = f"The file {path} is damaged: it is not valid JSON."
    elif what:
        hint = " (a Git LFS pointer instead of the file looks like this)" if "too large" in what else ""
        message = f"A safetensors file of the model is damaged: {what.strip()}{hint}."
    elif tensor:
        message = f"The weights do not match the model's configuration, for example {tensor}."
    else:
        message = "A file of the model is damaged, or the weights do not match its configuration."
    return Advice(message, "Download the model again (git lfs pull, or hf download) and compare sizes and checksums; nothing in the spec can help.")


def _architecture(case: Case) -> Advice:
    name = next((case.word(k) for k in ("arch", "one", "type") if case.word(k)), "").strip("'\" ")
    version = case.facts.known.get("version")
    return Advice(f"This engine{f' (vLLM {version})' if version else ''} does not know the architecture {name or 'of the model'}.",
                  "Set spec.engine.image to a newer vLLM that supports it, or choose another model in spec.model.source.")


def _remote_code(case: Case) -> Advice:
    return Advice(f"The model{' ' + case.word('model') if case.word('model') else ''} brings its own Python code, which runs only when it is trusted.",
                  "Read that code, then set spec.model.trustRemoteCode to true.",
                  (Fix("spec.model.trustRemoteCode", "true", "the model cannot be loaded without its own code"),))


def _tokenizer(case: Case) -> Advice:
    path = case.word("path")
    if "template" in case.text.lower():
        return Advice(f"The chat template{' ' + path if path else ''} cannot be used.",
                      "Correct or remove --chat-template in spec.engine.extraArgs.")
    return Advice(f"The model's tokenizer is missing or damaged{': ' + path if path else ''}.",
                  "Put the tokenizer's files (tokenizer.json, tokenizer_config.json) beside the weights, or download the model again.")


def _download_stalled(_: Case) -> Advice:
    return Advice("The download of the model stopped making progress.",
                  "Check the pod's way to the hub, or put the model into a claim and set spec.model.source to pvc://CLAIM/PATH.")


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
