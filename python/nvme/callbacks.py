# How a callback wants its completion: decided from its signature, once, when the command is sent.
# The extension decides plain functions itself and asks here for everything else.
"""Tell `cb(cdw0, status1)` and `cb(cpl)` apart."""

import inspect
from collections.abc import Callable
from typing import Any

from nvme.errors import ArgumentError

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def argument_count(callback: Callable[..., Any]) -> int:
    """2 for `cb(cdw0, status1)`, 1 for `cb(cpl)`.

    Parameters with defaults count as taken only where that is the one way to call it, so
    `lambda cdw0, status1, i=i: ...` gets two arguments and `lambda cpl, i=i: ...` one.
    """
    if not callable(callback):
        raise ArgumentError(f"cb must be callable or None, not {type(callback).__name__}")
    try:
        parameters = list(inspect.signature(callback).parameters.values())
    except (TypeError, ValueError):
        return 2  # written in C without a signature, for example list.append's kin
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    required = [p for p in positional if p.default is inspect.Parameter.empty]
    variadic = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    keywords = [
        p.name
        for p in parameters
        if p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is inspect.Parameter.empty
    ]
    if len(required) > 2 or (not positional and not variadic) or keywords:
        raise ArgumentError(
            f"cb must be callable as cb(cdw0, status1) or cb(cpl); this one is "
            f"cb{inspect.signature(callback)}"
        )
    if len(required) == 2:
        return 2
    if len(required) == 1:
        second_is_status = len(positional) > 1 and positional[1].name.startswith("status")
        return 2 if second_is_status or (variadic and len(positional) == 1) else 1
    return 2 if variadic or len(positional) > 1 else 1
