"""Turns a folder's name into a message: `python -m deepseekserve.reader FOLDER --write /dev/termination-log`.

Runs in a short Job's pod beside the weights; the file to write is all that it writes. Exit code 0 whenever something
could be said, be it that there is no model.
"""

import argparse
import resource
import sys
from collections.abc import Sequence

from deepseekserve.reader import folder
from deepseekserve.reader.saying import say

MEMORY_BYTES = 384 << 20               # of addresses: what takes more is an answer instead of an end by the kernel


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a folder, and write its summary or print it."""
    parser = argparse.ArgumentParser(prog="deepseekserve.reader", allow_abbrev=False, description=(
        "Say what sizing needs to know of the model in a folder, as JSON of less than 4,096 bytes."))
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--write", metavar="FILE", help="where to write it; default: standard output")
    chosen = parser.parse_args(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (min(MEMORY_BYTES, most) if most >= 0 else MEMORY_BYTES, most))
    return say(folder.read(chosen.folder), chosen.write)


if __name__ == "__main__":
    sys.exit(main())
