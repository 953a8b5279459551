"""Turns the last report into the container's termination message, which outlives the pod's container.

Written once, by `main`, at the very end; the kubelet keeps its last 4,096 bytes.
"""

import os

from deepseekserve.agent.options import TERMINATION_LOG


def write(path: str, message: bytes) -> bool:
    """Replace the file's content; False when it cannot be written, which must not change how the agent ends.

    The kubelet has made its own file; that one is never created here, outside of Kubernetes there shall be none.
    """
    flags = os.O_WRONLY | os.O_TRUNC | (0 if path == TERMINATION_LOG else os.O_CREAT)
    try:
        descriptor = os.open(path, flags, 0o644)
        try:
            os.write(descriptor, message)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return True
