"""Turns the command line into a running engine with its agent around it, and the engine's end into ours.

Called by `__main__`. Order: options, the probes' port, the engine's command, the engine, its session, the last report.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deepseekserve.agent import options, server, termination
from deepseekserve.agent.diagnosis import Failure, LogReader
from deepseekserve.agent.launch import MissingKey, find_engine, prepare
from deepseekserve.agent.limits import Limits
from deepseekserve.agent.options import Options
from deepseekserve.agent.processes import adopt_orphans, start
from deepseekserve.agent.reasons import Phase, Reason
from deepseekserve.agent.report import Standing, report, termination_message
from deepseekserve.agent.session import Parser, Session
from deepseekserve.agent.signals import Signals

_SWITCH_S = 0.0002           # the parser must not keep the pumps waiting for the interpreter for Python's usual 5 ms
_ROOT = Path(__file__).parents[2]     # the zipapp, or the folder that holds the package


def main(arguments: Sequence[str], limits: Limits, parser: Parser = LogReader, signals: Signals | None = None) -> int:
    """Run the engine to its end; return the exit code. `signals` holds those that came before us."""
    chosen = options.parse(arguments)
    sys.setswitchinterval(_SWITCH_S)
    signals = signals or Signals()
    adopt_orphans()
    try:
        listener = server.listen(chosen.port)
        launch = prepare(chosen, os.environ, _ROOT, find_engine())
        child = start(launch.command, launch.environment)
    except (OSError, MissingKey, ValueError) as error:
        return _refuse(chosen, *_explain(error, chosen), now=time.time())
    outcome = Session(chosen, launch, child, parser, limits).run(signals, listener)
    signals.ignore()
    termination.write(chosen.termination_log, termination_message(outcome.report))
    if outcome.by_agent is not None:
        _say(outcome.by_agent)
    return outcome.exit_code


def _refuse(chosen: Options, failure: Failure, code: int, *, now: float) -> int:
    """End before the engine has started, with the same report as after it."""
    standing = Standing(phase=Phase.STARTING, percent=0, phase_since=now, started_at=now, failure=failure,
                        failed_at=now, exit_code=code)
    termination.write(chosen.termination_log, termination_message(report(standing)))
    _say(failure)
    return code


def _explain(error: Exception, chosen: Options) -> tuple[Failure, int]:
    """Say why the engine cannot even be started; exit codes as a shell gives them."""
    program = chosen.command[0]
    if isinstance(error, MissingKey):
        return Failure(Reason.CONTAINER_CONFIG_ERROR, f"An API key is asked for, but {error}.",
                       "Put a key into the Secret that spec.access.apiKeySecretRef names."), 1
    if isinstance(error, FileNotFoundError):
        return Failure(Reason.MISSING_DEPENDENCY, f"The image has no program {program!r}.",
                       "Set spec.engine.image to an image of vLLM that has it on its PATH."), 127
    if isinstance(error, PermissionError):
        return Failure(Reason.PERMISSION_DENIED, f"The container's user may not start {program!r}: {error}.",
                       "Set spec.engine.image to an image whose programs everybody may run."), 126
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return Failure(Reason.PORT_IN_USE, f"Port {chosen.port}, which the agent needs for the probes, is taken.",
                       "Nothing else in the pod may listen on it: look at sidecars and at host networking."), 1
    return Failure(Reason.UNKNOWN, f"The engine could not be started: {type(error).__name__}: {error}.",
                   "Look at spec.engine.extraArgs and spec.engine.env."), 126


def _say(failure: Failure) -> None:
    """Say in the log what the agent has decided: the engine's own words end here."""
    text = f"deepseekserve-agent: {failure.reason.value}: {failure.message} {failure.remedy}\n"
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))
