"""Training any restorer of the table, x = R(y), on pairs.

    L = sum_s sum_l w_l L_l(R_s(y), x_s)

over the losses l of `config.model.losses` and the answers s of R: all that it gives
with `every=True`, or its one answer. x_s is x made as small: by means of its pixels, or
by taking every n-th of them if R is `strided`.
"""

import dataclasses
import inspect
from dataclasses import dataclass
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax.errors import UserError
from kernel_space_jax.losses.pixel import RESTORATION
from kernel_space_jax.metrics import psnr, ssim
from kernel_space_jax.models.restorers import applied, initial, restorer
from kernel_space_jax.training.initial import given_variables
from kernel_space_jax.training.players import Descent, Params, Player, Statistics
from kernel_space_jax.training.task import (
    Batch,
    Config,
    Frozen,
    Metrics,
    example_keys,
)
from kernel_space_jax.weights import Weights
from kernel_space_jax.weights.options import checked

PLAYER = "restorer"
PLAYERS = (PLAYER,)
HIDDEN = ("parent", "name", "dtype")


def options(network: str = "compact") -> Config:
    """The losses, and the keywords of a network or preset with their defaults."""
    module = restorer(network)
    model: Config = ConfigDict()
    model.network = network
    model.losses = ConfigDict({"charbonnier": 1.0}, type_safe=False)
    for field in dataclasses.fields(module):
        if field.name not in HIDDEN:
            model[field.name] = getattr(module, field.name)
    return model


def build(config: Config, descents: dict[str, Descent]) -> "SupervisedTask":
    keywords = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in config.model.items()
        if name not in ("network", "losses")
    }
    try:
        module = restorer(config.model.network, **keywords)
    except TypeError:
        raise UserError(
            f"config.model has keywords that {config.model.network!r} has not; name "
            "the network in the config file: defaults('supervised', network=...)"
        ) from None
    checked(config.model.network, type(module), keywords)
    if hasattr(module, "dtype"):
        module = module.clone(dtype=jnp.dtype(config.dtype))  # type: ignore[call-arg]
    elif config.dtype != "float32":
        raise UserError(f"{config.model.network} has no dtype; leave config.dtype out")
    losses = {name: float(w) for name, w in config.model.losses.items() if w}
    unknown = sorted(losses.keys() - RESTORATION.keys())
    if unknown or not losses:
        raise UserError(
            f"model.losses names {unknown[0]!r}; it takes weights of "
            f"{', '.join(RESTORATION)}"
            if unknown
            else "model.losses is empty; give a weight to one, as in {'l1': 1.0}"
        )
    start = given_variables(config, module)
    return SupervisedTask(module, descents[PLAYER], losses, start)


@dataclass(frozen=True)
class SupervisedTask:
    """A batch holds "sharp" and "blurry" (N, H, W, 3)."""

    module: nn.Module
    descent: Descent
    losses: dict[str, float]
    start: dict[str, Any] | None = None
    frozen: ClassVar[Frozen] = {}

    def init(self, key: Array) -> Player:
        fresh = self.start or initial(self.module, key)
        params, statistics = _parted(dict(fresh))
        return self.descent.init(params, statistics)

    def step(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[Player, Metrics]:
        def loss(params: Params, statistics: Statistics, part: Batch):
            return self._loss(params, statistics, part, example_keys(key, part))

        return self.descent.step_with_statistics(state, loss, batch)

    def evaluate(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        x, y = _photos(batch)
        found = self._restored(state, y)
        return {
            "psnr": psnr(found, x),
            "ssim": ssim(found, x),
            # What a restorer must beat.
            "psnr_of_blurry": psnr(y, x),
        }

    def pictures(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        x, y = _photos(batch)
        return {"blurry y": y, "restored": self._restored(state, y), "sharp x": x}

    def networks(self, state: Player) -> dict[str, Weights]:
        module = self.module
        if hasattr(module, "dtype"):
            module = module.clone(dtype=None)  # type: ignore[call-arg]
        return {PLAYER: Weights(module, state.variables)}

    def _restored(self, state: Player, y: Array) -> Array:
        return jnp.clip(applied(self.module, state.variables, y), 0, 1)

    def _loss(
        self, params: Params, statistics: Statistics, batch: Batch, keys: Array
    ) -> tuple[Array, tuple[Metrics, Statistics]]:
        x, y = _photos(batch)
        found, statistics = self._every(params, statistics, y, keys)
        total = jnp.zeros(())
        for answer in found:
            target = self._resized(x, answer.shape)
            for name, weight in self.losses.items():
                total += weight * RESTORATION[name](answer, target)
        return total, ({"psnr": jnp.mean(psnr(found[-1], x))}, statistics)

    def _resized(self, x: Array, shape: tuple[int, ...]) -> Array:
        """x as small as an answer, from the pixels that the answer stands for."""
        if shape == x.shape:
            return x
        if getattr(self.module, "strided", False):
            down, across = (-(-x.shape[axis] // shape[axis]) for axis in (1, 2))
            return x[:, ::down, ::across]
        return jax.image.resize(x, shape, "linear", antialias=False)

    def _every(
        self, params: Params, statistics: Statistics, y: Array, keys: Array
    ) -> tuple[list[Array], Statistics]:
        """All answers of a network in training, the restored image last."""
        takes = inspect.signature(self.module.__call__).parameters
        options = {"keys": keys, "every": True}
        more = {name: value for name, value in options.items() if name in takes}
        variables = {"params": params, **statistics}
        answers, changed = applied(
            self.module, variables, y, **more, mutable=list(statistics)
        )
        if self.descent.axis:
            # Of all devices of a `pmap`, which keep the same ones.
            changed = jax.lax.pmean(changed, self.descent.axis)
        return jax.tree.leaves(answers), dict(changed)


def _photos(batch: Batch) -> tuple[Array, Array]:
    """x and y as photos: a scene has x brighter than white where y is clipped."""
    return jnp.clip(batch["sharp"], 0, 1), batch["blurry"]


def _parted(variables: dict[str, Any]) -> tuple[Params, Statistics]:
    return variables.pop("params"), variables
