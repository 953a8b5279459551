"""Turns the command line of `deepseekserve plan` into Options."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

MOST_BYTES = 1 << 50

EPILOG = """\
exit codes: 0 fits, 1 refused, 2 bad input, 3 unknown; with several resources the first of 2, 1, 3, 0 that one has.
"""


@dataclass(frozen=True)
class Options:
    """What is asked for."""

    files: tuple[str, ...]
    gpu: str | None
    model_config: str | None
    weights_bytes: int | None
    output: str
    explain: bool
    admission: str = "Enforce"


def parse(arguments: Sequence[str]) -> Options:
    """Parse the command line; exits with 2 and a message when it cannot be used, with 0 after --help."""
    parser = argparse.ArgumentParser(
        prog="deepseekserve plan", allow_abbrev=False, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Say whether DeepSeekServe resources can work, with which numbers, and what would.",
    )
    parser.add_argument("-f", "--filename", dest="files", nargs="+", action="extend", required=True, metavar="FILE",
                        help="files of resources, patterns such as 'deploy/**/*.yaml', or - for standard input")
    parser.add_argument("--gpu", metavar="NAME", help=(
        "the GPU, as its label nvidia.com/gpu.product says (Tesla-T4) or shorter (T4), or its memory (22.1Gi); "
        "default: what spec.scheduling.nodeSelector says"))
    parser.add_argument("--model-config", metavar="DIR", help=(
        "folder with the model's config.json, and its safetensors files, of which the headers are read, or their "
        "index; default: the catalogue, by the name in spec.model.source"))
    parser.add_argument("--weights-bytes", type=_whole, metavar="N", help=(
        "size of all weight files together, where they are not in DIR"))
    parser.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text", help=(
        "text; json, as docs/plan.md describes it; yaml, what the operator would write"))
    parser.add_argument("--explain", action="store_true", help="print the formulas with the numbers in them")
    parser.add_argument("--admission", choices=("Enforce", "Warn"), default="Enforce", help=(
        "Enforce: a refusal ends with 1; Warn: it is told, and ends with 0, as the engine would be started anyway"))
    values = parser.parse_args(arguments)
    return Options(**{**vars(values), "files": tuple(values.files)})


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= MOST_BYTES):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number of bytes up to {MOST_BYTES}")
    return int(text)
