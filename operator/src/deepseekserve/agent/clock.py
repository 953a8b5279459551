"""Turns the monotonic clock into seconds since 1970 that never jump: what every thread of the agent calls now.

Stalls and time-outs must not follow a corrected wall clock, and yet every time in a report is a date.
"""

import time
from collections.abc import Callable

Clock = Callable[[], float]


def steady_clock() -> Clock:
    """Read the wall clock once, and count on from there."""
    offset = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset
