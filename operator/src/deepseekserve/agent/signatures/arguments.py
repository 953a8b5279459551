"""What the engine was told and cannot do: flags and their values, more devices than there are, a port, a path."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Signature, Weight

SIGNATURES = (
    Signature(
        Reason.TENSOR_PARALLEL_INDIVISIBLE,
        r"[Tt]otal number of attention heads \((?P<heads>\d+)\) must be divisible by "
        r"tensor parallel size \((?P<tp>\d+)\)",
        "fail-tp64.log, GPU failure 109", statement=True),
    Signature(
        Reason.TENSOR_PARALLEL_INDIVISIBLE,
        r"(?!.*divisible by num_kv_heads)(?:"
        r"(?P<size>\d+) is not divisible by (?P<tp>\d+)|must be divisible by (?:the )?(?:tensor[ _-]parallel|tp)"
        r"|not divisible by (?:the )?(?:tp|tensor)|(?:[Nn]umber of experts|heads).{0,60}divisible)",
        "vllm#414, #52435"),
    Signature(
        Reason.NOT_ENOUGH_DEVICES,
        r"World size \((?P<world>\d+)\) is larger than the number of available GPUs \((?P<gpus>\d+)\)"
        r"|Not enough allowed NUMA nodes to bind threads of (?P<workers>\d+) local "
        r"CPUWorkers.{0,40}?\[(?P<nodes>[\d, ]*)\]",
        "GPU failure 092, fail-tp2-one-numa.log", statement=True),
    Signature(
        Reason.NOT_ENOUGH_DEVICES,
        r"number of required \w+ exceeds the total number of available|Cannot provide a placement group"
        r"|(?:size|rank) .{0,30}(?:exceeds|out of bounds for) .{0,40}(?:devices|physical_gpu_ids|XPU)"
        r"|invalid device ordinal"
        r"|don't have enough GPUs|[Tt]ensor parallel size .{0,40}(?:exceed|larger than)"
        r"|Current node has no \w+ available",
        "ray_utils.py, gpu_worker.py"),
    Signature(
        Reason.PORT_IN_USE,
        r"\[[Ee]rrno (?:98|48)\]|[Aa]ddress already in use|EADDRINUSE"
        r"|port (?P<port>\d+) is already (?:in use|allocated)",
        "fail-port-in-use.log", also=r"\('[^']*', (?P<port>\d{2,5})\)|[Pp]ort:? (?P<number>\d{2,5})\b"),
    Signature(
        Reason.PORT_IN_USE, r"\[[Ee]rrno (?:98|48)\].{0,40}bind on address", "uvicorn", statement=True,
        also=r"\('[^']*', (?P<port>\d{2,5})\)"),
    Signature(
        Reason.PERMISSION_DENIED,
        r"PermissionError|\[Errno (?:13|30)\]|[Pp]ermission denied|os error (?:13|30)\b|Read-only file system"
        r"|problem when trying to write in your cache folder|is not (?:readable|writable)"
        r"|No usable temporary directory",
        "python, safetensors, huggingface_hub",
        also=r"'(?P<path>/[^']+)'|(?:at|in|file|open) (?P<where>/[\w./-]+)"),
    # safetensors says so of every file that it cannot open (Python's own error has an errno); the loader has just
    # listed the file, so it is there.
    Signature(
        Reason.PERMISSION_DENIED,
        r"FileNotFoundError: No such file or directory: [\"']?(?P<path>[^\"']+\.safetensors)\b",
        "safetensors 0.6, seen with the real engine on a file of mode 000"),
    Signature(
        Reason.INVALID_ARGUMENT, r"error: unrecognized arguments: (?P<flags>.+)", "GPU failures 024, 025",
        statement=True),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"error: argument (?P<flag>[-\w./, ]+?): invalid choice: (?P<value>'[^']*'|\S+) "
        r"\(choose from (?P<choices>[^)]*)",
        "fail-dtype-unknown.log", statement=True),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"error: argument (?P<flag>[-\w./, ]+?): (?P<complaint>.+)|error: (?P<ambiguous>ambiguous option: .+)"
        r"|error: (?P<required>the following arguments are required: .+)",
        "GPU failure 026; argparse", statement=True),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"[Ii]nvalid (?P<kind>tool call|reasoning) parser: (?P<value>[\w.-]+)"
        r"|(?P<complaint>(?:reasoning|tool) helper: '[^']*' not found|(?:Reasoning|Tool) parser '[^']*' not found\. "
        r"Available parsers: [\w., -]+|reasoning_parser\W{1,2}'[^']+'.{0,7} has not been registered)",
        "fail-tool-parser-unknown.log, abs_reasoning_parsers.py"),
    Signature(
        Reason.INVALID_ARGUMENT, r"Error: (?P<complaint>--[\w-]+ (?:requires|must|is not|does not|cannot|currently).+)",
        "fail-auto-tool-without-parser.log"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"(?P<complaint>Sleep mode is not supported[^.\[]*"
        r"|Selected backend .{0,80}is not valid for this configuration[^\[]*"
        r"|No model specified[^.]*|`?model`? should be provided as the first positional[^.]*)",
        "fail-sleep-mode-cpu.log, GPU failure 028"),
    Signature(
        Reason.INVALID_ARGUMENT, r"FileNotFoundError|IsADirectoryError|SSLError", "fail-ssl-missing.log",
        frames=r"load_cert_chain|ssl_certfile|ssl_context|create_ssl|load_verify_locations"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"(?P<complaint>gaierror.*|\[Errno 99\].*|Cannot assign requested address.*|OverflowError: bind.*)", "socket",
        frames=r"create_server_socket|\.bind\(|getaddrinfo|_bind"),
    Signature(
        Reason.INVALID_ARGUMENT, r"FileNotFoundError: (?P<complaint>.*)|YAMLError.*|yaml\.\w+\.\w+Error.*",
        "argparse_utils.py", frames=r"argparse_utils|load_config_file|_pull_args_from_config"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"(?P<complaint>VLLM_PORT '[^']*' appears to be a URI|Invalid value '[^']*' (?:for|in) \w+\.[^\[]*"
        r"|LoRA is not enabled[^.]*|Unknown (?:dtype|vLLM environment)[^.]*|Found "
        r"multiple config files[^.]*|Load format `\w+` is not supported|Unknown load_format: \w+"
        r"|With `vllm serve`, you should provide the model[^\[]*|Config file must be of a yaml[^\[]*"
        r"|No common block size for \d+|Could not load logging config\. File does not exist"
        r"|No tokenizer registered for tokenizer_mode[^.]*)",
        "envs.py, model_loader, worker/utils.py, logger.py, tokenizers/registry.py"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"ValueError: (?P<complaint>invalid literal for int[^:]*: '[^']*'|could not convert .+)", "envs.py",
        frames=r"vllm/envs\.py|ompmultiprocessing\.py|cpu_resource_utils\.py"),
    Signature(
        Reason.INVALID_ARGUMENT, r"error: (?P<complaint>Invalid JSON format for --[\w-]+: .+)", "cli_args.py",
        statement=True),
    Signature(
        Reason.INVALID_ARGUMENT, r"ModuleNotFoundError: (?P<complaint>No module named '[^']*')",
        "import_utils.py, a class named in a flag", frames=r"resolve_obj_by_qualname|middleware"),
    Signature(
        Reason.INVALID_ARGUMENT, r"IndexError: (?P<cut>list index out of range)",
        "argparse_utils.py, a flag without its value", frames=r"argparse_utils\.py"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"\d+ validation errors? for \w+ (?P<field>[a-z_]\w*(?:\.[a-z_]\w*)*)[\w.,\[\]-]* "
        r"(?P<complaint>(?:Input|Value|String|Extra|Unexpected).+?)"
        r"(?: \[type=|$)",
        "fail-gpu-mem-util-invalid.log"),
)

# Refusals whose wording is not known: looked up after all else.
REFUSALS = (
    Signature(
        Reason.INVALID_ARGUMENT, r"\d+ validation errors? for \w+.{0,40}?Value error, (?P<complaint>.+?)(?: \[type=|$)",
        "fail-max-num-batched-lt.log", weight=Weight.VAGUE),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"ArgumentTypeError: (?P<complaint>.+)"
        r"|^(?:\w+\.)*(?:ValueError|TypeError|AssertionError|NotImplementedError): (?P<why>.+)",
        "config, arg_utils.py", weight=Weight.VAGUE,
        frames=r"arg_utils\.py|cli_args\.py|argparse_utils|vllm/config/|create_engine_config|__post_init__"),
)
