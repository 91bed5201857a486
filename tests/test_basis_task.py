"""The adaptive basis in training: scenes as told, losses that know the truth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernel_space_jax import UserError
from kernel_space_jax.drawing import draw_field
from kernel_space_jax.metrics import psnr
from kernel_space_jax.operators import Basis, Camera, KernelField
from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.training.preparation import preparation


@pytest.fixture(scope="module")
def config():
    config = defaults("basis")
    config.data.blur = "scene"
    config.data.crop = 48
    config.data.objects = 2
    config.data.kernel_size = 9
    config.model.width = 2
    config.model.basis = 4
    config.model.kernel_scales = 3
    config.model.start = "he"
    config.learning_rate = 3e-3
    return config


@pytest.fixture(scope="module")
def batch(config):
    keys = jax.random.split(jax.random.key(0), 2)
    prepare = jax.jit(preparation(config.data))
    return {"number": jnp.arange(2)} | prepare({}, keys)


@pytest.fixture(scope="module")
def task(config):
    return build_task(config)


def test_the_truth_of_a_scene_blurs_it(batch):
    truth = KernelField(batch["kernels"], batch["masks"])
    assert batch["blurry"].shape == (2, 48, 48, 3)
    assert truth.masks.shape == (2, 48, 48, 3)
    again = Camera(Basis())(batch["sharp"], truth)
    # What lies beyond the crop is not known to the blur here.
    inner = (slice(None), slice(4, -4), slice(4, -4))
    close = psnr(jnp.clip(again, 0, 1)[inner], batch["blurry"][inner])
    none = psnr(jnp.clip(batch["sharp"], 0, 1)[inner], batch["blurry"][inner])
    assert (close > 30).all() and (close > none + 5).all()


@pytest.mark.slow
def test_steps_come_closer(task, batch):
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    step = jax.jit(
        lambda state: task.step(state, batch, jax.random.key(1), task.frozen)
    )
    losses = []
    for _ in range(25):
        state, metrics = step(state)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.8 * losses[0]
    np.testing.assert_allclose(
        metrics["loss"], metrics["reblur"] + metrics["kernel"], rtol=1e-5
    )

    @jax.jit
    def look(state):
        arguments = (state, batch, jax.random.key(1), {})
        return task.evaluate(*arguments), task.pictures(*arguments)

    scores, pictures = look(state)
    assert {name: score.shape for name, score in scores.items()} == {
        "psnr": (2,),
        "psnr_of_sharp": (2,),
        "kernel_error": (2,),
    }
    assert (scores["kernel_error"] < 1).all()
    assert {picture.shape for picture in pictures.values()} == {(2, 48, 48, 3)}


def test_leaves_stand_in_for_photos(config):
    """Some of the photos are drawn, the others are those of the batch."""
    config = config.copy_and_resolve_references()
    config.data.blur = "none"
    config.data.leaves = 0.4
    keys = jax.random.split(jax.random.key(2), 40)
    photos = jnp.full((40, 48, 48, 3), 128, jnp.uint8)
    made = jax.jit(preparation(config.data))({"sharp": photos}, keys)["sharp"]
    kept = np.asarray((jnp.abs(made - 128 / 255) < 1e-6).all((1, 2, 3)))
    assert 0.4 < kept.mean() < 0.8
    assert (np.std(made[~kept], (1, 2, 3)) > 0.02).all()


def test_half_of_the_photos_are_soft(config):
    """They keep their mean and lose their finest detail; the others are as given."""
    config = config.copy_and_resolve_references()
    config.data.blur = "none"
    config.data.soft = 0.5
    keys = jax.random.split(jax.random.key(4), 40)
    grain = np.random.default_rng(0).integers(64, 192, (48, 48, 3), np.uint8)
    photos = jnp.broadcast_to(grain, (40, 48, 48, 3))
    made = jax.jit(preparation(config.data))({"sharp": photos}, keys)["sharp"]
    kept = np.asarray((jnp.abs(made - grain / 255) < 1e-6).all((1, 2, 3)))
    assert 0.3 < kept.mean() < 0.7
    assert np.abs(np.mean(made, (1, 2, 3)) - grain.mean() / 255).max() < 0.01
    steps = np.abs(np.diff(made, axis=1)).mean((1, 2, 3))
    assert (steps[~kept] < 0.97 * steps[kept].min()).all()


@pytest.fixture(scope="module")
def start(config):
    config = config.copy_and_resolve_references()
    config.model.reblur_weight = config.model.kernel_weight = 0.0
    config.model.start_weight = 1.0
    config.data.still = 0.1
    return build_task(config)


@pytest.mark.slow
def test_the_start_learns_the_centres(start, batch):
    assert start.centres.shape == (4, 9, 9)
    np.testing.assert_allclose(start.centres.sum((1, 2)), 1, rtol=1e-4)
    assert start.centres[0, 4, 4] == 1
    state = jax.jit(start.init)(jax.random.key(0, impl="rbg"))
    step = jax.jit(
        lambda state: start.step(state, batch, jax.random.key(1), start.frozen)
    )
    seen = []
    for _ in range(30):
        state, metrics = step(state)
        seen.append(metrics)
    assert seen[-1]["centres"] < 0.8 * seen[0]["centres"]
    assert seen[-1]["mixing"] < seen[0]["mixing"]
    assert "reblur" not in seen[0]


@pytest.fixture(scope="module")
def encoder():
    config = defaults("basis_encoder")
    config.data.blur = "scene"
    config.data.objects = 0
    config.data.crop = 32
    config.data.kernel_size = 9
    config.model.width = 2
    config.model.basis = 4
    config.model.kernel_scales = 3
    config.model.even = True
    config.learning_rate = 1e-2
    return config


@pytest.mark.slow
def test_the_encoder_learns_to_name_kernels(encoder):
    task = build_task(encoder)
    keys = jax.random.split(jax.random.key(0), 4)
    batch = jax.jit(preparation(encoder.data))({}, keys)
    assert batch["kernels"].shape == (4, 1, 9, 9)
    first = state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    step = jax.jit(
        lambda state: task.step(state, batch, jax.random.key(1), task.frozen)
    )
    losses = []
    for _ in range(30):
        state, metrics = step(state)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.8 * losses[0]

    @jax.jit
    def look(state):
        arguments = (state, batch, jax.random.key(1), {})
        return task.evaluate(*arguments), task.pictures(*arguments)

    scores, pictures = look(state)
    assert {name: score.shape for name, score in scores.items()} == {
        "accuracy": (4,),
        "kernel_error": (4,),
    }
    assert {picture.shape for picture in pictures.values()} == {(4, 32, 32, 3)}
    # What is kept is the network, its heads as they were.
    ((module, variables),) = task.networks(state).values()
    assert module == task.module.network.clone(dtype=None)
    for name in ("masks", "kernels"):
        was = first.params["network"][name]
        jax.tree.map(np.testing.assert_array_equal, variables["params"][name], was)


def test_the_encoder_wants_one_kernel_a_photo(encoder):
    encoder = encoder.copy_and_resolve_references()
    encoder.data.objects = 2
    with pytest.raises(UserError, match=r"data\.objects=0"):
        build_task(encoder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data.blur": "shake"}, "set data.blur='scene'"),
        ({"data.kernel_size": 33}, "set data.kernel_size=9"),
        ({"model.p": 3}, "model.p is 1 or 2"),
        ({"model.start": "zero"}, "published or he"),
    ],
)
def test_a_config_that_cannot_be(config, change, said):
    config = config.copy_and_resolve_references()
    config.update_from_flattened_dict(change)
    with pytest.raises(UserError, match=said):
        build_task(config)


def test_a_field_is_drawn_where_it_acts():
    """Left half still, right half moved: dots in the middle, and beside it."""
    kernels = jnp.zeros((1, 2, 5, 5)).at[0, 0, 2, 2].set(1).at[0, 1, 2, 4].set(0.5)
    masks = jnp.zeros((1, 11, 20, 2)).at[:, :, :10, 0].set(1).at[:, :, 10:, 1].set(1)
    drawn = draw_field(KernelField(kernels, masks), jnp.zeros((1, 11, 20, 1)))
    assert drawn.shape == (1, 11, 20, 3)
    lit = np.argwhere(np.asarray(drawn[0, ..., 0]) > 0.5)
    assert lit.tolist() == [
        [row, column] for row in (2, 7) for column in (2, 7, 14, 19)
    ]
