"""The encoder of the adaptive basis, taught by itself to name a photo's one kernel.

    L = sum_b -t_b log q_b(y),    q = softmax(W LeakyReLU(V e(y)))

for photos y under one kernel h each (data.blur = "scene", data.objects = 0), t the
mixture of `shake_centres` that is closest to h. e(y) are the averages of the encoder's
maps; V and W are dropped afterwards. A step takes a third of the time that one of the
whole network does, and this is the part that wants many of them.
"""

from dataclasses import dataclass
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.drawing import draw_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.losses import closest_mixture
from kernel_space_jax.models.per_pixel.two_heads import TwoHeads
from kernel_space_jax.operators import KernelField
from kernel_space_jax.synthesis.centres import shake_centres
from kernel_space_jax.training.initial import given, like_he
from kernel_space_jax.training.players import Descent, Params, Player
from kernel_space_jax.training.task import Batch, Config, Frozen, Metrics
from kernel_space_jax.training.tasks import basis
from kernel_space_jax.weights import Weights

HIDDEN = 128


class Namer(nn.Module):
    """y (N, H, W, C) -> the logarithms of q (N, B)."""

    network: TwoHeads

    @nn.compact
    def __call__(self, y: Array) -> Array:
        if self.is_initializing():
            # The heads exist too, as they are to begin.
            self.network(y)
        x = self.network(y, summary=True)
        x = nn.leaky_relu(nn.Dense(HIDDEN, name="hidden")(x))
        return nn.log_softmax(nn.Dense(self.network.basis, name="names")(x))


PLAYER = "two_heads"
PLAYERS = (PLAYER,)


def options() -> Config:
    return basis.options()


def build(config: Config, descents: dict[str, Descent]) -> "EncoderTask":
    if config.data.blur != "scene" or config.data.objects:
        raise UserError(
            "the task basis_encoder is taught by photos of one kernel: set "
            "data.blur='scene' and data.objects=0"
        )
    module = basis.network(config)
    centres = shake_centres(
        module.basis, config.data.kernel_size, still=config.data.still
    )
    return EncoderTask(Namer(module), descents[PLAYER], centres, given(config, module))


@dataclass(frozen=True)
class EncoderTask:
    """A batch is of scenes: "blurry" and "kernels" (N, 1, k, k)."""

    module: Namer
    descent: Descent
    centres: Array
    start: Params | None
    frozen: ClassVar[Frozen] = {}

    def init(self, key: Array) -> Player:
        params = self.module.init(key, jnp.zeros((1, 32, 32, 3)))["params"]
        fresh = like_he(params["network"], basis.inner)
        params["network"] = fresh if self.start is None else self.start
        return self.descent.init(params)

    def step(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[Player, Metrics]:
        return self.descent.step(state, self._loss, batch)

    def evaluate(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        log, wanted = self._names(state.best, batch), self._wanted(batch)
        true = batch["kernels"][:, 0]
        apart = jnp.sum(jnp.square(self._found(state.best, batch) - true), (1, 2))
        right = jnp.argmax(log, -1) == jnp.argmax(wanted, -1)
        return {
            "accuracy": right.astype(jnp.float32),
            "kernel_error": apart / jnp.sum(jnp.square(true), (1, 2)),
        }

    def pictures(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        y = batch["blurry"]
        everywhere = jnp.ones((*y.shape[:3], 1))
        found = KernelField(self._found(state.best, batch)[:, None], everywhere)
        truth = KernelField(batch["kernels"], everywhere)
        return {
            "blurry y": y,
            "kernel found": draw_field(found, y),
            "true kernel": draw_field(truth, y),
        }

    def networks(self, state: Player) -> dict[str, Weights]:
        params = state.best["network"]
        return {
            PLAYER: Weights(self.module.network.clone(dtype=None), {"params": params})
        }

    def _names(self, params: Params, batch: Batch) -> Array:
        return self.module.apply({"params": params}, batch["blurry"])  # type: ignore[return-value]

    def _found(self, params: Params, batch: Batch) -> Array:
        """The kernels that q says: (N, k, k)."""
        q = jnp.exp(self._names(params, batch))
        return jnp.einsum("nb,bij->nij", q, self.centres)

    def _wanted(self, batch: Batch) -> Array:
        return closest_mixture(batch["kernels"][:, 0], self.centres)

    def _loss(self, params: Params, batch: Batch) -> tuple[Array, Metrics]:
        log = self._names(params, batch)
        return -jnp.mean(jnp.sum(self._wanted(batch) * log, -1)), {}
