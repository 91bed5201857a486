"""A generator of images of one kind, and a critic (Karras et al., StyleGAN2).

    L_D = E softplus(D(G(w, n))) + E softplus(-D(x))  +  p / 2 E ||grad D(x)||^2
    L_G = E softplus(-D(G(w, n))),    w = map(z), z and n ~ N(0, I)

A part of the images has the styles of two z: the first layers those of one, the others
those of another. Images x are "sharp" ones of the data, in [0, 1] there and in [-1, 1]
for both players. No score says how good a generator is; `spread` says whether it draws
the same image always.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.losses import (
    ADVERSARIAL,
    Adversarial,
    over_answers,
    real_gradient_penalty,
)
from kernel_space_jax.models.generators import GENERATORS, Generator, draw
from kernel_space_jax.models.restorers.face import SIGNED
from kernel_space_jax.training.networks import (
    Critic,
    Learner,
    made_two,
    options_of_two,
)
from kernel_space_jax.training.players import Descent, Params, Player, Statistics
from kernel_space_jax.training.task import (
    Batch,
    Config,
    Frozen,
    Metrics,
    example_keys,
)
from kernel_space_jax.weights import Weights

GENERATOR, CRITIC = "generator", "critic"
PLAYERS = (GENERATOR, CRITIC)

State = dict[str, Player]

SETTINGS = {
    "adversarial": "vanilla",
    "penalty_weight": 10.0,  # p
    "mixed": 0.9,  # the part of images with two styles
}


def options(network: str = "stylegan2", critic: str = "patchgan") -> Config:
    """Both players, and how they play."""
    return options_of_two(network, critic, SETTINGS, _generator)


def build(config: Config, descents: dict[str, Descent]) -> "GeneratorTask":
    model = config.model
    if model.adversarial not in ADVERSARIAL:
        raise unknown("adversarial loss", model.adversarial, ADVERSARIAL)
    module, judge = made_two(config, SETTINGS, _generator)
    assert isinstance(module, Generator)
    if config.data.crop != module.size:
        raise UserError(
            f"the generator makes images of {module.size}x{module.size}; set "
            f"config.data.crop={module.size}, or fewer or more config.model.widths"
        )
    axis = descents[GENERATOR].axis
    return GeneratorTask(
        Drawer(module, axis),
        Critic(judge, axis),
        descents,
        ADVERSARIAL[model.adversarial],
        model,
    )


def _generator(name: str, **options: Any) -> Any:
    if name not in GENERATORS:
        raise unknown("generator", name, GENERATORS)
    return GENERATORS[name](**options)


@dataclass(frozen=True)
class Drawer(Learner):
    """G, with the styles and the noise of examples drawn from their keys."""

    module: Generator

    def fresh(self, key: Array) -> Params:
        return self.module.init(key, *self.module.inputs())["params"]

    def drawn(self, params: Params, keys: Array, mixed: float = 0.0) -> Array:
        """Images (N, R, R, 3) in [-1, 1], one a key."""
        return draw(self.module, {"params": params}, keys, mixed)


@dataclass(frozen=True)
class GeneratorTask:
    """A batch holds "sharp" (N, R, R, 3)."""

    generator: Drawer
    critic: Critic
    descents: dict[str, Descent]
    adversarial: Adversarial
    options: Config

    @property
    def frozen(self) -> Frozen:
        return {}

    def init(self, key: Array) -> State:
        of_generator, of_critic = jax.random.split(key)
        return {
            GENERATOR: self.descents[GENERATOR].init(
                self.generator.fresh(of_generator)
            ),
            CRITIC: self.descents[CRITIC].init(*self.critic.fresh(of_critic)),
        }

    def step(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[State, Metrics]:
        generator, critic = state[GENERATOR], state[CRITIC]
        for_critic, for_generator = jax.random.split(key)
        seen = batch | {"made": self._drawn(generator.params, batch, for_critic)}
        critic, found = self.descents[CRITIC].step_with_statistics(
            critic, self._critic_loss, seen
        )
        generator, metrics = self.descents[GENERATOR].step(
            generator, partial(self._generator_loss, for_generator, critic), batch
        )
        metrics |= {f"critic_{name}": value for name, value in found.items()}
        return {GENERATOR: generator, CRITIC: critic}, metrics

    def evaluate(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        """How far images are from the mean of all, drawn and real (N,)."""
        made = self.generator.drawn(state[GENERATOR].best, example_keys(key, batch))
        return {
            "spread": _spread(jnp.clip(SIGNED.out(made), 0, 1)),
            "spread_of_real": _spread(batch["sharp"]),
        }

    def pictures(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        made = self.generator.drawn(state[GENERATOR].best, example_keys(key, batch))
        return {"drawn": jnp.clip(SIGNED.out(made), 0, 1), "real x": batch["sharp"]}

    def networks(self, state: State) -> dict[str, Weights]:
        return {
            GENERATOR: self.generator.weights({"params": state[GENERATOR].best}),
            CRITIC: self.critic.weights(state[CRITIC].variables),
        }

    def _drawn(self, params: Params, batch: Batch, key: Array) -> Array:
        return self.generator.drawn(
            params, example_keys(key, batch), self.options.mixed
        )

    def _critic_loss(
        self, params: Params, statistics: Statistics, part: Batch
    ) -> tuple[Array, tuple[Metrics, Statistics]]:
        x = SIGNED.into(part["sharp"])
        (real, fake), moved = self.critic.answers(params, statistics, x, part["made"])
        total = over_answers(self.adversarial.critic, real, fake)
        judge = lambda image: self.critic.judge(params, statistics, image)[0]
        penalty = real_gradient_penalty(judge, x)
        total += self.options.penalty_weight / 2 * penalty
        return total, ({"penalty": penalty}, moved)

    def _generator_loss(
        self, key: Array, critic: Player, params: Params, part: Batch
    ) -> tuple[Array, Metrics]:
        made = self._drawn(params, part, key)
        answers = self.critic.judge(critic.params, critic.statistics, made)
        return over_answers(self.adversarial.generator, answers), {}


def _spread(images: Array) -> Array:
    apart = images - jnp.mean(images, 0)
    return jnp.sqrt(jnp.mean(jnp.square(apart), (1, 2, 3)))
