"""CycleGAN on unpaired blurry and sharp photos (Zhu et al., ICCV 2017).

The losses of unpaired.py with the least squares for adversarial, c = 10, i = 5 and
d = 1/2. A step updates R and F, then D_x and D_y on the images that R and F made before
it: one in two of these is an earlier one, of a pool of the last 50 (losses/pools.py).
"""

from dataclasses import dataclass

import jax
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.losses import ADVERSARIAL, exchange, image_pool
from kernel_space_jax.training.data import streams
from kernel_space_jax.training.networks import options_of_two
from kernel_space_jax.training.players import Descent
from kernel_space_jax.training.stages import stages
from kernel_space_jax.training.task import Batch, Config, Frozen, Metrics, example_keys
from kernel_space_jax.training.tasks import unpaired
from kernel_space_jax.training.tasks.unpaired import (
    BLURRY_PHOTOS,
    CRITICS,
    GENERATORS,
    OF_BLURRY,
    OF_SHARP,
    PLAYERS,
    SHARP_PHOTOS,
    Losses,
    State,
    Unpaired,
)

__all__ = ["PLAYERS", "CycleTask", "build", "options"]

SETTINGS = {
    "cycle_weight": 10.0,  # c
    "identity_weight": 5.0,  # i
    "pool": 50,  # images of each generator that the critics are shown again
}
POOLS = "pools"
# The pools' draws are other than those of the generators' calls.
EXCHANGES = 16


def options(network: str = "deblurgan", critic: str = "cyclegan-critic") -> Config:
    """CycleGAN's weights, and the keywords of the networks."""
    return options_of_two(network, critic, SETTINGS)


def build(config: Config, descents: dict[str, Descent]) -> "CycleTask":
    model = config.model
    players = unpaired.players(config, descents, SETTINGS)
    if any(stage.crop != config.data.crop for stage in stages(config)):
        raise UserError(
            "the image pools of the task cycle hold images of one size; leave the crop "
            "as it is in config.stages"
        )
    data = streams(config.data)
    sides = {OF_SHARP: data[BLURRY_PHOTOS].crop, OF_BLURRY: data[SHARP_PHOTOS].crop}
    losses = Losses(
        ADVERSARIAL["least_squares"], model.cycle_weight, model.identity_weight, 0.5
    )
    return CycleTask(*players, descents, losses, model.pool, sides)


@dataclass(frozen=True)
class CycleTask(Unpaired):
    """CycleGAN; `sides` are those of R(y) and F(x), by the name of their critic."""

    pool: int
    sides: dict[str, int]

    def init(self, key: Array) -> State:
        empty = lambda side: image_pool(self.pool, (side, side, 3))
        pools = {name: empty(side) for name, side in self.sides.items()}
        return {**super().init(key), POOLS: pools}

    def step(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[State, Metrics]:
        generators, critics, pools = (state[n] for n in (GENERATORS, CRITICS, POOLS))
        made = self.made(generators, batch, key)
        generators, metrics = self.update_generators(generators, critics, batch, key)
        after, shown = {}, {}
        for place, (name, images) in enumerate(made.items()):
            keys = example_keys(jax.random.fold_in(key, EXCHANGES + place), batch)
            after[name], shown[name] = exchange(
                keys, pools[name], images, axis=self.critic.axis
            )
        critics, found = self.update_critics(critics, batch, shown)
        metrics |= {f"critic_{name}": value for name, value in found.items()}
        return {GENERATORS: generators, CRITICS: critics, POOLS: after}, metrics
