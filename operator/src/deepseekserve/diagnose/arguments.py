"""Turns fixes of single arguments into a fix of spec.engine.extraArgs as a whole, which a tool can apply as it stands.

Pure; the last step of diagnose. The agent sees which argument its engine refused; only the resource has the list.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from deepseekserve.api import InvalidSpec
from deepseekserve.api.status import LONGEST_FIX
from deepseekserve.engine.flags import check_arguments
from deepseekserve.facts import Finding, Fix

EXTRA_ARGS = "spec.engine.extraArgs"


def whole(finding: Finding, extra_args: Sequence[str]) -> Finding:
    """The finding with the corrected list, as JSON, for the fixes that name what to put in an argument's place."""
    single = [fix for fix in finding.fixes if fix.instead_of]
    if not single:
        return finding
    corrected = list(extra_args)
    for fix in single:
        corrected = _corrected(corrected, fix)
    others = tuple(fix for fix in finding.fixes if not fix.instead_of)
    try:
        check_arguments(corrected)
    except InvalidSpec as error:                # the nearest flag may not stand there either
        return replace(finding, fixes=(), remedy=f"Remove the argument; what is nearest to it is refused here: {error}")
    value = json.dumps(corrected)
    if corrected == list(extra_args) or len(value) > LONGEST_FIX:
        return replace(finding, fixes=())
    why = "; ".join(fix.why for fix in single)
    return replace(finding, fixes=(Fix(EXTRA_ARGS, value, why), *others))


def _corrected(arguments: Sequence[str], fix: Fix) -> list[str]:
    """The list with another flag and the same value, or without the flag and its value."""
    corrected, drops_value = [], False
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        is_value, drops_value = drops_value and not argument.startswith("-"), False
        if flag == fix.instead_of:
            corrected += [f"{fix.value}{equals}{value}"] if fix.value else []
            drops_value = not (fix.value or equals)
        elif not is_value:
            corrected.append(argument)
    return corrected
