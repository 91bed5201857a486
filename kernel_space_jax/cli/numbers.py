"""What numbers options take: a range for each, so that nonsense is one sentence."""

from collections.abc import Callable
from typing import Annotated

import typer

from kernel_space_jax.errors import UserError

# Random keys of JAX and NumPy take any whole number of 32 bits.
MOST_SEED = 2**32 - 1

Seed = Annotated[
    int,
    typer.Option(
        min=0,
        max=MOST_SEED,
        help="A number that all random draws follow: the same number gives the same "
        "results.",
    ),
]


def counted(flag: str, least: int, most: int) -> Callable[[int], int]:
    """A callback that takes a number from `least` to `most`."""

    def check(count: int) -> int:
        if not least <= count <= most:
            raise UserError(f"{flag} is {count}; give a number from {least} to {most}")
        return count

    return check
