"""Puts what vLLM has found out about the tiny model's class into its cache; yield_cpu.pth imports it into all.

vLLM 0.32 starts a process to find that out, which takes a fifth of a start's processor time, and keeps the answer under
VLLM_CACHE_ROOT for the next start. A pod's cache begins empty; the answer is found when the image is built.
"""

import os

KEPT = "/opt/deepseekserve/vllm/modelinfos"


def hand_out(target: str) -> None:
    """Copy what was kept into a cache that has nothing of it yet."""
    if os.path.isdir(target) or not os.path.isdir(KEPT):
        return
    try:
        names = os.listdir(KEPT)
        os.makedirs(target)
        for name in names:
            with open(os.path.join(KEPT, name)) as answer, open(os.path.join(target, name), "x") as copy:
                copy.write(answer.read())
    except OSError:                              # a cache that cannot be written to: vLLM finds out for itself
        return


if "VLLM_CACHE_ROOT" in os.environ:
    hand_out(os.path.join(os.environ["VLLM_CACHE_ROOT"], "modelinfos"))
