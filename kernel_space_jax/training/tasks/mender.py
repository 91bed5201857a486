"""Training what mends a photo by the words of a judge (models/per_pixel/mender.py).

    L = mean log( mean |U(y) - x|^2 + e )

over photos x with synthesised blur: the PSNR, so that a photo which has little to be
mended counts as much as one that has a lot. The judge is given, and stays as it is.

What the U-Net is told takes far longer to find out than the U-Net to learn from it. So
it is told everything about a batch once, and learns from it several times, mirrored and
turned; Choi et al., "Faster Neural Network Training with Data Echoing" (2019).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from ml_collections import ConfigDict

from kernel_space_jax import weights
from kernel_space_jax.drawing import draw_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.metrics import psnr, ssim
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import Mender, guide
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.light import in_grey
from kernel_space_jax.solvers.per_pixel.found import (
    decided,
    found_noise,
    half_quadratic_found,
    likeliest,
)
from kernel_space_jax.synthesis import shake_kernel
from kernel_space_jax.training.initial import given
from kernel_space_jax.training.players import Descent, Params, Player
from kernel_space_jax.training.task import (
    Batch,
    Config,
    Frozen,
    Metrics,
    example_keys,
)

# e, and the pixels along the border that lack what was blurred into them.
FLOOR, BORDER = 1e-5, 8
# Kernels that the solver is given: a crop has fewer than a photo.
LIKELIEST = 12
# Each of them or not: the eight ways to lay down a square.
TURNS = (
    lambda image: image[:, ::-1],
    lambda image: image[:, :, ::-1],
    lambda image: image.swapaxes(1, 2),
)


PLAYER, JUDGE = "mender", "judge"
PLAYERS = (PLAYER,)
UPDATES = {PLAYER: "echoes"}


def options() -> Config:
    """The judge's weights, and the size of the U-Net (models/restorers/compact.py)."""
    model: Config = ConfigDict()
    model.judge = "judge"
    model.width = 32
    model.scales = 3
    model.blocks = 2
    model.echoes = 3  # updates from each batch
    # The part of photos whose background's kernel is among the candidates, as that of
    # `map` is where it is right; the others have a wrong one there.
    model.known = 0.3
    return model


def build(config: Config, descents: dict[str, Descent]) -> "MenderTask":
    model = config.model
    if config.data.blur != "scene":
        raise UserError("the task mender needs true kernels: set data.blur='scene'")
    judge, variables = weights.load(model.judge)
    if not isinstance(judge, Judge):
        raise UserError(
            f"model.judge={model.judge!r} holds a {type(judge).__name__}; name a Judge"
        )
    module = Mender(
        width=judge.width,
        candidates=judge.candidates,
        variants=judge.variants,
        kernel_size=judge.kernel_size,
        gamma=judge.gamma,
        restorer_width=model.width,
        scales=model.scales,
        blocks=model.blocks,
        dtype=jnp.dtype(config.dtype),
    )
    judged = {JUDGE: variables}
    start = given(config, module, free=("candidates", "variants"))
    return MenderTask(
        module, descents[PLAYER], judged, model.echoes, model.known, start
    )


@dataclass(frozen=True)
class MenderTask:
    """A batch is of scenes: "sharp", "blurry" and "kernels"; only the U-Net learns."""

    module: Mender
    descent: Descent
    frozen: Frozen  # the judge
    echoes: int
    known: float
    start: Params | None = None

    def init(self, key: Array) -> Player:
        if self.start is not None:
            return self.descent.init(self.start["restorer"])
        side = 4 * 2**self.module.scales
        y = jnp.zeros((1, side, side, 3))
        params = self.module.init(key, y, in_grey(y))["params"]
        return self.descent.init(params["restorer"])

    def step(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[Player, Metrics]:
        told, _ = self._told(batch, key, frozen)

        def update(state: Player, key: Array) -> tuple[Player, Metrics]:
            loss = partial(self._loss, frozen)
            return self.descent.step(state, loss, _turned(told, key))

        keys = jax.random.split(key, self.echoes)
        state, metrics = lax.scan(update, state, keys)
        # The first update's, which has not seen the batch before.
        return state, jax.tree.map(lambda values: values[0], metrics)

    def evaluate(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        told, _ = self._told(batch, key, frozen)
        found = jnp.clip(self._mended(frozen, state.best, told), 0, 1)
        images = (found, told["sharp"], told["blurry"])
        found, x, y = (_inside(image) for image in images)
        return {
            "psnr": psnr(found, x),
            "ssim": ssim(found, x),
            # What it must beat.
            "psnr_of_blurry": psnr(y, x),
        }

    def pictures(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        told, field = self._told(batch, key, frozen)
        return {
            "blurry y": told["blurry"],
            "kernels found": draw_field(field, told["blurry"]),
            "mended": jnp.clip(self._mended(frozen, state.best, told), 0, 1),
            "sharp x": told["sharp"],
        }

    def networks(self, state: Player) -> dict[str, weights.Weights]:
        variables = _variables(self.frozen, state.best)
        return {PLAYER: weights.Weights(self.module.clone(dtype=None), variables)}

    def _told(
        self, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[Batch, KernelField]:
        """The photos with all that the U-Net is told of them; what the judge said."""
        y, gamma = batch["blurry"], self.module.gamma
        others = jax.vmap(self._other)(example_keys(key, batch), batch["kernels"])
        judge = {"params": {JUDGE: frozen[JUDGE]["params"]}}
        apply = partial(self.module.apply, judge, y)
        field = KernelField(*apply(others, method="find"))  # type: ignore[misc]
        if self.module.variants:
            field = KernelField(*apply(*field, method="closer"))  # type: ignore[misc]
        grey = in_grey(y, gamma)
        likely = likeliest(decided(field), LIKELIEST)
        solved = half_quadratic_found(grey, likely, noise=found_noise(grey)).x
        told = guide(y, *field, jnp.clip(solved, 0, 1), gamma)
        # A scene has x brighter than white where its photo is clipped.
        x = jnp.clip(batch["sharp"], 0, 1)
        return {"blurry": y, "told": told, "sharp": x}, field

    def _other(self, key: Array, kernels: Array) -> Array:
        """What `map` may find in a scene of these kernels: (1, s, s)."""
        chance, shake = jax.random.split(key)
        known = jax.random.uniform(chance) < self.known
        wrong = shake_kernel(shake, self.module.kernel_size)
        return jnp.where(known, kernels[0], wrong)[None]

    def _mended(self, frozen: Frozen, params: Params, told: Batch) -> Array:
        return self.module.apply(  # type: ignore[return-value]
            _variables(frozen, params), told["blurry"], told["told"], method="answer"
        )

    def _loss(
        self, frozen: Frozen, params: Params, told: Batch
    ) -> tuple[Array, Metrics]:
        x = _inside(told["sharp"])
        found = _inside(self._mended(frozen, params, told))
        error = jnp.mean(jnp.square(found - x), (1, 2, 3))
        loss = jnp.mean(jnp.log(error + FLOOR))
        # Where all is white there is no error, and the true PSNR has no bound.
        return loss, {"psnr": -10 / jnp.log(10.0) * loss}


def _variables(frozen: Frozen, params: Params) -> dict[str, Any]:
    """The judge, and the U-Net that learns beside it."""
    return {"params": {JUDGE: frozen[JUDGE]["params"], "restorer": params}}


def _turned(told: Batch, key: Array) -> Batch:
    """All images (N, H, H, C) mirrored and turned, as the key says."""
    chances = jax.random.bernoulli(key, shape=(len(TURNS),))
    for turn, chance in zip(TURNS, chances, strict=True):
        turned = jax.tree.map(turn, told)
        told = jax.tree.map(partial(jnp.where, chance), turned, told)
    return told


def _inside(images: Array) -> Array:
    return images[:, BORDER:-BORDER, BORDER:-BORDER]
