"""Training any restorer of the table, x = R(y), on pairs.

    L = sum_s sum_l w_l L_l(R_s(y), x_s)

over the losses l of `config.model.losses` (content.py) and the answers s of R: all that
it gives with `every=True`, or its one answer.
"""

from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.restorers import restorer
from kernel_space_jax.training import content
from kernel_space_jax.training.content import Content
from kernel_space_jax.training.initial import given_variables
from kernel_space_jax.training.networks import Restorer, keywords, made, photos
from kernel_space_jax.training.players import Descent, Params, Player, Statistics
from kernel_space_jax.training.task import (
    Batch,
    Config,
    Frozen,
    Metrics,
    example_keys,
)
from kernel_space_jax.weights import Weights

PLAYER = "restorer"
PLAYERS = (PLAYER,)


def options(network: str = "compact") -> Config:
    """The losses, and the keywords of a network or preset with their defaults."""
    model = _settings(network)
    model.update(keywords(restorer(network)))
    return model


def _settings(network: str) -> Config:
    model: Config = ConfigDict()
    model.network = network
    model.update(content.options())
    return model


def build(config: Config, descents: dict[str, Descent]) -> "SupervisedTask":
    settings = _settings(config.model.network)
    own = {name: v for name, v in config.model.items() if name not in settings}
    module = made(config, restorer, "network", own)
    losses, frozen = content.build(config, module)
    descent = descents[PLAYER]
    learns = Restorer(module, descent.axis, given_variables(config, module))
    return SupervisedTask(learns, descent, losses, frozen)


@dataclass(frozen=True)
class SupervisedTask:
    """A batch holds "sharp" and "blurry" (N, H, W, 3)."""

    restorer: Restorer
    descent: Descent
    content: Content
    frozen: Frozen

    def init(self, key: Array) -> Player:
        return self.descent.init(*self.restorer.fresh(key))

    def step(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[Player, Metrics]:
        loss = partial(self._loss, key, frozen)
        return self.descent.step_with_statistics(state, loss, batch)

    def evaluate(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        return self.restorer.scores(state.variables, batch)

    def pictures(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        return self.restorer.pictures(state.variables, batch)

    def networks(self, state: Player) -> dict[str, Weights]:
        return {PLAYER: self.restorer.weights(state.variables)}

    def _loss(
        self,
        key: Array,
        frozen: Frozen,
        params: Params,
        statistics: Statistics,
        part: Batch,
    ) -> tuple[Array, tuple[Metrics, Statistics]]:
        (x, y), keys = photos(part), example_keys(key, part)
        found, moved = self.restorer.answers(params, statistics, y, keys)
        metrics = {"psnr": jnp.mean(psnr(found[-1], x))}
        return self.content(found, x, frozen), (metrics, moved)
