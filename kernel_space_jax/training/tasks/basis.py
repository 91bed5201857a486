"""Training the adaptive basis decomposition (Carbajal et al. 2021).

    L = r L_reblur + w L_kernel + s L_start

on scenes whose true kernels are known (data.blur = "scene"); losses/per_pixel.py has
the three. Every region of the scene counts alike, however small. The paper's loss has
r = w = 1 and s = 0; a network that knows nothing learns faster with s alone.
"""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax.drawing import draw_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.losses import (
    kernel_error,
    reblur,
    region_weights,
    start_error,
)
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.per_pixel.two_heads import TwoHeads
from kernel_space_jax.operators import Basis, Camera, KernelField
from kernel_space_jax.synthesis.centres import shake_centres
from kernel_space_jax.training.initial import given, like_he
from kernel_space_jax.training.players import Descent, Params, Player
from kernel_space_jax.training.task import Batch, Config, Frozen, Metrics
from kernel_space_jax.weights import Weights

PLAYER = "two_heads"
PLAYERS = (PLAYER,)


def options() -> Config:
    """The published network and loss."""
    model: Config = ConfigDict()
    model.width = 64
    model.basis = 25
    model.kernel_scales = 5
    model.even = False  # show the network contrasts that are alike everywhere
    model.reblur_weight = 1.0
    model.kernel_weight = 1.0
    model.start_weight = 0.0
    model.p = 2
    model.relative = False  # kernels of little power count as much as sharp ones
    model.start = "published"  # or "he"
    return model


def network(config: Config) -> TwoHeads:
    """The network that a config describes."""
    model = config.model
    side = 2**model.kernel_scales + 1
    if config.data.kernel_size != side:
        raise UserError(
            f"the network makes kernels of {side} pixels; set data.kernel_size={side}"
        )
    return TwoHeads(
        width=model.width,
        basis=model.basis,
        kernel_scales=model.kernel_scales,
        even=model.even,
        dtype=jnp.dtype(config.dtype),
    )


def inner(path: tuple[str, ...]) -> bool:
    """Whether a layer's first weights may be large.

    Not those of the last ones: kernels and mixtures are to start even.
    """
    return path[-2] != "conv2"


def build(config: Config, descents: dict[str, Descent]) -> "BasisTask":
    model = config.model
    if config.data.blur != "scene":
        raise UserError("the task basis needs true kernels: set data.blur='scene'")
    if model.p not in (1, 2):
        raise UserError(f"model.p is 1 or 2, not {model.p}")
    if model.start not in ("published", "he"):
        raise UserError(f"model.start={model.start!r} is unknown; published or he")
    module = network(config)
    centres = None
    if model.start_weight:
        centres = shake_centres(
            model.basis, config.data.kernel_size, still=config.data.still
        )
    return BasisTask(module, descents[PLAYER], model, centres, given(config, module))


@dataclass(frozen=True)
class BasisTask:
    """A batch is of scenes: "sharp", "blurry", "kernels" and "masks"."""

    module: TwoHeads
    descent: Descent
    options: Config
    centres: Array | None
    start: Params | None
    frozen: ClassVar[Frozen] = {}

    def init(self, key: Array) -> Player:
        params = self.module.init(key, jnp.zeros((1, 32, 32, 3)))["params"]
        if self.options.start == "he":
            params = like_he(params, inner)
        return self.descent.init(params if self.start is None else self.start)

    def step(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[Player, Metrics]:
        return self.descent.step(state, self._loss, batch)

    def evaluate(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        x, y = batch["sharp"], batch["blurry"]
        found = self._field(state.best, y)
        return {
            "psnr": psnr(_reblurred(x, found), y),
            # What a field improves on: no blur at all.
            "psnr_of_sharp": psnr(jnp.clip(x, 0, 1), y),
            "kernel_error": _relative_error(found, _truth(batch)),
        }

    def pictures(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        x, y = batch["sharp"], batch["blurry"]
        found = self._field(state.best, y)
        return {
            "sharp x": jnp.clip(x, 0, 1),
            "blurry y": y,
            "x blurred as found": _reblurred(x, found),
            "kernels found": draw_field(found, y),
            "true kernels": draw_field(_truth(batch), y),
        }

    def networks(self, state: Player) -> dict[str, Weights]:
        return {PLAYER: Weights(self.module.clone(dtype=None), {"params": state.best})}

    def _field(self, params: Params, y: Array) -> KernelField:
        return KernelField(*self.module.apply({"params": params}, y))  # type: ignore[misc]

    def _loss(self, params: Params, batch: Batch) -> tuple[Array, Metrics]:
        x, y, model = batch["sharp"], batch["blurry"], self.options
        found, truth = self._field(params, y), _truth(batch)
        regions = region_weights(batch["masks"])
        loss, metrics = jnp.zeros(()), {}
        if model.reblur_weight:
            metrics["reblur"] = reblur(found, x, y, weights=regions)
            loss += model.reblur_weight * metrics["reblur"]
        if model.kernel_weight:
            metrics["kernel"] = kernel_error(
                found, truth, weights=regions, p=model.p, relative=model.relative
            )
            loss += model.kernel_weight * metrics["kernel"]
        if self.centres is not None:
            metrics["mixing"], metrics["centres"] = start_error(
                found, truth, self.centres, weights=regions
            )
            loss += model.start_weight * (metrics["mixing"] + metrics["centres"])
        return loss, metrics


def _truth(batch: Batch) -> KernelField:
    return KernelField(batch["kernels"], batch["masks"])


def _relative_error(found: KernelField, truth: KernelField) -> Array:
    """L_kernel of each image, relative to the kernels' power: (N,)."""

    def one(found: KernelField, truth: KernelField) -> Array:
        found, truth = jax.tree.map(lambda a: a[None], (found, truth))
        w = region_weights(truth.masks)
        return kernel_error(found, truth, weights=w, relative=True)

    return jax.vmap(one)(found, truth)


def _reblurred(x: Array, field: KernelField) -> Array:
    return jnp.clip(Camera(Basis())(x, field), 0, 1)
