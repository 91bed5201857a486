"""DualGAN on unpaired blurry and sharp photos (Yi et al., ICCV 2017).

The losses of unpaired.py with Wasserstein's for adversarial and i = 0. A step updates
D_x and D_y a few times on its batch, after each of which their weights are clipped to
[-w, w], and then R and F.
"""

from dataclasses import dataclass

from jax import Array, lax

from kernel_space_jax.losses import ADVERSARIAL, clip_weights
from kernel_space_jax.training.networks import options_of_two
from kernel_space_jax.training.players import Descent, Player
from kernel_space_jax.training.task import Batch, Config, Frozen, Metrics
from kernel_space_jax.training.tasks import unpaired
from kernel_space_jax.training.tasks.unpaired import (
    CRITICS,
    GENERATORS,
    PLAYERS,
    Losses,
    State,
    Unpaired,
)

__all__ = ["PLAYERS", "UPDATES", "DualTask", "build", "options"]

UPDATES = {CRITICS: "critic_updates"}
SETTINGS = {
    "cycle_weight": 200.0,  # c: the paper takes 100 to 1000
    "critic_updates": 3,  # a step, on its batch: 2 to 4
    "clip": 0.01,  # w: 0.01 to 0.1
}


def options(network: str = "deblurgan", critic: str = "dualgan-critic") -> Config:
    """DualGAN's weights, and the keywords of the networks."""
    return options_of_two(network, critic, SETTINGS)


def build(config: Config, descents: dict[str, Descent]) -> "DualTask":
    model = config.model
    losses = Losses(ADVERSARIAL["wasserstein"], model.cycle_weight)
    players = unpaired.players(config, descents, SETTINGS)
    return DualTask(*players, descents, losses, model.critic_updates, model.clip)


@dataclass(frozen=True)
class DualTask(Unpaired):
    """DualGAN."""

    critic_updates: int
    clip: float

    def step(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[State, Metrics]:
        generators, critics = state[GENERATORS], state[CRITICS]
        made = self.made(generators, batch, key)

        def update(critics: Player, _: None) -> tuple[Player, Metrics]:
            critics, found = self.update_critics(critics, batch, made)
            clipped = clip_weights(critics.params, self.clip)
            return critics._replace(params=clipped), found

        critics, found = lax.scan(update, critics, length=self.critic_updates)
        generators, metrics = self.update_generators(generators, critics, batch, key)
        # The critics' are those of their last update.
        metrics |= {f"critic_{name}": values[-1] for name, values in found.items()}
        return {GENERATORS: generators, CRITICS: critics}, metrics
