"""What to do about the machine and the image: who has to do it, and what can be tried meanwhile."""

from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case
from deepseekserve.agent.signatures.words import shorten


def _driver(case: Case) -> Advice:
    version = case.number("version")
    supports = f" (it supports CUDA {version // 1000:.0f}.{version % 1000 // 10:.0f})" if version else ""
    return Advice(
        f"The node's GPU driver does not work with this engine{supports}: it is missing in the container, too old, "
        f"or broken.",
        "An administrator must install or update the driver and the container toolkit on the node; until then choose "
        "an "
        "older spec.engine.image. On a machine without GPU set spec.engine.device to CPU.")


def _no_device(case: Case) -> Advice:
    if uuid := case.word("uuid"):
        return Advice(
            f"The engine cannot tell what device it runs on: it was given {shorten(uuid, 80)}, and wants a number.",
            "Choose a newer spec.engine.image, or let the node's device plugin hand out whole GPUs by their index.")
    return Advice(
        "The engine sees no GPU.",
        "Check that spec.resources.gpu.count is at least 1, that the node's device plugin works, and "
        "spec.scheduling.runtimeClassName; on a machine without GPU set spec.engine.device to CPU.")


def _nccl(_: Case) -> Advice:
    return Advice(
        "The engine's processes could not talk to each other over NCCL.",
        "Set NCCL_DEBUG=INFO in spec.engine.env to see why; common cures are NCCL_P2P_DISABLE=1, NCCL_IB_DISABLE=1 "
        "and a "
        "larger spec.resources.sharedMemory.")


def _compile(case: Case) -> Advice:
    if case.facts.eager:
        return Advice("A kernel of the engine could not be compiled for this device.",
                      "Choose another spec.engine.image, or report the attached lines to vLLM.")
    return Advice(
        "The engine could not compile the model's kernels for this device.",
        "Set spec.engine.enforceEager to true (slower, but without compilation), or choose another spec.engine.image.",
        (Fix("spec.engine.enforceEager", "true", "nothing is compiled or captured then"),))


def _dependency(case: Case) -> Advice:
    if "C++ compiler" in case.text and not case.facts.eager:
        return Advice(
            "The image has no C++ compiler, which the engine needs to compile the model's kernels.",
            "Set spec.engine.enforceEager to true (slower, but without compilation), or spec.engine.image to an image "
            "that has one.",
            (Fix("spec.engine.enforceEager", "true", "nothing is compiled then"),))
    name = case.first("package", "lib", "tool", "who", "name", "pip", "install", "symbol").strip("`'.,")
    what = name or ("a C compiler" if "compiler" in case.text else "a package or program that the engine needs")
    return Advice(
        f"The image lacks {what}, or has it in a version that does not fit.",
        "Set spec.engine.image to an image that contains it; the official vLLM images contain all that the engine "
        "needs.")


ADVICE: dict[Reason, Adviser] = {
    Reason.CUDA_DRIVER: _driver,
    Reason.NO_CUDA_DEVICE: _no_device,
    Reason.NCCL_ERROR: _nccl,
    Reason.COMPILE_FAILED: _compile,
    Reason.MISSING_DEPENDENCY: _dependency,
}
