"""A task of one convolution, to try the engine with: it learns to turn colours over.

Run as a program it is `kernel-space` with this task added to the table.
"""

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.layers import Conv
from kernel_space_jax.training import config as configs
from kernel_space_jax.training.task import example_keys
from kernel_space_jax.weights import Weights

PLAYERS = ("colours",)
configs.TASKS["tiny"] = configs.Row("tiny_task")


def options():
    model = ConfigDict()
    model.poison = -1  # the step whose loss is made infinite
    model.kernel = 5
    return model


def build(config, descents):
    return TinyTask(descents["colours"], config.model.poison, config.model.kernel)


class TinyTask:
    frozen = {}

    def __init__(self, descent, poison, kernel):
        self.descent, self.poison = descent, poison
        self.module = Conv(3, kernel=kernel, padding="reflect")

    def init(self, key):
        params = self.module.init(key, jnp.zeros((1, 8, 8, 3)))["params"]
        return self.descent.init(params)

    def step(self, state, batch, key, frozen):
        def loss(params, part):
            noise = jax.vmap(lambda key: jax.random.normal(key, ()))(
                example_keys(key, part)
            )
            found = self._apply(params, part["sharp"])
            errors = jnp.mean((found - 1 + part["sharp"]) ** 2, (1, 2, 3))
            value = jnp.mean(errors * (1 + 0.1 * noise))
            poisoned = (part["number"] // 8 == self.poison).any()
            value = jnp.where(poisoned, jnp.inf, value)
            return value, {"psnr": jnp.mean(psnr(found, 1 - part["sharp"]))}

        return self.descent.step(state, loss, batch)

    def evaluate(self, state, batch, key, frozen):
        return {
            "psnr": psnr(self._apply(state.best, batch["sharp"]), 1 - batch["sharp"])
        }

    def pictures(self, state, batch, key, frozen):
        return {"x": batch["sharp"], "found": self._apply(state.best, batch["sharp"])}

    def networks(self, state):
        return {"colours": Weights(self.module, {"params": state.best})}

    def _apply(self, params, x):
        return self.module.apply({"params": params}, x)


if __name__ == "__main__":
    from kernel_space_jax.cli import main

    main()
