"""The judge of candidate kernels, taught to name the one behind each place of a scene.

    L = - mean_i sum_t p_t(i) log q_t(i)  +  w L_kernel( sum_t q_t(i) h_t )

over the cells i of photos whose true kernels h_i are known (data.blur = "scene"), with

    p_t(i) = softmax_t( -d(h_t, h_i) / tau ),   d(a, b) = 1 - 2 <a, b> / (|a|^2 + |b|^2)

and L_kernel relative (losses/per_pixel.py). All candidates at once would cost too much:
a scene is shown some of them, one half near to its kernels and the other any; with
model.variants half of the scenes are shown these instead of the centres. With
model.alike there are also some made from its own kernels, and from those of another
scene, bent more or less: what is said of kernels never seen is then to be believed.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax.drawing import draw_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.losses import kernel_error
from kernel_space_jax.models.per_pixel.judge import CELL, Judge
from kernel_space_jax.operators import KernelField
from kernel_space_jax.synthesis.centres import (
    shake_centres,
    shake_sample,
    shake_variants,
)
from kernel_space_jax.synthesis.kernels import BENDS, bend_kernel
from kernel_space_jax.training.initial import given, like_he
from kernel_space_jax.training.players import Descent, Params, Player
from kernel_space_jax.training.task import Batch, Config, Frozen, Metrics, example_keys
from kernel_space_jax.weights import Weights

# Cells along the border, which the undoing of a blur leaves uncertain.
BORDER = 2
# What is called near is not always the nearest: distances differ by as much as this.
JITTER = 0.25
FAR = 10.0
# Those that are alike: of this part a kernel itself, of the rest shakes near to it, out
# of so many; bent by up to so much, but some of them not at all.
OWN = 0.6
SHAKES = 2000
BENT, UNBENT = 0.25, 0.15

PLAYER = "judge"
PLAYERS = (PLAYER,)


def options() -> Config:
    model: Config = ConfigDict()
    model.width = 48
    model.candidates = 64  # the first is no blur at all
    model.variants = 8  # of each of the others, for a second look
    model.tried = 16  # of them, for each scene of a step
    model.alike = 0  # of those, made from a scene's kernels, and another's
    model.tau = 0.12
    model.kernel_weight = 1.0
    return model


def build(config: Config, descents: dict[str, Descent]) -> "JudgeTask":
    data, model = config.data, config.model
    if data.blur != "scene":
        raise UserError("the task judge needs true kernels: set data.blur='scene'")
    if not data.objects < (model.tried - model.alike) // 2 <= model.candidates // 2:
        raise UserError(
            "model.tried - model.alike is to be more than twice data.objects, and at "
            "most model.candidates"
        )
    module = Judge(
        width=model.width,
        candidates=model.candidates,
        variants=model.variants,
        kernel_size=data.kernel_size,
        dtype=jnp.dtype(config.dtype),
    )
    made = {"kernels": shake_centres(model.candidates, data.kernel_size, still=1.0)}
    if model.variants:
        made["variants"] = shake_variants(
            model.candidates, model.variants, data.kernel_size
        )
    shakes = jnp.asarray(shake_sample(data.kernel_size)[:SHAKES])
    # What was learned holds for any candidates.
    start = given(config, module, free=("candidates", "variants"))
    return JudgeTask(module, descents[PLAYER], model, made, shakes, start)


@dataclass(frozen=True)
class JudgeTask:
    """A batch is of scenes: "blurry", "kernels" and "masks"."""

    module: Judge
    descent: Descent
    options: Config
    made: dict[str, Array]
    shakes: Array
    start: Params | None
    frozen: ClassVar[Frozen] = {}

    @property
    def centres(self) -> Array:
        return self.made["kernels"]

    def init(self, key: Array) -> Player:
        if self.start is not None:
            return self.descent.init(self.start | self.made)
        params = self.module.init(key, jnp.zeros((1, 32, 32, 3)))["params"]
        params = like_he(params, lambda path: path[-2] != "score")
        return self.descent.init(params | self.made)

    def step(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[Player, Metrics]:
        return self.descent.step(
            state, lambda params, part: self._loss(params, part, key), batch
        )

    def evaluate(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        truth = _cells(KernelField(batch["kernels"], batch["masks"]))
        first, closer = self._found(state.best, batch["blurry"])
        field = _cells(first)
        wanted = _inside(
            jnp.einsum(
                "nhwr,nrb->nhwb", truth.masks, self._wanted(batch, field.kernels)
            )
        )
        right = jnp.argmax(_inside(field.masks), -1) == jnp.argmax(wanted, -1)
        return {
            "accuracy": jnp.mean(right.astype(jnp.float32), (1, 2)),
            "kernel_error": _errors(field, truth),
            # After the second look.
            "closer_error": _errors(_cells(closer), truth),
        }

    def pictures(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        y = batch["blurry"]
        found = self._found(state.best, y)[1]
        truth = KernelField(batch["kernels"], batch["masks"])
        return {
            "blurry y": y,
            "kernels found": draw_field(found, y),
            "true kernels": draw_field(truth, y),
        }

    def networks(self, state: Player) -> dict[str, Weights]:
        return {PLAYER: Weights(self.module.clone(dtype=None), {"params": state.best})}

    def _loss(self, params: Params, batch: Batch, key: Array) -> tuple[Array, Metrics]:
        kernels = self._tried(batch, example_keys(key, batch))
        log = self._scores(params, batch, kernels)
        truth = _cells(KernelField(batch["kernels"], batch["masks"]))
        wanted = jnp.einsum("nhwr,nrt->nhwt", truth.masks, self._wanted(batch, kernels))
        missed = -jnp.mean(_inside(jnp.sum(wanted * log, -1, keepdims=True)))
        field = KernelField(kernels, jnp.exp(log))
        kernel = jnp.mean(_errors(field, truth))
        loss = missed + self.options.kernel_weight * kernel
        return loss, {"missed": missed, "kernel": kernel}

    def _scores(self, params: Params, batch: Batch, kernels: Array) -> Array:
        """log q of kernels (N, T, s, s) for each cell: (N, h, w, T)."""
        scores = self.module.apply(
            {"params": params}, batch["blurry"], kernels, method="scores"
        )
        return jax.nn.log_softmax(jnp.moveaxis(scores, 1, -1))  # type: ignore[arg-type]

    def _found(self, params: Params, y: Array) -> tuple[KernelField, KernelField]:
        """What the first look finds, and the second."""
        apply = partial(self.module.apply, {"params": params}, y)
        first = KernelField(*apply())  # type: ignore[misc]
        if not self.options.variants:
            return first, first
        return first, KernelField(*apply(*first, method="closer"))  # type: ignore[misc]

    def _wanted(self, batch: Batch, kernels: Array) -> Array:
        """p of kernels (N, T, s, s) for each region of a scene: (N, R, T)."""
        apart = jax.vmap(distance)(batch["kernels"], kernels)
        return jax.nn.softmax(-apart / self.options.tau)

    def _tried(self, batch: Batch, keys: Array) -> Array:
        """Candidates for each scene, the nearest to each of its kernels among them."""
        count, alike = self.options.tried, self.options.alike
        near = (count - alike) // 2
        side = self.module.kernel_size
        variants = self.made.get("variants", jnp.zeros((0, side, side)))
        pool = jnp.concatenate([self.centres, variants.reshape(-1, side, side)])
        # No blur is a candidate of either look.
        centre, variant = (np.arange(len(pool)) < n for n in (len(self.centres), 1))
        variant |= ~centre

        def one(key: Array, kernels: Array) -> Array:
            key, other, look = jax.random.split(key, 3)
            closer = (len(variants) > 0) & jax.random.bernoulli(look)
            barred = 2 * FAR * ~jnp.where(closer, variant, centre)
            apart = distance(kernels, pool) + barred
            jitter, rest = jax.random.uniform(key, (2, len(pool)))
            order = jnp.min(apart, 0) + JITTER * jitter
            order = order.at[jnp.argmin(apart, -1)].add(-FAR)
            first = jnp.argsort(order)[:near]
            rest = (rest + barred).at[first].add(FAR)
            others = jnp.argsort(rest)[: count - alike - near]
            shown = pool[jnp.concatenate([first, others])]
            return jnp.concatenate([shown, self._alike(kernels, other)])

        return jax.vmap(one)(keys, batch["kernels"])

    def _alike(self, kernels: Array, key: Array) -> Array:
        """Kernels that differ little from each other: (alike, s, s).

        Half of them are made from the given and half from as many of another scene:
        how a candidate was made must not tell whether it is right.
        """
        alike = self.options.alike
        decoys, draws, jitter, bend = jax.random.split(key, 4)
        others = jax.random.choice(decoys, self.shakes, (len(kernels),))
        both = jnp.concatenate([kernels, others])
        which, own, much = jax.random.uniform(draws, (3, alike))
        model = both[jnp.int32(which * len(both))]
        apart = distance(model, self.shakes)
        apart = apart + JITTER * jax.random.uniform(jitter, apart.shape)
        near = self.shakes[jnp.argmin(apart, -1)]
        start = jnp.where((own < OWN)[:, None, None], model, near)
        strength = BENT * jnp.maximum(much - UNBENT, 0)[:, None, None]
        bends = strength * jax.random.normal(bend, (alike, 2, len(BENDS)))
        return jax.vmap(bend_kernel)(start, bends)


def distance(a: Array, b: Array) -> Array:
    """d of kernels (R, s, s) and (T, s, s), from 0 to 1: (R, T)."""
    a, b = (h.reshape(len(h), h.shape[1] * h.shape[2]) for h in (a, b))
    power = jnp.sum(jnp.square(a), -1)[:, None] + jnp.sum(jnp.square(b), -1)
    return 1 - 2 * (a @ b.T) / power


def _cells(field: KernelField) -> KernelField:
    """A field with the mean of each cell for its pixels."""
    masks = field.masks
    sides = [-(-n // CELL) for n in masks.shape[1:3]]
    size = (len(masks), *sides, masks.shape[-1])
    return field._replace(masks=jax.image.resize(masks, size, "linear", antialias=True))


def _inside(cells: Array) -> Array:
    """What is not at the border of (N, h, w, ...)."""
    return cells[:, BORDER:-BORDER, BORDER:-BORDER]


def _errors(field: KernelField, truth: KernelField) -> Array:
    """Relative L_kernel of each example: (N,)."""
    field, truth = (f._replace(masks=_inside(f.masks)) for f in (field, truth))

    def one(field: KernelField, truth: KernelField) -> Array:
        field, truth = jax.tree.map(lambda a: a[None], (field, truth))
        return kernel_error(field, truth, relative=True)

    return jax.vmap(one)(field, truth)
