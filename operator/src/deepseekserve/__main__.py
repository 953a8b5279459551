"""Turns the command line into one of two programs: a plan, or else the operator.

`python -m deepseekserve`, `python -m deepseekserve plan`.
"""

import importlib
import sys


def main() -> int:
    """Run what is asked for; its exit code."""
    # The operator imports kopf and the Kubernetes client, which takes a second that a plan need not wait.
    name = "plan" if sys.argv[1:2] == ["plan"] else "operate"
    return int(importlib.import_module(f"deepseekserve.{name}").main())


if __name__ == "__main__":
    sys.exit(main())
