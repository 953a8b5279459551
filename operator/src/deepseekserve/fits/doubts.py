"""Turns the extra arguments into doubts: what the engine that the tables are of would refuse at once.

Pure; warnings of `verdict`. A newer engine may know more, and a plugin may bring more: nothing is refused for it.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from deepseekserve import catalog
from deepseekserve.agent.signatures.flags import FLAGS, nearest
from deepseekserve.api import DeepSeekServe
from deepseekserve.engine.reading import meant, spelled
from deepseekserve.fits import asked, extras

_KNOWN = tuple(f"--{part}{flag}" for flag in sorted(FLAGS) for part in ("", "no-"))
# A flag whose values a plugin may add to -> the flag that names the plugin.
_PLUGINS = {"--tool-call-parser": "--tool-parser-plugin", "--reasoning-parser": "--reasoning-parser-plugin"}


def arguments(serve: DeepSeekServe) -> Iterator[str]:
    """One sentence for each argument."""
    if asked.version(serve) != asked.ENGINE:
        return
    flags = [item.split("=", 1)[0] for item in serve.spec.engine.extra_args if item.startswith("--")]
    for flag in flags:
        if not meant(spelled(flag), _KNOWN):
            yield f"vLLM {catalog.ENGINE} has no {flag}{_nearest(nearest(flag))}"
    for flag, values in catalog.VALUES.items():
        said = extras.argument(serve, flag)
        if said and said not in values and _PLUGINS.get(flag, "") not in map(spelled, flags):
            near = get_close_matches(said, values, n=1)
            yield f"vLLM {catalog.ENGINE} takes no {said} for {flag}{_nearest(near[0] if near else None)}"
    is_choosing = extras.argument(serve, "--enable-auto-tool-choice") is not None
    if is_choosing and extras.argument(serve, "--tool-call-parser") is None:
        yield "--enable-auto-tool-choice needs --tool-call-parser"


def _nearest(near: str | None) -> str:
    return f": the nearest is {near}" if near else ""
