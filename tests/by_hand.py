"""Two players by hand: photos to learn from, and updates without a compiler."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from evaluation_data import picture
from scipy import ndimage

from kernel_space_jax.training.log import read_log

KEY = jax.random.key(7)


def pairs(count=2, side=32):
    x = np.stack([picture(i, (side, side)) for i in range(count)])
    y = ndimage.gaussian_filter(x, (0, 1.2, 1.2, 0))
    return {"sharp": x, "blurry": y, "number": np.arange(count, dtype=np.int32)}


def start(task):
    return jax.jit(task.init)(jax.random.key(0, impl="rbg"))


def stepper(task):
    return jax.jit(lambda state, batch: task.step(state, batch, KEY, task.frozen))


def close(found, expected, *, atol=0.0):
    """To 1e-5; parameters, which an update of Adam moves by 1e-4, to 1e-6."""
    check = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=atol)
    jax.tree.map(check, found, expected)


class Adam:
    """Kingma and Ba 2015, one network's."""

    def __init__(self, params, rate, b1=0.5, b2=0.999):
        zeros = jax.tree.map(jnp.zeros_like, params)
        self.params, self.m, self.v, self.t = params, zeros, zeros, 0
        self.rate, self.b1, self.b2 = rate, b1, b2

    def update(self, loss):
        value, grads = jax.value_and_grad(loss)(self.params)
        self.t += 1
        self.m = jax.tree.map(
            lambda m, g: self.b1 * m + (1 - self.b1) * g, self.m, grads
        )
        self.v = jax.tree.map(
            lambda v, g: self.b2 * v + (1 - self.b2) * g * g, self.v, grads
        )
        m = jax.tree.map(lambda m: m / (1 - self.b1**self.t), self.m)
        v = jax.tree.map(lambda v: v / (1 - self.b2**self.t), self.v)
        self.params = jax.tree.map(
            lambda p, m, v: p - self.rate * m / (jnp.sqrt(v) + 1e-8), self.params, m, v
        )
        return value


def folded(key, number, count=2):
    """One key an example of a use."""
    if number is not None:
        key = jax.random.fold_in(key, number)
    return jnp.stack([jax.random.fold_in(key, n) for n in range(count)])


def log_of(workdir: Path):
    """What a run logged, but for its speed."""
    said = read_log(workdir / "metrics.jsonl")
    return [{k: v for k, v in r.items() if k != "images_per_second"} for r in said]
