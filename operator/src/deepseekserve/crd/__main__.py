"""Turns `python -m deepseekserve.crd` into files: the CRD, the chart's copy of it, and the reference page.

The command line; beside the flow.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from deepseekserve.crd import embedded, to_yaml
from deepseekserve.crd.reference import page

FILES = {
    "crds/deepseekserve.yaml": to_yaml,
    "charts/deepseekserve/files/crd.yaml": to_yaml,
    "docs/reference.md": page,
}


def main(arguments: Sequence[str]) -> int:
    """Write what is asked for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deepseekserve.crd", description="Print the CRD as YAML.")
    parser.add_argument("--write", metavar="ROOT", type=Path, help=f"write {', '.join(FILES)} below ROOT instead")
    parser.add_argument("--refresh-core", metavar="FILE", type=Path, help=(
        "first take the schemas of core/v1 from FILE, made by `kubectl get --raw /openapi/v3/api/v1`"))
    options = parser.parse_args(arguments)
    if options.refresh_core:
        extracted = embedded.extract(json.loads(options.refresh_core.read_text(encoding="utf-8")))
        embedded.FILE.write_text(json.dumps(extracted, indent=1) + "\n", encoding="utf-8")
    if options.write:
        write(options.write)
    elif not options.refresh_core:
        sys.stdout.write(to_yaml())
    return 0


def write(root: Path) -> None:
    """Write all generated files below `root`."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
