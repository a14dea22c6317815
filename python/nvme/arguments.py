# What was wrong with the arguments of a call that fits no signature of the extension. Called by it
# on the way to the exception only, so it may take its time.
"""Sentences for wrong arguments."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from numbers import Real
from typing import Any

from nvme.errors import ArgumentError, ArgumentTypeError

_PARAMETER = re.compile(r"(?P<name>\w+)(?:: (?P<type>[^=]+?))?(?P<default> = .*)?$")


def is_integer(value: object) -> bool:
    """Whether it is what Python takes for an integer: int, bool, numpy's, but no float."""
    try:
        value.__index__()  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        return False
    return True


def integer(name: str, value: Any, low: int, high: int) -> int:
    """`value` as an int; the errors name the argument. Both bounds inclusive."""
    if not is_integer(value):
        raise ArgumentTypeError(
            f"{name} must be an integer, not {type(value).__name__} ({_shown(value)})"
        )
    number = int(value.__index__())
    if not low <= number <= high:
        raise ArgumentError(f"{name} = {number} is not in {low}..{high}")
    return number


def seconds(name: str, value: Any) -> float:
    """`value` as a number of seconds from 0 on."""
    if not isinstance(value, Real):
        raise ArgumentTypeError(
            f"{name} must be a number of seconds, not {type(value).__name__} ({_shown(value)})"
        )
    if not 0 <= float(value) < math.inf:
        raise ArgumentError(f"{name} = {value!r} is no number of seconds from 0 on")
    return float(value)


def explain(function: Any, arguments: list[Any], keywords: dict[str, Any], otherwise: str) -> str:
    """The sentence about the first argument that is wrong; `otherwise` when none is found."""
    name = function.__name__
    if name == "__init__":
        name = type(arguments[0]).__name__
    problems = []
    for signature in function.__nb_signature__:
        parameters = _parameters(signature[0])
        offset = 1 if parameters[:1] == [("self", "", False)] else 0
        problem = _problem(parameters[offset:], arguments[offset:], keywords)
        if problem is not None:
            problems.append(problem)
    if not problems:
        return otherwise
    # The overload that got furthest is the one that was meant.
    sentence = max(reversed(problems), key=lambda found: found[0])[1]
    return f"{name}(): {sentence}" if name and not name.startswith("__") else sentence


def _parameters(signature: str) -> list[tuple[str, str, bool]]:
    inside = signature[signature.index("(") + 1 : signature.rindex(") ->")]
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(inside + ","):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append(inside[start:position].strip())
            start = position + 1
    found = (_PARAMETER.match(part) for part in parts if part not in ("", "/", "*"))
    return [(m["name"], m["type"] or "", m["default"] is not None) for m in found if m]


def _problem(
    parameters: list[tuple[str, str, bool]], arguments: list[Any], keywords: dict[str, Any]
) -> tuple[int, str] | None:
    names = [name for name, _, _ in parameters]
    for keyword in keywords:
        if keyword not in names:
            return 0, f"there is no argument {keyword!r}; there is {', '.join(names)}"
    if len(arguments) > len(parameters):
        return 0, f"at most {len(parameters)} arguments, not {len(arguments)}: {', '.join(names)}"
    for index, (name, kind, optional) in enumerate(parameters):
        if index < len(arguments):
            if name in keywords:
                return index, f"{name} is given twice"
            value = arguments[index]
        elif name in keywords:
            value = keywords[name]
        elif optional:
            continue
        else:
            return index, f"{name} is missing"
        wanted = [part.strip() for part in kind.split("|")]
        if not any(_fits(value, one) for one in wanted):
            text = " or ".join(_NAMES.get(one, f"a {one.split('.')[-1]}") for one in wanted)
            return index, f"{name} must be {text}, not {type(value).__name__} ({_shown(value)})"
    return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_NAMES = {
    "int": "an integer",
    "str": "a str",
    "bool": "True or False",
    "float": "a number",
    "None": "None",
}
_FITS: dict[str, Callable[[Any], bool]] = {
    "None": lambda value: value is None,
    "int": is_integer,
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float),
    "slice": lambda value: isinstance(value, slice),
}


def _fits(value: object, kind: str) -> bool:
    if kind in _FITS:
        return _FITS[kind](value)
    if kind.startswith("nvme._core."):
        from nvme import _core

        return isinstance(value, getattr(_core, kind.removeprefix("nvme._core.")))
    return True
