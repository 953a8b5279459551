"""Makes a tiny model with the architecture and chat format of DeepSeek-R1-Distill-Qwen, and random weights.

Its words mean nothing; it is for trying DeepSeekServe where nothing can be downloaded. Takes a folder and leaves in it
what a model hub would: tokenizer, weights, configuration, generation defaults. The same seed makes the same model.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.utils import logging

VOCABULARY = 2048
BEGIN, END, PAD = "<|begin_of_sentence|>", "<|end_of_sentence|>", "<|pad|>"
SPECIAL = [END, PAD, BEGIN, "<|User|>", "<|Assistant|>"]
# Single tokens that are no special tokens, as in the real tokenizer. vLLM's reasoning and tool parsers look them up by
# name; the tool tokens' spelling, with full-width bars and U+2581, is DeepSeek's own.
TOOL_PARTS = [
    "calls▁begin", "calls▁end", "call▁begin", "call▁end", "sep",
    "outputs▁begin", "outputs▁end", "output▁begin", "output▁end",
]
PLAIN = ["<think>", "</think>", *(f"<｜tool▁{part}｜>" for part in TOOL_PARTS), "<tool_call>", "</tool_call>"]

TEXT = """
the of and a to in is you that it he was for on are as with his they at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then them
these so some her would make like him into time has look two more write go see number no way could people my than
first water been call who oil its now find long down day did get come made may part cluster operator model server
token inference deploy node pod reason think answer question step therefore because however equation solve compute
result
"""
WORDS = TEXT.split()

CHAT_TEMPLATE = """\
{%- if add_generation_prompt is not defined %}{% set add_generation_prompt = false %}{% endif %}
{%- set ns = namespace(system='') %}
{%- for m in messages if m['role'] == 'system' %}{% set ns.system = m['content'] %}{% endfor %}
{{- bos_token + ns.system }}
{%- for m in messages %}
{%- if m['role'] == 'user' %}{{- '<|User|>' + m['content'] }}
{%- elif m['role'] == 'assistant' and m['content'] %}
{{- '<|Assistant|>' + m['content'].split('</think>')[-1] + eos_token }}
{%- elif m['role'] == 'tool' %}{{- '<｜tool▁outputs▁begin｜>' + m['content'] + '<｜tool▁outputs▁end｜>' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}
"""


def main() -> int:
    """Make the model and print how large it is."""
    options = parse(sys.argv[1:])
    os.umask(0o022)
    logging.disable_progress_bar()
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, options)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix=".new-") as scratch:
        for part in (tokenizer, model, generation(tokenizer)):
            part.save_pretrained(scratch)
        publish(Path(scratch), options.folder)
    size = f"{model.num_parameters():,} parameters, {len(tokenizer)} tokens, {options.positions} positions"
    print(f"{options.folder}: {size}")
    return 0


def publish(made: Path, folder: Path) -> None:
    """Move the files to their place, config.json last: an engine that looks too early finds no model, not a part."""
    for file in sorted(made.iterdir(), key=lambda f: f.name == "config.json"):
        file.chmod(0o644)  # transformers gives the weights mode 0600, but others may have to read them
        file.rename(folder / file.name)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="make_tiny_model.py", description=__doc__, formatter_class=plain)
    parser.add_argument("folder", type=Path, help="where the model goes; made when it does not exist")
    parser.add_argument("--positions", type=int, default=32768, help="longest context in tokens (default: %(default)s)")
    parser.add_argument("--hidden", type=int, default=128, help="hidden size, a multiple of 128 (default: %(default)s)")
    parser.add_argument("--layers", type=int, default=2, help="number of layers (default: %(default)s)")
    dtypes = ("bfloat16", "float16", "float32")
    parser.add_argument("--dtype", choices=dtypes, default="bfloat16", help="of the weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="for weights and vocabulary (default: %(default)s)")
    return parser.parse_args(arguments)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, trained on generated text."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL) - len(PLAIN),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator(corpus(), trainer)
    trained.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    trained.add_tokens([AddedToken(token, special=False, normalized=False) for token in PLAIN])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, bos_token=BEGIN, eos_token=END, pad_token=PAD,
        model_max_length=16384, clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def corpus() -> Iterator[str]:
    """Sentences and JSON objects of common words."""
    for _ in range(20000):
        words = " ".join(random.choices(WORDS, k=random.randint(5, 18)))
        yield f"{words.capitalize()}{random.choice('.?!:;')} {random.randint(0, 9999)} "
    for _ in range(1000):
        yield json.dumps({random.choice(WORDS): random.choice(WORDS), "n": random.randint(0, 999)})


def make_model(tokenizer: PreTrainedTokenizerFast, options: argparse.Namespace) -> Qwen2ForCausalLM:
    """A Qwen2 with random weights, its vocabulary rounded up to a multiple of 64 as real ones are."""
    config = Qwen2Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=options.hidden,
        intermediate_size=2 * options.hidden,
        num_hidden_layers=options.layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=options.positions,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
        use_sliding_window=False,
    )
    return Qwen2ForCausalLM(config).to(getattr(torch, options.dtype))


def generation(tokenizer: PreTrainedTokenizerFast) -> GenerationConfig:
    """The sampling that R1's model card asks for."""
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    return GenerationConfig(bos_token_id=begin, eos_token_id=end, do_sample=True, temperature=0.6, top_p=0.95)


if __name__ == "__main__":
    sys.exit(main())
