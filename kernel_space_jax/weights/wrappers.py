"""What training programs put around weights, seen through."""

import re
from collections.abc import Mapping
from typing import TypeVar

from kernel_space_jax.errors import UserError
from kernel_space_jax.weights.official import Official
from kernel_space_jax.weights.rules import SEPARATORS, Family

Value = TypeVar("Value")

# The first of them that is there is taken: averaged weights before the last ones.
WRAPPERS = (
    *("params_ema", "g_ema", "params", "state_dict"),
    *("generator", "model", "net", "opt/target"),
)
# What single keys begin or end with, of programs that save each array by itself.
AROUND: dict[Family, str] = {
    "torch": r"^((module|_orig_mod)\.)+",
    "tensorflow": r":0$|/\.ATTRIBUTES/VARIABLE_VALUE$",
    "flax": r"^(params|batch_stats)/",
}


def unwrapped(
    official: Official, tensors: Mapping[str, Value]
) -> tuple[dict[str, Value], str]:
    """The arrays by the paper's own names, and which wrapper they lay in.

    {"params": {...}, "params_ema": {...}} is given as "params.intro.weight" and so on.
    Wrappers are taken off until a key is `official.mark`: some networks have layers
    that are called "model" themselves.
    """
    separator, taken = SEPARATORS[official.family], []
    while True:
        tensors = {
            re.sub(AROUND[official.family], "", key): value
            for key, value in tensors.items()
        }
        if official.mark in tensors:
            return tensors, separator.join(taken)
        starts = (wrapper + separator for wrapper in WRAPPERS)
        start = next((s for s in starts if any(k.startswith(s) for k in tensors)), None)
        if start is None:
            raise UserError(
                f"the weights have no '{official.mark}', which this network needs"
            )
        tensors = {
            key.removeprefix(start): value
            for key, value in tensors.items()
            if key.startswith(start)
        }
        taken.append(start.removesuffix(separator))
