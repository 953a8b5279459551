"""Makes `os.sched_yield` give the processor up, by a sleep of 100 microseconds; yield_cpu.pth imports it into all.

vLLM's processes wait for each other in loops around sched_yield. On two cores these loops starve everything else:
/health and /metrics were seen to freeze for 2 to 6 seconds at a time.
"""

import os
import time

PAUSE_S = 100e-6


def sched_yield() -> None:
    """Let others run."""
    time.sleep(PAUSE_S)


os.sched_yield = sched_yield
