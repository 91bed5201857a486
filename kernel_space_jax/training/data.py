"""What a run sees: batches from disk, or made on the device, or both.

A feed hands out this process's rows of each batch (NumPy), and a pure function
`prepare(batch, keys)` that finishes them on the device inside the compiled step: sharp
images are drawn if there are none, and blurred if there is no blurry partner.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.synthesis import blur_uniform, dead_leaves, shake_kernel
from kernel_space_jax.training.devices import HostBatch
from kernel_space_jax.training.task import Batch, Config

SYNTHETIC = "synthetic"


class Feed(Protocol):
    """Endless batches whose position can be saved."""

    def __next__(self) -> HostBatch: ...

    def get_state(self) -> dict[str, Any]:
        """Where it stands, as JSON."""
        ...

    def set_state(self, state: dict[str, Any]) -> None: ...


class Nothing:
    """The feed of a run whose images are all made on the device."""

    def __next__(self) -> HostBatch:
        return {}

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        if state:
            raise UserError("this run read images from disk before, and now none")


def open_feed(config: Config) -> Feed:
    """The training batches of a config."""
    if tuple(config.data.train) == (SYNTHETIC,):
        return Nothing()
    raise UserError("not yet")


def open_validation(config: Config) -> list[HostBatch]:
    """This process's rows of the validation batches, the same at every evaluation.

    The last batch is filled up with the first examples; the loop drops them again.
    """
    size, batch = config.data.validation_size, config.batch_size
    numbers = np.arange(-(-size // batch) * batch, dtype=np.int32) % size
    shares = numbers.reshape(-1, jax.process_count(), batch // jax.process_count())
    return [{"number": rows[jax.process_index()]} for rows in shares]


def preparation(data: Config) -> Callable[[Batch, Array], Batch]:
    """The on-device half of a feed: (batch, one key an example) -> batch.

    y = h * x + noise with a fresh camera shake h; pixels beyond the crop take part.
    """
    if data.blur not in ("shake", "none"):
        raise UserError(f"data.blur={data.blur!r} is unknown; it is 'shake' or 'none'")
    side = wide_crop(data)
    margin = data.kernel_size // 2

    def blur(key: Array, x: Array) -> tuple[Array, Array]:
        shake, grain = jax.random.split(key)
        h = shake_kernel(shake, data.kernel_size)
        y = blur_uniform(x, h)
        y = y + data.noise * jax.random.normal(grain, y.shape)
        inner = slice(margin, margin + data.crop)
        return x[inner, inner], jnp.clip(y, 0.0, 1.0)[inner, inner]

    def prepare(batch: Batch, keys: Array) -> Batch:
        if "blurry" in batch:
            return batch
        keys = jax.vmap(jax.random.split)(keys)
        x = batch.get("sharp")
        if x is None:
            x = jax.vmap(lambda key: dead_leaves(key, (side, side)))(keys[:, 0])
        if data.blur == "none":
            return batch | {"sharp": x}
        x, y = jax.vmap(blur)(keys[:, 1], x)
        return batch | {"sharp": x, "blurry": y}

    return prepare


def wide_crop(data: Config) -> int:
    """Pixels a side that a feed hands out, so that `crop` are left after the blur."""
    return data.crop + (data.kernel_size - 1 if data.blur != "none" else 0)
