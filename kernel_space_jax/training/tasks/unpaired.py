"""What CycleGAN and DualGAN share: two restorers of unpaired photos, and two critics.

    R: y -> x restores,   F: x -> y blurs,   D_x and D_y judge sharp and blurry images

    L_R,F = adversarial(D_x(R(y))) + adversarial(D_y(F(x)))
            + c (|R(F(x)) - x| + |F(R(y)) - y|)  +  i (|R(x) - x| + |F(y) - y|)
    L_D   = d (adversarial(D_x(x), D_x(R(y))) + adversarial(D_y(y), D_y(F(x))))

Blurry and sharp photos are two named streams of the data; whatever else a stream holds
is for validation alone. R and F are the same network of the table of restorers, D_x and
D_y the same critic. Images are in [-1, 1] here; |.| is the mean over all numbers.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.losses import Adversarial, over_answers
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.restorers.face import SIGNED
from kernel_space_jax.training.initial import given_variables
from kernel_space_jax.training.networks import Critic, Restorer, made_two
from kernel_space_jax.training.players import Descent, Params, Player, Statistics
from kernel_space_jax.training.task import (
    Batch,
    Config,
    Frozen,
    Metrics,
    example_keys,
)
from kernel_space_jax.weights import Weights

# The players, each of two networks that learn together, and the names of these.
GENERATORS, CRITICS = "generators", "critics"
PLAYERS = (GENERATORS, CRITICS)
RESTORER, BLURRER = "restorer", "blurrer"
OF_SHARP, OF_BLURRY = "critic_of_sharp", "critic_of_blurry"
# The streams of data.
BLURRY_PHOTOS, SHARP_PHOTOS = "blurry_photos", "sharp_photos"

State = dict[str, Any]
Made = dict[str, Array]  # R(y) by the name of D_x, F(x) by that of D_y


@dataclass(frozen=True)
class Losses:
    """The adversarial loss, and the weights c, i and d."""

    adversarial: Adversarial
    cycle: float
    identity: float = 0.0
    critic: float = 1.0


def players(
    config: Config, descents: dict[str, Descent], settings: dict[str, Any]
) -> tuple[Restorer, Critic]:
    """What R and F are, and what D_x and D_y are."""
    for stream in (BLURRY_PHOTOS, SHARP_PHOTOS):
        if stream not in config.data.streams:
            raise UserError(
                f"the task {config.task} needs the data stream {stream}; set "
                f"config.data.streams.{stream}.train"
            )
    module, judge = made_two(config, settings)
    axis = descents[GENERATORS].axis
    start = given_variables(config, module)
    return Restorer(module, axis, start), Critic(judge, axis)


@dataclass(frozen=True)
class Unpaired:
    """A batch holds "blurry" of one stream and "sharp" of the other (N, H, W, 3).

    A task has a `step` besides.
    """

    restorer: Restorer
    critic: Critic
    descents: dict[str, Descent]
    losses: Losses
    frozen: ClassVar[Frozen] = {}

    def init(self, key: Array) -> State:
        keys = iter(jax.random.split(key, 4))
        # Only R goes on from given weights.
        fresh = {
            RESTORER: self.restorer.fresh(next(keys)),
            BLURRER: replace(self.restorer, start=None).fresh(next(keys)),
            OF_SHARP: self.critic.fresh(next(keys)),
            OF_BLURRY: self.critic.fresh(next(keys)),
        }

        def player(name: str, *networks: str) -> Player:
            params, statistics = (
                {network: fresh[network][part] for network in networks}
                for part in range(2)
            )
            return self.descents[name].init(params, statistics)

        return {
            GENERATORS: player(GENERATORS, RESTORER, BLURRER),
            CRITICS: player(CRITICS, OF_SHARP, OF_BLURRY),
        }

    def evaluate(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        """As of pairs where the blurry photos have a sharp partner."""
        photos, of = batch[BLURRY_PHOTOS], partial(_variables, state[GENERATORS])
        y = photos["blurry"]
        again = self.restorer.restored(
            of(BLURRER), self.restorer.restored(of(RESTORER), y)
        )
        found = {"psnr_of_cycle": psnr(again, y)}
        if "sharp" in photos:
            found = self.restorer.scores(of(RESTORER), photos) | found
        return found

    def pictures(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        of = partial(_variables, state[GENERATORS])
        x, y = _photos(batch)
        return {
            "blurry y": y,
            "restored R(y)": self.restorer.restored(of(RESTORER), y),
            "other sharp x": x,
            "blurred F(x)": self.restorer.restored(of(BLURRER), x),
        }

    def networks(self, state: State) -> dict[str, Weights]:
        generators = partial(_variables, state[GENERATORS])
        critics = partial(_variables, state[CRITICS])
        made = {n: self.restorer.weights(generators(n)) for n in (RESTORER, BLURRER)}
        judges = {n: self.critic.weights(critics(n)) for n in (OF_SHARP, OF_BLURRY)}
        return made | judges

    def made(self, generators: Player, batch: Batch, key: Array) -> Made:
        """R(y) and F(x) in [-1, 1], without a gradient."""
        x, y = _photos(batch)
        by = _Applied(self.restorer, generators.params, generators.statistics, key)
        restored, blurred = by(RESTORER, y, batch), by(BLURRER, x, batch)
        return {OF_SHARP: SIGNED.into(restored), OF_BLURRY: SIGNED.into(blurred)}

    def update_generators(
        self, generators: Player, critics: Player, batch: Batch, key: Array
    ) -> tuple[Player, Metrics]:
        """One update of R and F."""

        def loss(params: Params, statistics: Statistics, part: Batch):
            x, y = _photos(part)
            by = _Applied(self.restorer, params, statistics, key)
            restored, blurred = by(RESTORER, y, part), by(BLURRER, x, part)
            fooled = [
                over_answers(
                    self.losses.adversarial.generator,
                    self.critic.judge(
                        critics.params[name],
                        critics.statistics[name],
                        SIGNED.into(image),
                    ),
                )
                for name, image in ((OF_SHARP, restored), (OF_BLURRY, blurred))
            ]
            cycle = _apart(by(RESTORER, blurred, part), x)
            cycle += _apart(by(BLURRER, restored, part), y)
            metrics = {"adversarial": sum(fooled), "cycle": cycle}
            total = metrics["adversarial"] + self.losses.cycle * cycle
            if self.losses.identity:
                same = _apart(by(RESTORER, x, part), x) + _apart(
                    by(BLURRER, y, part), y
                )
                total += self.losses.identity * same
                metrics["identity"] = same
            return total, (metrics, by.statistics)

        return self.descents[GENERATORS].step_with_statistics(generators, loss, batch)

    def update_critics(
        self, critics: Player, batch: Batch, made: Made
    ) -> tuple[Player, Metrics]:
        """One update of D_x and D_y, which tell what was made from photos."""

        def loss(params: Params, statistics: Statistics, part: Batch):
            x, y = map(SIGNED.into, _photos(part))
            total, moved = jnp.zeros(()), {}
            for name, photos in ((OF_SHARP, x), (OF_BLURRY, y)):
                (real, fooled), moved[name] = self.critic.answers(
                    params[name], statistics[name], photos, part["made"][name]
                )
                total += over_answers(self.losses.adversarial.critic, real, fooled)
            return self.losses.critic * total, ({}, moved)

        return self.descents[CRITICS].step_with_statistics(
            critics, loss, batch | {"made": made}
        )


class _Applied:
    """R and F in training: each call moves its network's statistics and draws anew."""

    def __init__(
        self, restorer: Restorer, params: Params, statistics: Statistics, key: Array
    ):
        self._restorer, self._params, self._key = restorer, params, key
        self.statistics = dict(statistics)
        self._calls = 0

    def __call__(self, network: str, images: Array, part: Batch) -> Array:
        key = jax.random.fold_in(self._key, self._calls)
        self._calls += 1
        answers, self.statistics[network] = self._restorer.answers(
            self._params[network],
            self.statistics[network],
            images,
            example_keys(key, part),
        )
        return answers[-1]


def _photos(batch: Batch) -> tuple[Array, Array]:
    """Sharp x and blurry y, of other scenes."""
    return batch[SHARP_PHOTOS]["sharp"], batch[BLURRY_PHOTOS]["blurry"]


def _apart(a: Array, b: Array) -> Array:
    """|a - b| of images in [0, 1], as of [-1, 1]."""
    return 2 * jnp.mean(jnp.abs(a - b))


def _variables(player: Player, network: str) -> dict[str, Any]:
    return {"params": player.best[network], **player.statistics[network]}
