"""Quantization and dtype: what the checkpoint says, what was asked for, what the device can compute."""

from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Signature, Weight

SIGNATURES = (
    Signature(
        Reason.QUANTIZATION_MISSING_CONFIG,
        r"Cannot find the config file for (?P<method>[\w-]+)|Model quantization method is not specified in the config"
        r"|Cannot find any of \[.{0,200}\] in the model's quantization config"
        r"|(?:CompressedTensors|Quark|TorchAO)Config\.__init__\(\) missing \d+ required"
        r"|The export key should be included in the configurations of Quark"
        r"|Missing 'quant_algo' in quantization config"
        r"|Expected 'quantization' to be a dictionary in config",
        "fail-quant-awq-on-plain.log, vllm#1419", statement=True),
    Signature(
        Reason.QUANTIZATION_MISMATCH,
        r"Quantization method specified in the model config \((?P<checkpoint>[^)]*)\) does not match the quantization "
        r"method specified in the `?quantization`? argument \((?P<asked>[^)]*)\)",
        "fail-quant-mismatch-cli.log, GPU failure 103", statement=True),
    Signature(
        Reason.QUANTIZATION_MISMATCH,
        r"Quantization method specified in the model config|quantization method "
        r"specified in the `quantization` argument",
        "config/model.py", statement=True),
    Signature(
        Reason.QUANTIZATION_UNKNOWN,
        r"Unknown quantization method: ?(?P<method>[\w.-]*?)\.? Must be one of|Unknown quantization method"
        r"|Invalid quantization method: (?P<other>[\w-]+)|unknown quantization name"
        r"|argument (?:--quantization|-q)\S*: invalid choice: '(?P<choice>[^']*)'",
        "fail-quant-unknown.log, GPU failure 112", statement=True),
    Signature(
        Reason.DTYPE_UNSUPPORTED,
        r"(?P<dtype>[Bb]float16|[Ff]loat16) is only supported on GPUs with compute "
        r"capability of at least (?P<min>[\d.]+)\. "
        r"Your (?P<gpu>.{0,60}?) GPU has compute capability (?P<has>[\d.]+)",
        "GPU failure 106", statement=True),
    Signature(
        Reason.DTYPE_UNSUPPORTED,
        r"(?P<dtype>torch\.\w+|[Bb]float16|float16) is not supported for quantization "
        r"method (?P<method>\S+?)\. Supported "
        r"dtypes: \[(?:torch\.)?(?P<good>\w+)|does not support (?P<bad>float16)\. Reason"
        r"|[Bb]float16 is (?:only supported|not supported)|is not supported for quantization method"
        r"|dtype .{0,40}is not supported (?:on|by)|have bfloat16 accuracy known issue|Unknown dtype"
        r"|[Uu]nsupported dtype",
        "GPU failure 107; config/model.py", statement=True),
    Signature(
        Reason.DTYPE_UNSUPPORTED,
        r"No valid attention backend found.{0,120}\bdtype=torch\.(?P<dtype>float(?:32|64)).*\bdtype not supported"
        r"|^(?:\w+\.)*(?:RuntimeError|NotImplementedError): \"\w+\" not implemented for '(?P<bad>Half|BFloat16)'"
        r"|FlashAttention only supports? fp16 and bf16",
        "platforms/cuda.py from 0.11; torch"),
    Signature(
        Reason.QUANTIZATION_UNSUPPORTED,
        r"quantization method (?P<method>\S+) is not (?:currently )?supported for the current GPU"
        r"|Quantization scheme is not supported for",
        "vllm#1488, #14040", statement=True,
        also=r"(?:Min\w*|Required) capability: (?P<min>\d+).{0,40}?Current capability: (?P<has>\d+)"),
    Signature(
        Reason.QUANTIZATION_UNSUPPORTED,
        r"(?P<kind>FP8|NVFP4|INT8|fp8\w*|nvfp4) (?:KV cache|kv-cache)(?: dtype)? "
        r"(?:(?:is )?(?:not (?:yet )?|un)supported|on CPU requires|requires)"
        r"|No valid attention backend found.{0,160}kv_cache_dtype=(?!auto|bfloat16|float16)(?P<kv>\w+)",
        "GPU failures 071, 108", statement=True),
    Signature(
        Reason.QUANTIZATION_UNSUPPORTED,
        r"No compressed-tensors compatible scheme|Failed to find a kernel that can implement the (?P<scheme>\w+)"
        r"|no longer supports online quantization|quantization .{0,80}is (?:currently )?not (?:currently )?supported"
        r"|fp8\w* not supported|requires SM ?8[09]\+?|Marlin.{0,80}not supported|quantization method \S+ is deprecated"
        r"|Unsupported (?:num_bits|quantization config|ModelOpt)|quantization is (?:currently )?only supported"
        r"|only support(?:s|ed) .{0,30}quantiz|quantized weight shape. This can be caused by too large tensor parallel",
        "GPU failure 070, vllm#1427; layers/quantization", statement=True),
    Signature(
        Reason.QUANTIZATION_UNSUPPORTED,
        r"(?:does(?: not|n't) support|not compatible with) (?P<kv>FP8|fp8\w*|nvfp4) (?:KV cache|kv[-_]cache)",
        "attention/backends"),
    Signature(
        Reason.QUANTIZATION_UNSUPPORTED,
        r"\b[Nn]o (?:FlashInfer )?(?P<method>FP8|N[vV]F[pP]4|MXFP[48]|Int8|W\w+) MoE backends? (?:supports|available)"
        r"|(?P<scheme>FP8|NvFp4|MXFP4|Int8|W\w+) MoE backend .{0,60}does not support the deployment"
        r"|does not support (?P<other>\w+) quantization|not support BNB quantization"
        r"|(?:BitsAndBytes|BNB|8bit) .{0,60}is not supported|BitsAndBytes loader does not support"
        r"|Sparsity support has been removed",
        "layers/fused_moe/oracle from 0.13, vllm#35065; bitsandbytes_loader.py to 0.22"),
    Signature(
        Reason.QUANTIZATION_UNSUPPORTED,
        r"is not divisible by (?:weight quantization block|\s?min_thread|group_size ?=)",
        "fp8_utils.py, marlin_utils.py; distributed/utils.py from 0.31"),
    Signature(
        Reason.QUANTIZATION_UNSUPPORTED,
        r"\b_(?:C|C_cpu|moe_C|rocm_C)\b.{0,60}?(?:fp8|int8|fp4|awq|gptq|marlin"
        r"|scaled_mm)", "fail-quant-fp8-on-plain.log"),
    Signature(
        Reason.QUANTIZATION_UNSUPPORTED,
        r"^(?:\w+\.)*(?:NotImplementedError|RuntimeError|AttributeError|AssertionError|ValueError|KeyError)",
        "layers/quantization", weight=Weight.VAGUE, frames=r"layers/quantization/|scaled_mm|mixed_precision"),
)
