"""Small and real config.json files for the tests of sizing, fits and plan."""

from typing import Any

from deepseekserve import catalog


def llama(**changes: Any) -> dict[str, Any]:
    """A Llama of round numbers: 4 layers, 8 heads of 64, 2 KV heads."""
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 512, "intermediate_size": 1024,
        "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 1024,
        "max_position_embeddings": 4096, "torch_dtype": "bfloat16", "tie_word_embeddings": False, **changes,
    }


def config(name: str) -> dict[str, Any]:
    """The config of a model of the catalogue."""
    found = catalog.find_model(f"pvc://models/{name}")
    assert found, name
    return dict(found.config)


def gemma3(**changes: Any) -> dict[str, Any]:
    """google/gemma-3-4b-it, which leaves most fields out."""
    return {
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "torch_dtype": "bfloat16",
        "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
                        "num_hidden_layers": 34, "sliding_window": 1024,
                        "rope_scaling": {"factor": 8.0, "rope_type": "linear"}},
        "vision_config": {"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
                          "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14}, **changes,
    }
