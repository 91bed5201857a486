"""Two players on pairs: any restorer R of the table, and a critic D (Kupyn et al.).

    L_D = adversarial(D(x), D(R(y)))  +  p penalty(D)
    L_R = sum_s sum_l w_l L_l(R_s(y), x_s)  +  a adversarial(D(R(y)))

DeblurGAN (CVPR 2018) takes the Wasserstein distance with a gradient penalty and updates
D five times a step, DeblurGAN-v2 (ICCV 2019) RaLSGAN with the critics of patches and of
the photo. D sees images in [-1, 1] and is updated first, on the images that R made
before. Each of several answers of D has its own loss and penalty; they are averaged.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.errors import unknown
from kernel_space_jax.losses import (
    ADVERSARIAL,
    RELATIVISTIC,
    Adversarial,
    Relativistic,
    gradient_penalty,
    mixture,
    over_answers,
    pixel_gradient_penalty,
    rivals,
)
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.restorers.face import SIGNED
from kernel_space_jax.training import content
from kernel_space_jax.training.content import Content
from kernel_space_jax.training.initial import given_variables
from kernel_space_jax.training.networks import (
    Critic,
    Restorer,
    made_two,
    options_of_two,
    photos,
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

RESTORER, CRITIC = "restorer", "critic"
PLAYERS = (RESTORER, CRITIC)
UPDATES = {CRITIC: "critic_updates"}
PENALTIES = {"images": gradient_penalty, "pixels": pixel_gradient_penalty}
# Of the critic's statistics: its recent answers, for relativistic losses.
RIVALS = "rivals"

State = dict[str, Player]


SETTINGS = {
    "critic_updates": 5,  # a step, on its batch
    "adversarial": "wasserstein",
    "adversarial_weight": 1e-3,  # a
    "penalty": "images",  # or "pixels", as DeblurGAN's program has it
    "penalty_weight": 10.0,  # p
}


def options(network: str = "deblurgan", critic: str = "deblurgan-critic") -> Config:
    """DeblurGAN's two players, with a loss that needs no weights of VGG."""
    return options_of_two(network, critic, {**content.options(), **SETTINGS})


def build(config: Config, descents: dict[str, Descent]) -> "AdversarialTask":
    model = config.model
    module, judge = made_two(config, {**content.options(), **SETTINGS})
    losses = ADVERSARIAL | RELATIVISTIC
    if model.adversarial not in losses:
        raise unknown("adversarial loss", model.adversarial, losses)
    if model.penalty not in PENALTIES:
        raise unknown("penalty", model.penalty, PENALTIES)
    alike, frozen = content.build(config, module)
    axis = descents[RESTORER].axis
    return AdversarialTask(
        Restorer(module, axis, given_variables(config, module)),
        Critic(judge, axis),
        descents,
        alike,
        losses[model.adversarial],
        model,
        frozen,
    )


@dataclass(frozen=True)
class AdversarialTask:
    """A batch holds "sharp" and "blurry" (N, H, W, 3)."""

    restorer: Restorer
    critic: Critic
    descents: dict[str, Descent]
    content: Content
    adversarial: Adversarial | Relativistic
    options: Config
    frozen: Frozen

    def init(self, key: Array) -> State:
        of_restorer, of_critic = jax.random.split(key)
        params, statistics = self.critic.fresh(of_critic)
        if isinstance(self.adversarial, Relativistic):
            known = [rivals() for _ in range(self.critic.scales)]
            statistics = {**statistics, RIVALS: known}
        return {
            RESTORER: self.descents[RESTORER].init(*self.restorer.fresh(of_restorer)),
            CRITIC: self.descents[CRITIC].init(params, statistics),
        }

    def step(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[State, Metrics]:
        restorer, critic = state[RESTORER], state[CRITIC]
        answers, _ = self.restorer.answers(
            restorer.params,
            restorer.statistics,
            batch["blurry"],
            example_keys(key, batch),
        )
        seen = batch | {"restored": answers[-1]}

        def update(critic: Player, number: Array) -> tuple[Player, Metrics]:
            loss = partial(self._critic_loss, jax.random.fold_in(key, number))
            return self.descents[CRITIC].step_with_statistics(critic, loss, seen)

        count = self.options.critic_updates
        critic, found = lax.scan(update, critic, jnp.arange(count))
        loss = partial(self._restorer_loss, key, frozen, critic)
        restorer, metrics = self.descents[RESTORER].step_with_statistics(
            restorer, loss, batch
        )
        # The critic's are those of its last update.
        metrics |= {f"critic_{name}": values[-1] for name, values in found.items()}
        return {RESTORER: restorer, CRITIC: critic}, metrics

    def evaluate(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        return self.restorer.scores(state[RESTORER].variables, batch)

    def pictures(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        return self.restorer.pictures(state[RESTORER].variables, batch)

    def networks(self, state: State) -> dict[str, Weights]:
        _, statistics = _parted(state[CRITIC].statistics)
        variables = {"params": state[CRITIC].best, **statistics}
        return {
            RESTORER: self.restorer.weights(state[RESTORER].variables),
            CRITIC: self.critic.weights(variables),
        }

    def _critic_loss(
        self, key: Array, params: Params, statistics: Statistics, part: Batch
    ) -> tuple[Array, tuple[Metrics, Statistics]]:
        x, fake = (SIGNED.into(image) for image in (photos(part)[0], part["restored"]))
        known, statistics = _parted(statistics)
        (real, fooled), moved = self.critic.answers(params, statistics, x, fake)
        if isinstance(self.adversarial, Relativistic):
            told = partial(self.adversarial.critic, axis=self.critic.axis)
            found = [*map(told, known, real, fooled)]
            moved = {**moved, RIVALS: [after for after, _ in found]}
            terms = [value for _, value in found]
            total = sum(terms, jnp.zeros(())) / len(terms)
        else:
            total = over_answers(self.adversarial.critic, real, fooled)
        metrics = {}
        if self.options.penalty_weight:
            metrics["penalty"] = self._penalty(
                lambda image: self.critic.judge(params, statistics, image),
                mixture(x, fake, jax.vmap(jax.random.uniform)(example_keys(key, part))),
            )
            total += self.options.penalty_weight * metrics["penalty"]
        return total, (metrics, moved)

    def _penalty(self, judge: Any, mixed: Array) -> Array:
        """The mean over the maps of D."""
        penalty = PENALTIES[self.options.penalty]
        one = lambda scale: penalty(lambda image: judge(image)[scale], mixed)
        terms = [one(scale) for scale in range(self.critic.scales)]
        return sum(terms, jnp.zeros(())) / len(terms)

    def _restorer_loss(
        self,
        key: Array,
        frozen: Frozen,
        critic: Player,
        params: Params,
        statistics: Statistics,
        part: Batch,
    ) -> tuple[Array, tuple[Metrics, Statistics]]:
        (x, y), keys = photos(part), example_keys(key, part)
        answers, moved = self.restorer.answers(params, statistics, y, keys)
        known, judged_by = _parted(critic.statistics)
        judge = partial(self.critic.judge, critic.params, judged_by)
        fooled = judge(SIGNED.into(answers[-1]))
        if isinstance(self.adversarial, Relativistic):
            real = judge(SIGNED.into(x))
            terms = [*map(self.adversarial.generator, known, real, fooled)]
            adversarial = sum(terms, jnp.zeros(())) / len(terms)
        else:
            adversarial = over_answers(self.adversarial.generator, fooled)
        alike = self.content(answers, x, frozen)
        metrics = {
            "psnr": jnp.mean(psnr(answers[-1], x)),
            "content": alike,
            "adversarial": adversarial,
        }
        return alike + self.options.adversarial_weight * adversarial, (metrics, moved)


def _parted(statistics: Statistics) -> tuple[Any, Statistics]:
    """A critic's rivals, if it has any, and the statistics of its network."""
    rest = {name: part for name, part in statistics.items() if name != RIVALS}
    return statistics.get(RIVALS), rest
