"""Progress on standard error, one line per step with the seconds since the start; standard output is for answers."""

import sys
import time

_START = time.monotonic()


def say(text: str) -> None:
    """Print one progress line."""
    print(f"[{time.monotonic() - _START:6.1f}s] {text}", file=sys.stderr, flush=True)
