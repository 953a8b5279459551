"""How the architectures that the formulas know differ from Llama. One row each, read in vLLM's model of that name.

Pure. What is not here is not sized.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Family:
    """What config.json does not say of an architecture; the defaults are Llama's."""

    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    gated: bool = True                 # two matrices up, one down; else one and one
    norms: int = 2                     # norms over the hidden size in each layer
    norm_bias: bool = False
    head_norms: bool = False           # a norm over each query and each key head
    tied: bool = False                 # where config.json does not say
    head_bias: bool = False
    extra_positions: int | None = None  # a learned table of positions, with so many rows more than the context
    latent: bool = False               # multi-head latent attention
    pattern: int = 0                   # each pattern-th layer looks at all tokens, the others through the window
    whole_layers: int = 0              # the first ones that look at all, where there is a window; it is off unasked
    local_rotations: bool = False      # a second table of rotations, for the layers with a window
    text_config: bool = False          # the language model's fields stand in text_config
    defaults: Mapping[str, int] = field(default_factory=dict)      # of fields that config.json may leave out


# Defaults are those of the classes in transformers.
LLAMA = Family()
MISTRAL = Family(defaults={"num_key_value_heads": 8})
QWEN2 = Family(qkv_bias=True, whole_layers=28)
QWEN3_MOE = Family(head_norms=True, whole_layers=28)
QWEN3 = replace(QWEN3_MOE, defaults={"head_dim": 128})
GEMMA = Family(tied=True, defaults={"head_dim": 256})
GEMMA2 = Family(norms=4, tied=True, pattern=2, defaults={"head_dim": 256})
GEMMA3 = Family(norms=4, tied=True, head_norms=True, pattern=6, local_rotations=True,
                defaults={"head_dim": 256, "max_position_embeddings": 131072})
GEMMA3_TEXT = {**GEMMA3.defaults, "vocab_size": 262208, "num_attention_heads": 8, "num_key_value_heads": 4}
DEEPSEEK = Family(latent=True)

FAMILIES: Mapping[str, Family] = {
    "LlamaForCausalLM": LLAMA,
    "MistralForCausalLM": MISTRAL,
    "MixtralForCausalLM": MISTRAL,
    "Phi3ForCausalLM": LLAMA,
    "DeepseekForCausalLM": LLAMA,
    "Qwen2ForCausalLM": QWEN2,
    "Qwen2MoeForCausalLM": QWEN2,
    "Qwen3ForCausalLM": QWEN3,
    "Qwen3MoeForCausalLM": QWEN3_MOE,
    "PhiForCausalLM": Family(
        qkv_bias=True, output_bias=True, mlp_bias=True, gated=False, norms=1, norm_bias=True, head_bias=True),
    "OPTForCausalLM": Family(
        qkv_bias=True, output_bias=True, mlp_bias=True, gated=False, norm_bias=True, tied=True, extra_positions=2),
    "GemmaForCausalLM": GEMMA,
    "Gemma2ForCausalLM": GEMMA2,
    "Gemma3ForCausalLM": GEMMA3,
    "Gemma3ForConditionalGeneration": replace(GEMMA3, text_config=True, defaults=GEMMA3_TEXT),
    "DeepseekV2ForCausalLM": DEEPSEEK,
    "DeepseekV3ForCausalLM": DEEPSEEK,
    "DeepseekV32ForCausalLM": DEEPSEEK,
}
