"""Training a restorer, x = R(y), on pairs: the mean Charbonnier distance to x.

    L = mean sqrt((R(y) - x)^2 + 1e-6)

Any network of (N, H, W, 3) to the same can be R; here it is
`models/restorers/compact.py`.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax.losses import charbonnier
from kernel_space_jax.metrics import psnr, ssim
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.training.initial import given, like_he
from kernel_space_jax.training.optimise import Descent, Params, Player
from kernel_space_jax.training.task import Batch, Config, Metrics


def options() -> Config:
    """The size of the network."""
    model: Config = ConfigDict()
    model.width = 32
    model.scales = 3
    model.blocks = 2
    return model


def build(config: Config, descent: Descent) -> "RestorerTask":
    model = config.model
    module = Compact(
        width=model.width,
        scales=model.scales,
        blocks=model.blocks,
        dtype=jnp.dtype(config.dtype),
    )
    return RestorerTask(module, descent, given(config, module))


@dataclass(frozen=True)
class RestorerTask:
    """A batch holds "sharp" and "blurry" (N, H, W, 3)."""

    module: Compact
    descent: Descent
    start: Params | None = None

    def init(self, key: Array) -> Player:
        # Parameters do not depend on the size of the images.
        side = 2**self.module.scales
        params = self.module.init(key, jnp.zeros((1, side, side, 3)))["params"]
        # Residual blocks start small on purpose.
        params = like_he(params, lambda path: "_block" not in path[0])
        return self.descent.init(params if self.start is None else self.start)

    def step(self, state: Player, batch: Batch, key: Array) -> tuple[Player, Metrics]:
        return self.descent.step(state, self._loss, batch)

    def evaluate(self, state: Player, batch: Batch, key: Array) -> Metrics:
        x, y = batch["sharp"], batch["blurry"]
        found = jnp.clip(self._apply(state.best, y), 0, 1)
        return {
            "psnr": psnr(found, x),
            "ssim": ssim(found, x),
            # What a restorer must beat.
            "psnr_of_blurry": psnr(y, x),
        }

    def pictures(self, state: Player, batch: Batch, key: Array) -> dict[str, Array]:
        x, y = batch["sharp"], batch["blurry"]
        found = jnp.clip(self._apply(state.best, y), 0, 1)
        return {"blurry y": y, "restored": found, "sharp x": x}

    def weights(self, state: Player) -> tuple[Compact, dict[str, Any]]:
        return self.module.clone(dtype=None), {"params": state.best}

    def _apply(self, params: Params, y: Array) -> Array:
        return self.module.apply({"params": params}, y)  # type: ignore[return-value]

    def _loss(self, params: Params, batch: Batch) -> tuple[Array, Metrics]:
        x = batch["sharp"]
        found = self._apply(params, batch["blurry"])
        return charbonnier(found, x) / x.size, {"psnr": jnp.mean(psnr(found, x))}
