"""What to do about the machine and the image: who has to do it, and what can be tried meanwhile."""

from deepseekserve.agent.fixes import Fix
from deepseekserve.agent.reasons import Reason
from deepseekserve.agent.signatures.entry import Advice, Adviser, Case
from deepseekserve.agent.signatures.words import shorten


def _driver(case: Case) -> Advice:
    ask = "Ask the administrator of the node (kubectl get pod POD -o wide names it) for a newer driver"
    if version := case.number("version"):
        cuda = f"CUDA {version // 1000:.0f}.{version % 1000 // 10:.0f}"
        return Advice(
            f"The node's GPU driver is too old for this engine: it supports {cuda} and older.",
            f"{ask}; until then set spec.engine.image to an older vLLM that is built for {cuda}.")
    return Advice(
        "The node's GPU driver does not work with this engine: it is too old or broken, or the container does not see "
        "it.",
        f"{ask} and the NVIDIA container toolkit. On a node without GPU set spec.engine.device to "
        "CPU.")


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
        "The GPUs of the engine could not talk to each other (over NCCL, NVIDIA's library for that).",
        "Try these, one at a time: remove spec.resources.sharedMemory or raise it; set NCCL_P2P_DISABLE to \"1\" in "
        "spec.engine.env (slower: no direct way between GPUs), then NCCL_IB_DISABLE (no InfiniBand). With NCCL_DEBUG "
        "set to INFO, kubectl logs POD --previous says more.")


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
