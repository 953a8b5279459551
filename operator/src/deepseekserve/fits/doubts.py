"""Turns the extra arguments into doubts: what the engine that the tables are of would refuse at once.

Pure; warnings of `verdict`. A newer engine may know more, and a plugin may bring more: nothing is refused for it.
"""

from collections.abc import Iterator

from deepseekserve import catalog
from deepseekserve.agent.signatures.flags import FLAGS, nearest
from deepseekserve.api import DeepSeekServe
from deepseekserve.engine.reading import SHORT, is_flag, meant, spelled
from deepseekserve.fits import asked, extras

_KNOWN = (*SHORT, *(f"--{part}{flag}" for flag in sorted(FLAGS) for part in ("", "no-")))
# A flag whose values a plugin may add to -> the flag that names the plugin.
_PLUGINS = {"--tool-call-parser": "--tool-parser-plugin", "--reasoning-parser": "--reasoning-parser-plugin"}


def arguments(serve: DeepSeekServe) -> Iterator[str]:
    """One sentence for each argument."""
    if asked.version(serve) != asked.ENGINE:
        return
    for item in serve.spec.engine.extra_args:
        flag = item.split("=", 1)[0]
        name = spelled(flag) if flag.startswith("--") else flag.split(".", 1)[0]
        if is_flag(item) and not meant(name, _KNOWN):
            near = nearest(flag)
            yield f"vLLM {catalog.ENGINE} has no {flag}{f': the nearest is {near}' if near else ''}"
    for flag, values in catalog.VALUES.items():
        said = extras.argument(serve, flag)
        if said is not None and said not in values and extras.argument(serve, _PLUGINS.get(flag, flag)) in (None, said):
            yield f"vLLM {catalog.ENGINE} takes no {said or 'empty value'} for {flag}, but {', '.join(values)}"
    is_choosing = extras.argument(serve, "--enable-auto-tool-choice") is not None
    if is_choosing and extras.argument(serve, "--tool-call-parser") is None:
        yield "--enable-auto-tool-choice needs --tool-call-parser"
