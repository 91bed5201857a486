"""What several protocols need."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.datasets import Record
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import Restored
from kernel_space_jax.images import match_channels

Scores = dict[str, float]


def truth(record: Record) -> np.ndarray:
    """The sharp image (H, W, 3); a `UserError` where there is none."""
    if record.sharp is None:
        raise UserError(f"{record.name} has no sharp image to be scored against")
    return record.sharp


def batch_of_one(record: Record, restored: Restored) -> tuple[Array, Array]:
    """Truth and restoration as (1, H, W, C): C is 1 for a grey record, else 3."""
    channels = 1 if record.extras.get("grey") else 3
    x, z = (match_channels(i, channels) for i in (truth(record), restored.image))
    return jnp.asarray(x)[None], jnp.asarray(z)[None]


def as_floats(values: dict[str, Array]) -> Scores:
    """One number of each array."""
    fetched = jax.device_get(values)
    return {name: np.asarray(value).item() for name, value in fetched.items()}


def middle(record: Record, x: np.ndarray, side: int) -> np.ndarray:
    """The middle side x side pixels of the record's image x (H, W, C)."""
    if min(x.shape[:2]) < side:
        raise UserError(
            f"{record.name} is {x.shape[1]}x{x.shape[0]} pixels; "
            f"this protocol wants at least {side} a side"
        )
    top, left = ((n - side) // 2 for n in x.shape[:2])
    return x[top : top + side, left : left + side]
