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
        r"|not divisible by (?:the )?(?:tp|tensor)|(?:[Nn]umber of experts|heads).{0,60}divisible"
        r"|layers \(\d+\) must be divisible by (?P<pipeline>pipeline) parallel"
        r"|[Tt]ensor parallel size \d+ is greater than the number of experts)",
        "vllm#414, #52435; config.py to 0.6; deepseek_v2.py"),
    Signature(
        Reason.NOT_ENOUGH_DEVICES,
        r"World size \((?P<world>\d+)\) is larger than the number of available GPUs \((?P<gpus>\d+)\)"
        r"|Not? enough allowed NUMA nodes to bind threads of (?P<workers>\d+) (?:local )?"
        r"CPUWorkers.{0,40}?\[(?P<nodes>[\d, ]*)\]",
        "GPU failure 092, fail-tp2-one-numa.log", statement=True),
    Signature(
        Reason.NOT_ENOUGH_DEVICES,
        r"(?:tensor_parallel_size|world_size) \((?P<world>\d+)\) (?:to|is|must be) less than .{0,60}\((?P<gpus>\d+)\)",
        "executor/mp_distributed_executor.py to 0.10, gpu_worker.py 0.11 to 0.22"),
    Signature(
        Reason.NOT_ENOUGH_DEVICES,
        r"number of required \w+ exceeds the total number of available|Cannot provide a placement group"
        r"|(?:size|rank) .{0,30}(?:exceeds|out of bounds for) .{0,40}(?:devices|physical_gpu_ids|XPU)"
        r"|invalid device ordinal"
        r"|don't have enough GPUs|[Tt]ensor parallel size .{0,40}(?:exceed|larger than)"
        r"|Current node has no \w+ available|adjusted local rank \d+ is out of bounds"
        r"|Error (?:setting|computing) .{0,60}: local range: \[|does not allocate any \w+ on the driver node"
        r"|Not enough (?:resources to allocate \d+|total available nodes)",
        "ray_utils.py, gpu_worker.py, v1/engine/core.py, v1/engine/utils.py"),
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
        Reason.INVALID_ARGUMENT,
        r"Error: (?P<complaint>--[\w-]+ (?:requires|must|is not|not supported|does not|cannot|currently).+)",
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
        r"(?P<address>gaierror.*|\[Errno 99\].*|Cannot assign requested address.*|OverflowError: bind.*)", "socket",
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
        r"(?P<attention>(?:No valid (?:CPU )?(?:attention|MLA prefill) backend found"
        r"|Selected MLA prefill backend \S+ is not valid|Invalid attention backend for"
        r"|Attention backend \S+ is not supported on|(?<!\S)\S{1,80} not supported for attention backend"
        r"|FlashAttention only supports? Ampere GPUs"
        r"|The selected backend, .{0,80}(?:does not support block|is not MLA type|is only supported on)"
        r"|Backend \S+ is not supported for vit attention|attention backends share no supported KV cache block).*)",
        "platforms/cuda.py, rocm.py, cpu.py, interface.py; vllm#31480, #32732", weight=Weight.LIKELY),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"(?P<complaint>[Pp]ipeline parallelism is not supported for this model.*"
        r"|current platform \S+ does not support ray.*|Unknown distributed executor backend.*"
        r"|(?:sum|len)\(partitions\)=\d+ does not match.*|Invalid partition string.*"
        r"|world_size \(\d+\) must be equal to the tensor_parallel_size.*|--device-ids (?:provides|has) \d+.*"
        r"|Remote engine \S+ must (?:not )?use --headless.*"
        r"|D(?:ecode Context Parallelism \(DCP\)|CP) requires attention impl.*|PCP requires attention.*)",
        "config.py to 0.9, executors, distributed/utils.py, cp_utils.py"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"(?P<complaint>[Ss]peculative [Dd]ecoding .{0,80}(?:not (?:yet )?(?:supported|implemented)|incompatible"
        r"|not support).*|spec decode is not supported.*|(?<!\S)\S{1,80} does not support speculative decoding.*"
        r"|Unknown speculative decoding method.*"
        r"|Model does not support EAGLE3 interface.*|EAGLE\w* (?:does not support TP|with pipeline parallel).*"
        r"|(?:Cannot import module|Invalid custom proposer|Custom proposer class).*)",
        "spec_decode, v1/spec_decode, gpu_model_runner.py"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"(?P<complaint>LoRA rank \d+ is greater than max_lora_rank.*|LoRA added vocab size \d+ is greater than.*"
        r"|(?<!\S)\S{1,80} (?:does(?: not|n't) support|is not supported for) LoRA\b.*|No supported LoRA modules found.*"
        r"|While loading \S+, expected target modules in.*|When using LoRA, vocab size must.*)",
        "lora, lora_model_runner_mixin.py"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"(?P<complaint>Model loader extra config is not supported.*|Unexpected extra config keys for.*"
        r"|model_loader_extra_config must be.*|(?:enable_multithread_load|num_threads|concurrency|memory_limit"
        r"|distributed) (?:must be a.*, got|does not support).*|(?<!\S)\S{1,80} is not an allowed Tensorizer argument.*"
        r"|Unrecognised GGUF reference.*|(?:Unknown|Unsupported) config format.*)",
        "model_loader; transformers_utils/config.py"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"(?P<complaint>Chunked MM input disabled but max_tokens_per_mm_item.*|CUDAGraphMode\.\w+ is not supported.*"
        r"|piecewise CUDA graphs \(cudagraph_mode=\w+\) unavailable.*|(?:UBatching|DBO) (?:is )?not supported.*"
        r"|moe_backend=\S+ (?:is not supported|does not (?:support|apply)).*|[Pp]refix caching is not supported.*"
        r"|kernel_block_size \d+ must divide.*|Model \S+ does not support any pooling tasks.*"
        r"|Cannot re-initialize the input batch when CPU weight offloading.*|reasoning parser could not locate.*"
        r"|Invalid middleware.*|(?:Failed to load (?:\S+ )?)?LogitsProcessor plugin.*|Invalid logits processor FQCN.*"
        r"|Invalid environment variable VLLM_\w+.*|Invalid value for VLLM_\w+.*"
        r"|VLLM_\w+ (?:'[^']*'|\(\d+\)) (?:must be|should) .*|VLLM_\w+(?:=\S+ requires| is set but) VLLM_.*"
        r"|VLLM_RAY_BUNDLE_INDICES (?:must|cannot) .*|Inconsistent GPU visibility env vars.*)",
        "encoder_cache_manager.py from 0.8, gpu_model_runner.py, envs.py, platforms, executors"),
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
        frames=r"arg_utils\.py|cli_args\.py|argparse_utils|vllm/config(?:/|\.py)|create_engine_config|__post_init__"
               r"|in check_and_update_config|in get_attn_backend_cls|in check_attention_cp_compatibility"
               r"|in create_dp_placement_groups|in run_(?:headless|multi_api_server)|dp_supervisor\.py"
               r"|executor\S*\.py\", line \d+, in _?(?:init_executor|check_\w+|get_parallel_sizes)"
               r"|v1/worker/\S+\.py\", line \d+, in validate_config"),
    # LoRA and speculation are there only when a flag asks for them.
    Signature(
        Reason.INVALID_ARGUMENT,
        r"^(?:\w+\.)*(?:ValueError|NotImplementedError): (?P<why>.*(?:\bnot (?:yet )?(?:support|compatible)"
        r"|incompatible|requires|must be|only support|[Ii]nvalid|[Uu]nknown|[Ee]xpected|greater than).*)",
        "lora, spec_decode", weight=Weight.VAGUE,
        frames=r"vllm/(?:\S*/)?(?:lora|spec_decode)/|transformers_utils/configs/(?:eagle|k3_dspark|speculators)"),
    Signature(
        Reason.INVALID_ARGUMENT,
        r"^(?:\w+\.)*(?:ValueError|NotImplementedError|AssertionError): "
        r"(?P<attention>.*(?:support|require|Head size|must be|only).*)",
        "attention/backends", weight=Weight.VAGUE,
        frames=r"attention/(?:backends/\S+|layer|mla_attention)\.py\", line \d+, in (?:__init__|get_kv_cache_shape)"),
)
