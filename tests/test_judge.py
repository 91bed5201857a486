"""The judge: what it is shown, what cannot matter to it, and that it learns."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import SHAPES

import kernel_space_jax as ks
from kernel_space_jax import UserError, weights
from kernel_space_jax.models.per_pixel.judge import AGAIN, Judge
from kernel_space_jax.operators import KernelField, uniform
from kernel_space_jax.operators.camera import to_light, to_photo
from kernel_space_jax.operators.inverse import undo_each
from kernel_space_jax.solvers.per_pixel.found import stillness
from kernel_space_jax.synthesis.centres import (
    shake_centres,
    shake_sample,
    shake_variants,
)
from kernel_space_jax.training.config import (
    build_task,
    defaults,
    load_config,
)
from kernel_space_jax.training.preparation import preparation
from kernel_space_jax.training.tasks.judge import distance

CONFIGS = Path(__file__).parents[1] / "configs"
MODULE = Judge(width=6, candidates=5, kernel_size=9)


@pytest.fixture(scope="module")
def kernels():
    return shake_centres(5, 9, still=1.0)


@pytest.fixture(scope="module")
def network(kernels):
    init = jax.jit(MODULE.init)
    params = init(jax.random.key(0, impl="rbg"), jnp.zeros((1, 32, 32, 3)))["params"]
    return weights.Weights(MODULE, {"params": params | {"kernels": kernels}})


@pytest.fixture(scope="module")
def scene():
    """A photo x, and y under one of the kernels."""
    x = jnp.asarray(ks.read(SHAPES).pixels[:96, :104])[None]
    h = shake_centres(5, 9, still=1.0)[3]
    return x, to_photo(uniform.convolve(to_light(x), h, border="reflect")), h


def test_the_right_kernel_shows_the_sharp_photo(scene, kernels):
    x, y, h = scene
    shown = undo_each(y, kernels[None])
    assert shown.shape == (1, 5, 96, 104, 3)
    inner = np.s_[:, 16:-16, 16:-16]
    still = shown[0, 0]
    # No blur at all: what is shown is the photo, a little smoothed by the prior.
    assert (
        jnp.corrcoef(
            still[inner[1:]][..., 0].ravel(), still[inner[1:]][..., 2].ravel()
        )[0, 1]
        > 0.99
    )
    sharp = undo_each(x, kernels[None, :1])[0, 0, ..., 2][inner[1:]].ravel()
    like = [
        float(jnp.corrcoef(shown[0, t, ..., 0][inner[1:]].ravel(), sharp)[0, 1])
        for t in range(5)
    ]
    assert int(np.argmax(like)) == 3


def test_candidates_are_judged_alike(network, scene, kernels):
    """Their order cannot matter, nor how many are looked at together."""
    y = scene[1]
    judge = jax.jit(MODULE.apply, static_argnames=("method", "together"))
    scores = judge(network.variables, y, kernels[None], method="scores")
    assert scores.shape == (1, 5, 12, 13)
    order = np.array([3, 1, 4, 0, 2])
    turned = judge(network.variables, y, kernels[None, order], method="scores")
    np.testing.assert_allclose(turned, scores[:, order], atol=1e-4)
    few = judge(network.variables, y, kernels[None], method="scores", together=2)
    np.testing.assert_allclose(few, scores, atol=1e-4)


@pytest.mark.slow
def test_it_answers_as_the_two_headed_network_does(network):
    y = np.random.default_rng(0).random((37, 45, 3), np.float32)
    found, masks = jax.jit(MODULE.apply)(network.variables, jnp.asarray(y)[None])
    assert found.shape == (1, 5, 9, 9) and masks.shape == (1, 37, 45, 5)
    np.testing.assert_allclose(masks.sum(-1), 1, rtol=1e-5)
    for photo in (y, y[..., :1], np.zeros_like(y)):
        image = ks.deblur(photo, "basis", weights=network).image
        assert image.shape == photo.shape and np.isfinite(image).all()


def test_what_stands_still_is_left_alone(network, kernels, scene):
    masks = jnp.zeros((1, 4, 6, 5)).at[:, :, :3, 0].set(1).at[:, :, 3:, 2].set(1)
    still = stillness(KernelField(kernels[None], masks))
    np.testing.assert_array_equal(
        still[0, ..., 0], np.repeat([[1, 0]], 4, 0).repeat(3, 1)
    )
    # A judge that knows no other kernel gives the photo back.
    rests = Judge(width=6, candidates=1, kernel_size=9)
    params = network.variables["params"] | {"kernels": kernels[:1]}
    photo = np.asarray(scene[0][0, :37, :45])
    found = ks.deblur(
        photo, "basis", weights=weights.Weights(rests, {"params": params})
    )
    np.testing.assert_allclose(found.image, photo, atol=1e-6)


@pytest.fixture(scope="module")
def config():
    config = defaults("judge")
    config.data.blur = "scene"
    config.data.objects = 1
    config.data.crop = 64
    config.data.kernel_size = 9
    config.data.still = 0.2
    config.data.grain = (0.1, 1.0)
    config.model.width = 6
    config.model.candidates = 6
    config.model.variants = 3
    config.model.tried = 6
    config.model.alike = 2
    config.learning_rate = 1e-2
    return config


def test_it_learns_and_keeps_its_candidates(config):
    task = build_task(config)
    keys = jax.random.split(jax.random.key(0), 2)
    made = jax.jit(preparation(config.data))({}, keys)
    batch = {"number": jnp.arange(2)} | made
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    step = jax.jit(
        lambda state: task.step(state, batch, jax.random.key(1), task.frozen)
    )
    losses = []
    for _ in range(30):
        state, metrics = step(state)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.9 * losses[0]

    @jax.jit
    def look(state):
        arguments = (state, batch, jax.random.key(1), {})
        return task.evaluate(*arguments), task.pictures(*arguments)

    scores, pictures = look(state)
    assert {name: score.shape for name, score in scores.items()} == {
        "accuracy": (2,),
        "kernel_error": (2,),
        "closer_error": (2,),
    }
    assert {picture.shape for picture in pictures.values()} == {(2, 64, 64, 3)}
    ((module, variables),) = task.networks(state).values()
    assert module == Judge(width=6, candidates=6, variants=3, kernel_size=9)
    for name, made in task.made.items():
        np.testing.assert_array_equal(variables["params"][name], made)


def test_each_scene_is_shown_its_nearest_candidates(config):
    task = build_task(config)
    keys = jax.random.split(jax.random.key(3), 8)
    batch = jax.jit(preparation(config.data))({}, keys)
    shown = jax.jit(task._tried)(batch, keys)
    assert shown.shape == (8, 6, 9, 9)
    np.testing.assert_allclose(shown.sum((2, 3)), 1, rtol=1e-5)
    centres, variants = task.centres, task.made["variants"].reshape(-1, 9, 9)
    closer = 0
    for kernels, truth in zip(shown, batch["kernels"], strict=True):
        # Half of the scenes are shown variants, and the one centre that has none.
        pools = centres, jnp.concatenate([centres[:1], variants])
        nearest = [distance(truth, pool).min(1) for pool in pools]
        near = distance(truth, kernels[:4]).min(1)
        fits = [np.allclose(near, one, atol=1e-6) for one in nearest]
        assert any(fits)
        closer += not fits[0]
        # None is shown twice.
        assert (distance(kernels[:4], kernels[:4]) < 1e-6).sum() == 4
        # The last are nearer to one of the scene's than what is there for any scene.
        assert distance(truth, kernels[4:]).min(0).mean() < nearest[0].mean() + 0.1
    assert 0 < closer < 8


def test_centres_alone_will_do(config):
    """As configs/judge.py begins: none alike, and here no variants either."""
    other = config.copy_and_resolve_references()
    other.model.alike = other.model.variants = 0
    task = build_task(other)
    keys = jax.random.split(jax.random.key(3), 2)
    batch = jax.jit(preparation(other.data))({}, keys)
    for kernels in jax.jit(task._tried)(batch, keys):
        # All six, in another order.
        apart = distance(kernels, task.centres)
        assert sorted(np.argmin(apart, 1)) == list(range(6))
        assert apart.min(1).max() < 1e-6


def test_variants_are_nearer_than_their_centres():
    centres, variants = shake_centres(6, 9, still=1.0), shake_variants(6, 3, 9)
    assert variants.shape == (5, 3, 9, 9)
    np.testing.assert_allclose(variants.sum((2, 3)), 1, rtol=1e-5)
    shakes = jnp.asarray(shake_sample(9))
    near = distance(shakes, variants.reshape(-1, 9, 9)).min(1)
    assert near.mean() < 0.8 * distance(shakes, centres).min(1).mean()


def test_a_second_look_is_at_what_was_likely(kernels, scene):
    """Variants of the likeliest, and of the others only what had a share."""
    module = MODULE.clone(candidates=16, variants=2)
    y, many = scene[1], shake_centres(16, 9, still=1.0)
    params = jax.jit(module.init)(jax.random.key(0, impl="rbg"), y)["params"]
    params |= {"kernels": many, "variants": shake_variants(16, 2, 9)}
    apply = partial(module.apply, {"params": params}, y)
    first, masks = apply(kernels[None, :2])
    assert masks.shape[-1] == 18
    # Only the candidates from 3 on are likely, and the first of the two others.
    masks = jnp.zeros_like(masks).at[..., 3:17].set(1 / 14)
    closer, masks = apply(first, masks, method="closer")
    assert closer.shape == (1, 1 + AGAIN * 2 + 2, 9, 9)
    found = {
        tuple(np.argwhere((params["variants"] == h).all((2, 3)))[0])
        for h in closer[0, 1:-2]
    }
    assert len(found) == 24 and min(which for which, _ in found) >= 2
    np.testing.assert_array_equal(closer[0, -2:], kernels[:2])
    np.testing.assert_allclose(masks.sum(-1), 1, rtol=1e-5)
    assert masks[..., -2].min() > 0 and masks[..., -1].max() == 0


def test_it_wants_scenes_and_room(config):
    for key, value, words in (
        ("data.blur", "shake", "data.blur='scene'"),
        ("model.tried", 12, "at most model.candidates"),
    ):
        other = config.copy_and_resolve_references()
        group, name = key.split(".")
        other[group][name] = value
        with pytest.raises(UserError, match=words):
            build_task(other)


@pytest.mark.slow
def test_the_second_look_comes_nearer():
    """The judge that ships, on scenes of dead leaves that it never saw."""
    config = load_config(
        CONFIGS / "judge.py", ["--config.init_from=judge", "--config.data.crop=96"]
    )
    task = build_task(config)
    keys = jax.random.split(jax.random.key(8), 8)
    batch = {"number": jnp.arange(8)} | jax.jit(preparation(config.data))({}, keys)
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    scores = jax.jit(task.evaluate)(state, batch, jax.random.key(1), task.frozen)
    first, closer = (
        float(scores[f"{name}_error"].mean()) for name in ("kernel", "closer")
    )
    assert closer < first - 0.02
