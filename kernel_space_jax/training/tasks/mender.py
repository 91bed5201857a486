"""Training what mends a photo by the words of a judge (models/mender.py).

    L = mean log( mean |U(y) - x|^2 + e )

over photos x with synthesised blur: the PSNR, so that a photo which has little to be
mended counts as much as one that has a lot. The judge is given, and stays as it is.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax import weights
from kernel_space_jax.drawing import draw_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.metrics import psnr, ssim
from kernel_space_jax.models.judge import Judge
from kernel_space_jax.models.mender import Mender
from kernel_space_jax.operators import KernelField
from kernel_space_jax.training.initial import given, like_he
from kernel_space_jax.training.optimise import Descent, Params, Player
from kernel_space_jax.training.task import Batch, Config, Metrics

# e, and the pixels along the border that lack what was blurred into them.
FLOOR, BORDER = 1e-5, 8


def options() -> Config:
    """The judge's weights, and the size of the U-Net (models/restorer.py)."""
    model: Config = ConfigDict()
    model.judge = "judge"
    model.width = 32
    model.scales = 3
    model.blocks = 2
    return model


def build(config: Config, descent: Descent) -> "MenderTask":
    model = config.model
    judge, variables = weights.load(model.judge)
    if not isinstance(judge, Judge):
        raise UserError(
            f"model.judge={model.judge!r} holds a {type(judge).__name__}; name a Judge"
        )
    module = Mender(
        width=judge.width,
        candidates=judge.candidates,
        kernel_size=judge.kernel_size,
        gamma=judge.gamma,
        restorer_width=model.width,
        scales=model.scales,
        blocks=model.blocks,
        dtype=jnp.dtype(config.dtype),
    )
    return MenderTask(module, descent, variables["params"], given(config, module))


@dataclass(frozen=True)
class MenderTask:
    """A batch holds "sharp" and "blurry" (N, H, W, 3); only the U-Net learns."""

    module: Mender
    descent: Descent
    judge: Params
    start: Params | None = None

    def init(self, key: Array) -> Player:
        if self.start is not None:
            return self.descent.init(self.start["restorer"])
        side = 4 * 2**self.module.scales
        params = self.module.init(key, jnp.zeros((1, side, side, 3)))["params"]
        # Residual blocks start small on purpose.
        params = like_he(params["restorer"], lambda path: "_block" not in path[0])
        return self.descent.init(params)

    def step(self, state: Player, batch: Batch, key: Array) -> tuple[Player, Metrics]:
        return self.descent.step(state, self._loss, batch)

    def evaluate(self, state: Player, batch: Batch, key: Array) -> Metrics:
        x, y = _truth(batch), batch["blurry"]
        found = jnp.clip(self._mended(state.best, y), 0, 1)
        found, x, y = (_inside(image) for image in (found, x, y))
        return {
            "psnr": psnr(found, x),
            "ssim": ssim(found, x),
            # What it must beat.
            "psnr_of_blurry": psnr(y, x),
        }

    def pictures(self, state: Player, batch: Batch, key: Array) -> dict[str, Array]:
        y = batch["blurry"]
        judged = self.module.apply(self._variables(state.best), y, method="find")
        return {
            "blurry y": y,
            "kernels found": draw_field(KernelField(*judged), y),  # type: ignore[misc]
            "mended": jnp.clip(self._mended(state.best, y), 0, 1),
            "sharp x": _truth(batch),
        }

    def weights(self, state: Player) -> tuple[Mender, dict[str, Any]]:
        return self.module.clone(dtype=None), self._variables(state.best)

    def _variables(self, params: Params) -> dict[str, Any]:
        return {"params": {"judge": self.judge, "restorer": params}}

    def _mended(self, params: Params, y: Array) -> Array:
        return self.module.apply(self._variables(params), y)  # type: ignore[return-value]

    def _loss(self, params: Params, batch: Batch) -> tuple[Array, Metrics]:
        x = _inside(_truth(batch))
        found = _inside(self._mended(params, batch["blurry"]))
        error = jnp.mean(jnp.square(found - x), (1, 2, 3))
        loss = jnp.mean(jnp.log(error + FLOOR))
        # Where all is white there is no error, and the true PSNR has no bound.
        return loss, {"psnr": -10 / jnp.log(10.0) * loss}


def _truth(batch: Batch) -> Array:
    """x, which a scene has brighter than white where its photo is clipped."""
    return jnp.clip(batch["sharp"], 0, 1)


def _inside(images: Array) -> Array:
    return images[:, BORDER:-BORDER, BORDER:-BORDER]
