"""Two players of a few hundred parameters, to try the engine with all that it carries.

A generator with running statistics and dropout learns what a frozen network makes of
photos, on one stream of data; a critic compares its images with those of another
stream. Run as a program it is `kernel-space` with this task added to the table.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from kernel_space_jax.metrics import psnr
from kernel_space_jax.models import restorers
from kernel_space_jax.models.layers import BatchNorm, Conv, Dropout
from kernel_space_jax.training import config as configs
from kernel_space_jax.training.task import example_keys
from kernel_space_jax.weights import Weights

PLAYERS = ("generator", "critic")
configs.TASKS["tiny_players"] = configs.Row("tiny_players")


class Generator(nn.Module):
    """y (N, H, W, 3) -> the same; `keys` (N,) in training."""

    width: int = 4
    axis: str | None = None

    @nn.compact
    def __call__(self, y, keys=None):
        # No bias: a norm takes it away again, and Adam would follow its rounding.
        x = Conv(self.width, use_bias=False, name="first")(y)
        x = BatchNorm(running=keys is None, axis=self.axis, name="norm")(x)
        x = Dropout(0.1, name="dropout")(nn.leaky_relu(x, 0.1), keys)
        return y + Conv(3, name="last")(x)


class Critic(nn.Module):
    """x (N, H, W, 3) -> a score an image: (N,)."""

    @nn.compact
    def __call__(self, x):
        x = nn.leaky_relu(Conv(4, 4, stride=2, name="first")(x), 0.2)
        return Conv(1, name="last")(x).mean((1, 2, 3))


# As a user would: the generator becomes one of the networks that files know.
restorers.NETWORKS["tiny"] = Generator


def options():
    return ConfigDict()


def build(config, descents):
    return TinyPlayers(descents)


class TinyPlayers:
    def __init__(self, descents):
        self.descents = descents
        axis = descents["generator"].axis
        self.generator, self.critic = Generator(axis=axis), Critic()
        # It turns the colours over.
        self.turn = Conv(3, 1)
        kernel = -jnp.eye(3)[None, None]
        self.frozen = {"turn": {"params": {"kernel": kernel, "bias": jnp.ones(3)}}}

    def init(self, key):
        image = jnp.zeros((1, 8, 8, 3))
        one, two = jax.random.split(key)
        fresh = dict(self.generator.init(one, image, keys=one[None]))
        generator = self.descents["generator"].init(fresh.pop("params"), fresh)
        critic = self.critic.init(two, image)["params"]
        return {
            "generator": generator,
            "critic": self.descents["critic"].init(critic),
        }

    def step(self, state, batch, key, frozen):
        def critics(params, part):
            fake = self._made(state["generator"], part["photos"]["sharp"])
            real = self._score(params, part["real"]["sharp"])
            return jnp.mean(nn.relu(1 - real) + nn.relu(1 + self._score(params, fake)))

        critic, found = self.descents["critic"].step(
            state["critic"], lambda params, part: (critics(params, part), {}), batch
        )

        def generators(params, statistics, part):
            y = part["photos"]["sharp"]
            made, changed = self.generator.apply(
                {"params": params, **statistics},
                y,
                keys=example_keys(key, part),
                mutable=list(statistics),
            )
            wanted = self.turn.apply(frozen["turn"], y)
            error = jnp.mean((made - wanted) ** 2)
            fooled = -jnp.mean(self._score(critic.params, made))
            return error + 0.01 * fooled, ({"error": error}, changed)

        generator, metrics = self.descents["generator"].step_with_statistics(
            state["generator"], generators, batch
        )
        metrics |= {f"critic_{name}": value for name, value in found.items()}
        return {"generator": generator, "critic": critic}, metrics

    def evaluate(self, state, batch, key, frozen):
        y = batch["photos"]["sharp"]
        wanted = self.turn.apply(frozen["turn"], y)
        made = self._made(state["generator"], y)
        score = self._score(state["critic"].best, batch["real"]["sharp"])
        return {"psnr": psnr(made, wanted), "score": score}

    def pictures(self, state, batch, key, frozen):
        y = batch["photos"]["sharp"]
        return {"y": y, "made": self._made(state["generator"], y)}

    def networks(self, state):
        generator = Weights(Generator(), state["generator"].variables)
        critic = Weights(self.critic, state["critic"].variables)
        return {"generator": generator, "critic": critic}

    def _made(self, player, y):
        return self.generator.apply(player.variables, y)

    def _score(self, params, x):
        return self.critic.apply({"params": params}, x)


if __name__ == "__main__":
    from kernel_space_jax.cli import main

    main()
