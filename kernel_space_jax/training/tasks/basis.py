"""Training the adaptive basis decomposition (Carbajal et al. 2021).

    L = L_reblur + w L_kernel

on scenes whose true kernels are known (data.blur = "scene"); losses/adaptive.py has the
two. Every region of the scene counts alike, however small.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax import weights
from kernel_space_jax.drawing import draw_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.losses import kernel_error, reblur, region_weights
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.two_heads import TwoHeads
from kernel_space_jax.operators import Basis, Camera, KernelField
from kernel_space_jax.training.initial import like_he
from kernel_space_jax.training.optimise import Descent, Params, Player
from kernel_space_jax.training.task import Batch, Config, Metrics


def options() -> Config:
    """The published network and loss."""
    model: Config = ConfigDict()
    model.width = 64
    model.basis = 25
    model.kernel_scales = 5
    model.kernel_weight = 1.0
    model.p = 2
    model.relative = False  # kernels of little power count as much as sharp ones
    model.start = "published"  # or "he"
    return model


def build(config: Config, descent: Descent) -> "BasisTask":
    model = config.model
    if config.data.blur != "scene":
        raise UserError("the task basis needs true kernels: set data.blur='scene'")
    if model.p not in (1, 2):
        raise UserError(f"model.p is 1 or 2, not {model.p}")
    if model.start not in ("published", "he"):
        raise UserError(f"model.start={model.start!r} is unknown; published or he")
    module = TwoHeads(
        width=model.width,
        basis=model.basis,
        kernel_scales=model.kernel_scales,
        dtype=jnp.dtype(config.dtype),
    )
    side = 2**model.kernel_scales + 1
    if config.data.kernel_size != side:
        raise UserError(
            f"the network makes kernels of {side} pixels; set data.kernel_size={side}"
        )
    start = None
    if config.init_from:
        other, variables = weights.load(config.init_from)
        if other.clone(dtype=module.dtype) != module:
            raise UserError(
                f"{config.init_from} holds another network than the config describes"
            )
        start = variables["params"]
    return BasisTask(
        module,
        descent,
        model.kernel_weight,
        model.p,
        model.relative,
        start,
        he=model.start == "he",
    )


@dataclass(frozen=True)
class BasisTask:
    """A batch is of scenes: "sharp", "blurry", "kernels" and "masks"."""

    module: TwoHeads
    descent: Descent
    kernel_weight: float = 1.0
    p: int = 2
    relative: bool = False
    start: Params | None = None
    he: bool = False

    def init(self, key: Array) -> Player:
        params = self.module.init(key, jnp.zeros((1, 32, 32, 3)))["params"]
        if self.he:
            # Not the last layers: kernels and mixtures are to start even.
            params = like_he(params, lambda path: path[-2] != "conv2")
        return self.descent.init(params if self.start is None else self.start)

    def step(self, state: Player, batch: Batch, key: Array) -> tuple[Player, Metrics]:
        return self.descent.step(state, self._loss, batch)

    def evaluate(self, state: Player, batch: Batch, key: Array) -> Metrics:
        x, y = batch["sharp"], batch["blurry"]
        found = self._field(state.best, y)
        return {
            "psnr": psnr(_reblurred(x, found), y),
            # What a field improves on: no blur at all.
            "psnr_of_sharp": psnr(jnp.clip(x, 0, 1), y),
            "kernel_error": _relative_error(found, _truth(batch)),
        }

    def pictures(self, state: Player, batch: Batch, key: Array) -> dict[str, Array]:
        x, y = batch["sharp"], batch["blurry"]
        found = self._field(state.best, y)
        return {
            "sharp x": jnp.clip(x, 0, 1),
            "blurry y": y,
            "x blurred as found": _reblurred(x, found),
            "kernels found": draw_field(found, y),
            "true kernels": draw_field(_truth(batch), y),
        }

    def weights(self, state: Player) -> tuple[TwoHeads, dict[str, Any]]:
        return self.module.clone(dtype=None), {"params": state.best}

    def _field(self, params: Params, y: Array) -> KernelField:
        return KernelField(*self.module.apply({"params": params}, y))  # type: ignore[misc]

    def _loss(self, params: Params, batch: Batch) -> tuple[Array, Metrics]:
        x, y = batch["sharp"], batch["blurry"]
        found = self._field(params, y)
        regions = region_weights(batch["masks"])
        kernels = kernel_error(
            found, _truth(batch), weights=regions, p=self.p, relative=self.relative
        )
        again = reblur(found, x, y, weights=regions)
        return again + self.kernel_weight * kernels, {
            "reblur": again,
            "kernel": kernels,
        }


def _truth(batch: Batch) -> KernelField:
    return KernelField(batch["kernels"], batch["masks"])


def _relative_error(found: KernelField, truth: KernelField) -> Array:
    """L_kernel of each image, relative to the true kernels' power: (N,)."""

    def one(found: KernelField, truth: KernelField) -> Array:
        found, truth = jax.tree.map(lambda a: a[None], (found, truth))
        w = region_weights(truth.masks)
        return kernel_error(found, truth, weights=w, relative=True)

    return jax.vmap(one)(found, truth)


def _reblurred(x: Array, field: KernelField) -> Array:
    return jnp.clip(Camera(Basis())(x, field), 0, 1)
