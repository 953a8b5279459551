"""Turns a repository's name into a message: `python -m deepseekserve.hub NAME --write /dev/termination-log`.

Runs in a short Job's pod, so that it has the engine's own way to the hub, and its token, which the operator never sees.
HF_ENDPOINT and HF_TOKEN (or its older name HUGGING_FACE_HUB_TOKEN) are honoured. Exit code 0 whenever something could
be said, be it that nobody answers.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from deepseekserve import hub
from deepseekserve.reader.saying import say

TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
ENDPOINT = "https://huggingface.co"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a repository, and write its summary or print it."""
    parser = argparse.ArgumentParser(prog="deepseekserve.hub", allow_abbrev=False, description=(
        "Say what sizing needs to know of a model on the Hugging Face hub, as JSON of less than 4,096 bytes."))
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--revision", help="branch, tag or commit; default: the repository's own")
    parser.add_argument("--write", metavar="FILE", help="where to write it; default: standard output")
    chosen = parser.parse_args(arguments)
    token = next(filter(None, map(os.environ.get, TOKENS)), None)
    found = hub.read(os.environ.get("HF_ENDPOINT") or ENDPOINT, chosen.name, chosen.revision, token)
    return say(found, chosen.write)


if __name__ == "__main__":
    sys.exit(main())
