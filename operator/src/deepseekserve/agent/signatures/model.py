"""The model itself: where it is, whether it may be read, whether it is whole, whether this engine can run it."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Signature, Weight
from deepseekserve.agent.signatures.words import OWN_HOST

_MODEL_FILE = (
    r"config\.json|\.safetensors|\.bin\b|\.pth?\b|\.gguf|\.index\.json|generation_config|params\.json"
    r"|preprocessor_config|\.model\b|/models?/"
)

SIGNATURES = (
    Signature(
        Reason.CONTEXT_TOO_LONG,
        r"User-specified max_model_len \((?P<requested>\d+)\) is greater than the derived max_model_len"
        r"(?: \((?P<key>\w+)=(?P<limit>[\d.]+))?",
        "fail-max-model-len-too-large.log, GPU failure 091", statement=True,
        also=r"model_max_length=(?P<tokenizer>\d+)"),
    Signature(
        Reason.CONTEXT_TOO_LONG,
        r"max_model_len \(?=?(?P<requested>\d+)\)?.{0,80}(?:greater|larger|longer) than.{0,80}?"
        r"(?:position|sliding|derived|maximum)\D{0,60}(?P<limit>\d+)?",
        "config/model.py", statement=True),
    Signature(
        Reason.REMOTE_CODE_REQUIRED,
        r"(?:repository (?:for )?(?P<model>\S+) )?(?:contains|requires you to execute).{0,40}"
        r"(?:custom|configuration|modeling|tokenizer) (?:code|file)|`(?:--)?trust[_-]remote[_-]code(?:=True)?`"
        r"|[Pp]lease (?:pass|set).{0,60}trust_remote_code",
        "GPU failure 097", statement=True),
    Signature(
        Reason.MODEL_ACCESS_DENIED,
        r"GatedRepoError|access a gated repo|Access to model (?P<model>\S+) is (?:restricted|denied)"
        r"|403 (?:Client Error|Forbidden)|Cannot access gated repo|[Ii]nvalid (?:user )?token"
        r"|not in the authorized list"
        r"|awaiting a review",
        "huggingface_hub.errors, transformers"),
    Signature(
        Reason.MODEL_NOT_FOUND,
        r"RepositoryNotFoundError|RevisionNotFoundError|EntryNotFoundError: 404|Repository Not Found for url"
        r"|Revision Not Found|is not a valid model identifier|is not a valid git identifier",
        "GPU failures 094, 095", statement=True,
        also=r"Not Found for url: https?://[^/]+/(?:api/models/)?(?P<model>[\w.-]+/[\w.-]+)"
             r"|Error: (?P<name>\S+) is not a "
             r"(?:local folder|valid)"),
    Signature(Reason.MODEL_ACCESS_DENIED, r"401 Client Error|401 Unauthorized", "huggingface_hub"),
    Signature(
        Reason.HUB_UNREACHABLE,
        r"couldn't connect to '?https?://|OfflineModeIsEnabled|offline mode is enabled|LocalEntryNotFoundError"
        r"|outgoing traffic has been disabled|cannot find the (?:requested files|appropriate snapshot)"
        r"|Temporary failure in name resolution|Name or service not known|nodename nor servname|NameResolutionError"
        r"|Failed to resolve|ConnectTimeout|Network is unreachable|No route to host"
        r"|IncompleteSnapshotError|HfHubHTTPError: .{0,40}(?:429|50\d) "
        rf"|^(?:\w+\.)*(?:Proxy|SSL)Error|host='(?!{OWN_HOST})[^']+', port=\d+\): Max retries exceeded",
        "fail-hf-repo-nonetwork.log, vllm#1432, #3719"),
    Signature(
        Reason.HUB_UNREACHABLE,
        rf"^(?:requests\.exceptions\.ConnectionError(?!.*host='{OWN_HOST})|(?:httpx|httpcore)\.ConnectError)"
        r"|Data processing error: CAS service",
        "requests, httpx, hf_xet", weight=Weight.LIKELY),
    Signature(
        Reason.DOWNLOAD_STALLED, r"Read timed out|ReadTimeout|IncompleteRead|[Dd]ownload(?:ing)? (?:stalled|timed out)",
        "vllm-omni#2616", weight=Weight.LIKELY),
    Signature(
        Reason.CORRUPT_MODEL,
        r"(?:SafetensorError: )?Error while deserializing header: ?(?P<what>[\w ,]+)"
        r"|SafetensorError: (?!.*(?:No such file|[Pp]ermission|os error))(?P<kind>[\w ,]+)"
        r"|(?P<variant>MetadataIncompleteBuffer|InvalidHeader\w*|HeaderTooLarge|HeaderTooSmall|InvalidOffset"
        r"|TensorInvalidInfo)",
        "fail-safetensors-*.log, vllm#13899", statement=True),
    Signature(
        Reason.CORRUPT_MODEL,
        r"config file at '?(?P<path>[^']+?)'? is not a valid JSON file|git-lfs\.github\.com/spec",
        "fail-config-json-truncated.log", statement=True),
    Signature(
        Reason.TOKENIZER_ERROR,
        r"JSONDecodeError|UnicodeDecodeError|expected value at line \d+|EOF while parsing"
        r"|data did not match any variant"
        r"|expected .{1,20} at line \d+ column \d+",
        "tokenizers", frames=r"tokeniz|chat_template"),
    Signature(
        Reason.TOKENIZER_ERROR, r"^Exception: (?:expected|EOF|data did not match|invalid type|missing field"
                                r"|unknown variant)",
        "tokenizers"),
    Signature(
        Reason.CORRUPT_MODEL, r"^EOFError", "torch", frames=r"_weights_only_unpickler|torch/serialization"),
    Signature(
        Reason.CORRUPT_MODEL, r"JSONDecodeError|UnicodeDecodeError", "json", weight=Weight.LIKELY,
        frames=r"config|index|load_weights|safetensors|json\.load"),
    Signature(
        Reason.CORRUPT_MODEL,
        r"PytorchStreamReader|invalid load key|UnpicklingError|pickle data was truncated|unexpected EOF, expected"
        r"|[Cc]onsistency check failed|corrupt(?:ed)? (?:file|checkpoint|safetensors)|Ran out of input"
        r"|invalid magic number|Not a gguf file|GGUF magic invalid|failed finding central directory",
        "torch, huggingface_hub"),
    Signature(
        Reason.CORRUPT_MODEL, r"OSError: \[Errno 22\] Invalid argument", "torch.load", frames=r"PyTorchFileReader"),
    Signature(
        Reason.CORRUPT_MODEL,
        r"KeyError: 'weight_map'|Empty or invalid weight map|Invalid checkpoint index entry"
        r"|Value error, .{0,80}line \d+ column \d+ \(char"
        r"|divisible by num_kv_heads", "weight_utils.py, a broken quant_config.json, models"),
    # config.json is JSON, and not what a config is: a list, null, a number where a text should stand.
    Signature(
        Reason.CORRUPT_MODEL,
        r"Validation error for field '\w+'|Field '\w+' expected \w+, got \w+"
        r"|Missing required keys in `rope_parameters`"
        r"|(?P<config>rope_\w+ should have a 'rope_type' key|Found conflicts between 'rope_type=.*)",
        "transformers", weight=Weight.LIKELY),
    Signature(
        Reason.CORRUPT_MODEL, r"^(?:AttributeError|TypeError|KeyError|ZeroDivisionError): ", "transformers",
        weight=Weight.LIKELY, frames=r"transformers_utils/config|configuration_\w+\.py|transformers_utils/model_arch"),
    Signature(
        Reason.CORRUPT_MODEL, r"^(?:ValueError|AssertionError): (?P<config>.+)", "transformers_utils/configs",
        weight=Weight.VAGUE, frames=r"transformers_utils/configs/(?!eagle|k3_dspark|speculators)"),
    Signature(
        Reason.CORRUPT_MODEL,
        r"weights were not initialized from checkpoint: ?\{?'?(?P<tensor>[\w.]+)?|Tried to load weights of size"
        r"|Attempted to load weight \(.{0,80}into parameter|size mismatch for (?P<param>[\w.]+)"
        r"|could not determine the shape of object type|There is no module or parameter named '?(?P<module>[\w.]+)"
        r"|Missing keys? .{0,80}in loaded state|weight_scale .{0,80}was never loaded"
        r"|was not found in the checkpoint, so the tied weight|The file size different is more than 1%",
        "GPU failures 064, 065, 067; weight_utils.py"),
    Signature(
        Reason.CORRUPT_MODEL,
        r"^(?:\w+\.)*(?:KeyError: '?(?P<tensor>[\w.]+)|AssertionError|IndexError"
        r"|RuntimeError: (?:The size of tensor|start \(\d+\)|shape '|The expanded size of the tensor))",
        "models' load_weights", weight=Weight.LIKELY, frames=r"load_weights|weight_loader|default_weight_loader"),
    Signature(
        Reason.CORRUPT_MODEL,
        r"Should have a `model_type` key|No model architectures are specified|Unrecognized model in (?P<model>\S+)\."
        r"|does not have `num_attention_heads`|Could not determine the number of key-value",
        "transformers, registry.py", weight=Weight.LIKELY),
    Signature(
        Reason.TOKENIZER_ERROR,
        r"Can't load (?:the )?tokenizer|[Tt]okenizer class \S+ (?:does not exist|is not)|invalid tiktoken vocab file"
        r"|HarmonyError|Couldn't instantiate the backend tokenizer|Failed to load the tokenizer"
        r"|Could not find (?:tiktoken|tokenizer)\.model|[Nn]o tokenizer file"
        r"|error loading or downloading vocab|Converting from (?:Tiktoken|SentencePiece)"
        r"|could not parse ModelProto|Mistral tokenizer is present|tokenizer\.tok\.json not found",
        "GPU failures 058 to 060; sentencepiece; tokenizers/mistral.py, grok2.py"),
    Signature(
        Reason.TOKENIZER_ERROR,
        r"^(?:TypeError: not a string|AttributeError: 'NoneType' object has no attribute 'endswith')", "sentencepiece",
        frames=r"tokeniz|sentencepiece"),
    Signature(
        Reason.TOKENIZER_ERROR,
        r"supplied chat template string \((?P<path>[^)]{1,300})\) (?:appears path-like|looks like a file path)"
        r"|[Cc]hat template .{0,80}(?:not found|doesn't exist|does not exist|could not be)|jinja2\.exceptions"
        r"|TemplateSyntaxError",
        "fail-chat-template-missing.log"),
    Signature(
        Reason.TOKENIZER_ERROR,
        r"No such file or directory: '(?P<path>[^']*(?:token|vocab|merges|chat_template|\.jinja)[^']*)'", "python"),
    Signature(
        Reason.MODEL_NOT_FOUND,
        r"[Ii]nvalid repository ID or local directory specified: '?(?P<model>[^'\s]+)"
        r"|Repo id must (?:be in the form|use alphanumeric)|HFValidationError"
        r"|Cannot find any (?:safetensors )?(?:model )?weights with `(?P<folder>[^`]+)"
        r"|Could not detect config format for no config file|Incorrect path_or_model_id: '(?P<path>[^']+)"
        r"|No supported config format found in '?(?P<where>[^'\s]+)",
        "fail-no-config.log, fail-no-weights.log", also=r"Repo id must .{0,80}?: '(?P<model>[^']+)'"),
    Signature(
        Reason.MODEL_NOT_FOUND,
        r"does not appear to have (?:a|any) files? named (?P<file>[\w.,\s-]+?\.\w+)"
        r"|Can't load the (?:configuration|model) (?:of|for) '(?P<path>[^']+)'"
        r"|Can't load (?:feature extractor|image processor|processor) for"
        r"|Weight files referenced in index but missing: \{?'?(?P<missing>[^'}]+)"
        r"|No adapter found for (?P<adapter>\S+)|Could not find checkpoint files|Error no file named (?P<named>\S+)"
        r"|Failed to load mistral|No model weights found in: `[^`]+|/\S+ is not a file"
        r"|HfHubHTTPError: 404 "
        r"|[Mm]odel path .{0,200}does not exist|Downloaded GGUF files not found in|NotExistError: ",
        "transformers; weight_utils.py"),
    Signature(
        Reason.MODEL_NOT_FOUND,
        rf"No such file or directory: '?\"?(?P<path>[^'\"]*(?:{_MODEL_FILE})[^'\"]*)"
        r"|No such file or directory \(os error 2\)",
        "python, safetensors"),
    Signature(
        Reason.UNSUPPORTED_ARCHITECTURE,
        r"Model architectures \[(?P<arch>[^\]]+)\] are not supported"
        r"|Model architecture '?(?P<one>\w+)'? (?:is|was) .{0,40}(?:not supported|anymore)|was supported in vLLM until"
        r"|does not recognize this architecture|model type [`']?(?P<type>[\w.-]+)[`']? but Transformers"
        r"|has no vLLM implementation|is not supported in-tree|is not compatible with vLLM|Cannot find model module"
        r"|Unknown RoPE scaling type|GGUF model with architecture (?P<gguf>\S+) is not supported"
        r"|Unknown gguf model_type: (?P<gguf_type>\S+)"
        r"|(?P<attention>MLA|Sparse Attention) is not supported on (?:CPU|XPU)",
        "fail-unsupported-arch.log"),
    Signature(
        Reason.UNSUPPORTED_ARCHITECTURE, r"Model architectures \[(?P<arch>[^\]]+)\] failed to be inspected",
        "GPU failure 119", weight=Weight.LIKELY),
)
