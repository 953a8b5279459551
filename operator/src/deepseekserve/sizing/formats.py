"""Turns a checkpoint's quantization_config into a Format: how many bytes a quantized matrix takes.

Pure. A format that is not here is NotSizedError: its scales and exceptions are not known.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from deepseekserve.sizing.shape import NotSizedError, divided

_ONE_SCALE = 1 << 40                   # a group so large that there is one scale for all


@dataclass(frozen=True)
class Format:
    """Weights of `bits`, and one scale for each tile of `rows` outputs by `columns` inputs."""

    method: str
    bits: int
    rows: int = 1
    columns: int = _ONE_SCALE
    scale_bytes: int = 2
    zeros: bool = False                # a zero point of `bits` beside each scale
    only: str = ""                     # part of the names of what is quantized; empty: all that can be
    fp8_cache: bool = False            # the checkpoint has scales for a KV cache in FP8, which is then taken unasked
    ignored: tuple[str, ...] = ()      # names, parts of names or re:patterns of what is left as it was

    def pieces(self, outputs: int, inputs: int) -> tuple[int, int, int]:
        """Bytes of a quantized matrix, its scales and its zero points."""
        tiles = divided(outputs, self.rows) * divided(inputs, self.columns)
        zeros = divided(tiles * self.bits, 8) if self.zeros else 0
        return divided(outputs * inputs * self.bits, 8), tiles * self.scale_bytes, zeros

    def touches(self, name: str) -> bool:
        """Whether the matrix of this full name is quantized."""
        return self.only in name and not any(_fits(pattern, name) for pattern in self.ignored)


def method_of(config: Mapping[str, Any]) -> str | None:
    """The method that a config.json says its weights were quantized by; None for a plain checkpoint."""
    described = config.get("quantization_config") or config.get("compression_config")
    if not isinstance(described, Mapping):
        return None
    return str(described.get("quant_method") or "").lower() or None


def read_format(config: Mapping[str, Any], asked: str | None) -> Format | None:
    """The format in memory: the checkpoint's, else what is `asked` of a plain one while it loads; None for neither."""
    described = config.get("quantization_config") or config.get("compression_config")
    method = method_of(config)
    if method is None or not isinstance(described, Mapping):
        return _ONLINE.get(asked or "")
    reader = _READERS.get(method)
    if reader is None:
        raise NotSizedError(f"no formula for weights quantized by {method[:80]}")
    return reader(described)


def _fp8(described: Mapping[str, Any]) -> Format:
    block = described.get("weight_block_size")
    ignored = _names(described.get("ignored_layers") or described.get("modules_to_not_convert"))
    if _is_block(block):
        return Format("fp8", 8, rows=block[0], columns=block[1], scale_bytes=4, ignored=ignored)
    return Format("fp8", 8, rows=_ONE_SCALE, scale_bytes=4, ignored=ignored)


def _is_block(block: Any) -> TypeGuard[list[int]]:
    return isinstance(block, list) and len(block) == 2 and all(isinstance(size, int) and size > 0 for size in block)


def _awq(described: Mapping[str, Any]) -> Format:
    return Format("awq", _bits(described, "bits", "w_bit"), columns=_group(described, "group_size", "q_group_size"),
                  zeros=described.get("zero_point") is not False,
                  ignored=_names(described.get("modules_to_not_convert")))


def _gptq(described: Mapping[str, Any]) -> Format:
    return Format("gptq", _bits(described, "bits"), columns=_group(described, "group_size"),
                  zeros=described.get("sym") is False)


def _compressed(described: Mapping[str, Any]) -> Format:
    groups = described.get("config_groups")
    found = [group.get("weights") for group in groups.values() if isinstance(group, Mapping)] if isinstance(
        groups, Mapping) else []
    if not found or not isinstance(found[0], Mapping) or any(weights != found[0] for weights in found):
        raise NotSizedError("no formula for weights of several formats")
    weights, block = found[0], found[0].get("block_structure")
    rows, columns = {
        "group": (1, _group(weights, "group_size")), "tensor_group": (1, _group(weights, "group_size")),
        "channel": (1, _ONE_SCALE), "tensor": (_ONE_SCALE, _ONE_SCALE),
        "block": (block[0], block[1]) if _is_block(block) else (128, 128),
    }.get(str(weights.get("strategy")), (1, _ONE_SCALE))
    in_one_byte = weights.get("strategy") == "tensor_group" or "mxfp4" in str(described.get("format"))
    return Format("compressed-tensors", _bits(weights, "num_bits"), rows=rows, columns=columns,
                  scale_bytes=1 if in_one_byte else 2, zeros=weights.get("symmetric") is False,
                  fp8_cache=described.get("kv_cache_scheme") is not None, ignored=_names(described.get("ignore")))


def _modelopt(described: Mapping[str, Any]) -> Format:
    ignored = _names(described.get("ignore") or described.get("exclude_modules"))
    named, scheme = str(described.get("quant_algo")).upper(), described.get("kv_cache_scheme")
    is_fp8 = isinstance(scheme, Mapping) and [scheme.get(key) for key in ("num_bits", "type", "dynamic")] == _FP8_CACHE
    in_fp8 = is_fp8 or str(described.get("kv_cache_quant_algo")).upper() == "FP8"
    if named == "FP8":
        return Format("modelopt", 8, rows=_ONE_SCALE, scale_bytes=4, fp8_cache=in_fp8, ignored=ignored)
    if named == "NVFP4":
        return Format("modelopt_fp4", 4, columns=16, scale_bytes=1, fp8_cache=in_fp8, ignored=ignored)
    raise NotSizedError(f"no formula for weights quantized by modelopt as {named[:80]}")


def _bitsandbytes(described: Mapping[str, Any]) -> Format:
    ignored = _names(described.get("llm_int8_skip_modules"))
    if described.get("load_in_4bit"):
        return Format("bitsandbytes", 4, columns=64, ignored=ignored,
                      scale_bytes=1 if described.get("bnb_4bit_use_double_quant") else 4)
    return Format("bitsandbytes", 8, ignored=ignored, scale_bytes=4)


def _bits(described: Mapping[str, Any], *names: str) -> int:
    bits = next((described[name] for name in names if name in described), None)
    if bits in (2, 3, 4, 5, 6, 8):
        return int(bits)
    raise NotSizedError(f"no formula for weights of {str(bits)[:20]} bits")


def _group(described: Mapping[str, Any], *names: str) -> int:
    """Inputs that share a scale; -1, or nothing, is all of them."""
    size = next((described[name] for name in names if name in described), None)
    return size if isinstance(size, int) and size > 0 else _ONE_SCALE


def _names(listed: object) -> tuple[str, ...]:
    """Names, and patterns that a checkpoint's author has written: only those that take no time worth speaking of."""
    names = tuple(str(item) for item in listed) if isinstance(listed, list) else ()
    if any(name.startswith("re:") and _SLOW.search(name) for name in names):
        raise NotSizedError("a pattern of the checkpoint's own takes too long to be tried")
    return names


def _fits(pattern: str, name: str) -> bool:
    if not pattern.startswith("re:"):
        return pattern in name
    try:
        return re.match(pattern[3:], name) is not None
    except re.error:
        return False


_FP8_CACHE = [8, "float", False]       # utils/torch_utils.py, get_kv_cache_quant_algo_string
# Repeated groups, or many repetitions: what a regular expression may need for ever for.
_SLOW = re.compile(r"\)[*+{]|(?:[*+{].*){4}|.{300}")
_READERS = {
    "fp8": _fp8, "awq": _awq, "gptq": _gptq, "compressed-tensors": _compressed, "modelopt": _modelopt,
    "modelopt_fp4": _modelopt, "bitsandbytes": _bitsandbytes,
}
# What `--quantization` makes of a plain checkpoint (vllm/config/quantization.py, _ONLINE_SHORTHANDS): the whole-number
# method touches experts only. Engines before 0.32 took fp8 too.
_ONLINE = {
    "int8_per_channel_weight_only": Format("int8_per_channel_weight_only", 8, scale_bytes=4, only="mlp.experts."),
    "fp8": Format("fp8", 8, rows=_ONE_SCALE, scale_bytes=4),
    "fp8_per_tensor": Format("fp8_per_tensor", 8, rows=_ONE_SCALE, scale_bytes=4),
}
