"""The options of a network: which a file states, and what values they may have."""

import dataclasses
import math
from ast import literal_eval
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import flax.linen as nn

from kernel_space_jax.errors import UserError

# The user chooses the dtype of a run; a file says nothing of it.
HIDDEN = {"parent", "name", "dtype"}

SAYS = {
    bool: "true or false",
    int: "a whole number of at least 0",
    float: "a number",
    str: "a word",
}


def stated(module: nn.Module | type[nn.Module]) -> list[str]:
    """The options that a weight file states."""
    names = (field.name for field in dataclasses.fields(module))
    return [name for name in names if name not in HIDDEN]


def parsed(texts: Sequence[str]) -> dict[str, Any]:
    """["padding=zero", "width=32", "blocks=1,1"] as values by name."""
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name and value):
            raise UserError(f"--option {text} is not NAME=VALUE")
        if name in options:
            raise UserError(f"the option '{name}' is given twice")
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        if "," not in text:
            return text
        return tuple(_value(word) for word in text.split(",") if word)


def checked(
    network: str, module: type[nn.Module], options: dict[str, Any]
) -> dict[str, Any]:
    """The options as the module takes them, or a sentence about one that is wrong."""
    names, hints = stated(module), get_type_hints(module)
    taken = {}
    for name, value in options.items():
        if name not in names:
            raise UserError(
                f"{network} has no option '{name}'; it has {', '.join(sorted(names))}"
            )
        taken[name] = tuple(value) if isinstance(value, list) else value
        if not _fits(taken[name], hints[name]):
            raise UserError(f"{name}={value!r} {_wanted(name, hints[name])}")
    return taken


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        items = get_args(kind)[0]
        return isinstance(value, tuple) and all(_fits(item, items) for item in value)
    if kind is int:
        return type(value) is int and value >= 0
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return not isinstance(kind, type) or isinstance(value, kind)


def _wanted(name: str, kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"is none of {', '.join(map(str, get_args(kind)))}"
    if get_origin(kind) is tuple:
        return f"does not fit; {name} takes values with commas between: 1,2,3"
    return f"does not fit; {name} takes {SAYS.get(kind, kind)}"
