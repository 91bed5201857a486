"""Run on eight devices by test_two_players.py: two steps of a task are those on one."""

import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np

from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.training.devices import placement

jax.config.update(
    "jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".cache" / "jax")
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
jax.config.update("jax_default_matmul_precision", "highest")
KEY, COUNT, SIDE = jax.random.key(3), 8, 32


def config_of(task):
    config = defaults(task, network="deblurgan")
    config.model.update(width=4, blocks=1, norm="batch", statistics="running")
    config.model.critic_options.update(width=4, layers=2, norm="batch")
    config.model.critic_options.statistics = "running"
    config.batch_size, config.data.crop = COUNT, SIDE
    # Adam would follow the rounding of gradients that are next to nothing.
    config.optimiser, config.learning_rate = "sgd", 0.01
    if task == "adversarial":
        config.model.adversarial, config.model.critic_updates = "ralsgan", 2
        return config
    if task == "cycle":
        config.model.pool = 10
    config.data.train = ()
    config.data.streams = {
        name: {"train": ("synthetic",)} for name in ("blurry_photos", "sharp_photos")
    }
    return config


def batch_of(task, seed):
    x, y = np.random.default_rng(seed).random((2, COUNT, SIDE, SIDE, 3), np.float32)
    number = np.arange(COUNT, dtype=np.int32) + seed * COUNT
    if task == "adversarial":
        return {"sharp": x, "blurry": y, "number": number}
    return {
        "sharp_photos": {"sharp": x, "blurry": x[:, ::-1]},
        "blurry_photos": {"blurry": y},
        "number": number,
    }


def two_steps(config, place=None):
    """The state and the scalars after two steps: on one device, or as placed."""
    task = build_task(config, place.axis if place else None)
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    learn = lambda state, frozen, batch: task.step(state, batch, KEY, frozen)
    step = place.step(learn) if place else jax.jit(learn)
    put = place.put if place else lambda tree: tree
    state, frozen = put(state), put(task.frozen)
    for seed in range(2):
        batch = batch_of(config.task, seed)
        state, scalars = step(state, frozen, place.batch(batch) if place else batch)
    return (place.single(state) if place else state), scalars


assert jax.device_count() == 8
config = config_of(sys.argv[1])
expected = jax.device_get(two_steps(config))
for mode in ("jit", "pmap"):
    found = jax.device_get(two_steps(config, placement(mode)))
    same = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6, err_msg=mode)
    jax.tree.map(same, found, expected)
