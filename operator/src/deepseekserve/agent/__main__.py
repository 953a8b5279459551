"""Turns a fresh process into the agent: `python -m deepseekserve.agent`, and the zipapp's entry.

The signals come first: until PID 1 has a handler the kernel drops its SIGTERM, and importing the rest takes a quarter
of a second.
"""

import sys
from typing import NoReturn

from deepseekserve.agent.signals import Signals


def run() -> NoReturn:
    """Run the agent on this process's own command line."""
    signals = Signals()
    from deepseekserve.agent.limits import Limits  # noqa: PLC0415  after the signals
    from deepseekserve.agent.main import main  # noqa: PLC0415

    sys.exit(main(sys.argv[1:], Limits(), signals=signals))


if __name__ == "__main__":
    run()
