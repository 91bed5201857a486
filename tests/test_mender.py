"""What mends a photo by the words of a judge."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import SHAPES
from evaluation_data import picture

import kernel_space_jax as ks
from kernel_space_jax import UserError, weights
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import SCALE, Mender, guide
from kernel_space_jax.operators.inverse import undo_each
from kernel_space_jax.operators.light import in_grey, local_contrast
from kernel_space_jax.synthesis.centres import shake_centres, shake_variants
from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.training.preparation import preparation

SMALL = {"width": 6, "candidates": 5, "variants": 2, "kernel_size": 9}


@pytest.fixture(scope="module")
def kernels():
    return shake_centres(5, 9, still=1.0)


@pytest.fixture(scope="module")
def judge(kernels, tmp_path_factory):
    module = Judge(**SMALL)
    init = jax.jit(module.init)
    params = init(jax.random.key(0, impl="rbg"), jnp.zeros((1, 32, 32, 3)))["params"]
    file = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    made = {"kernels": kernels, "variants": shake_variants(5, 2, 9)}
    variables = {"params": params | made}
    weights.write(file, module, variables, origin="a test", licence="CC0-1.0")
    return file


@pytest.fixture(scope="module")
def config(judge):
    config = defaults("mender")
    config.data.blur = "scene"
    config.data.objects = 1
    config.data.crop = 48
    config.data.kernel_size = 9
    config.model.judge = str(judge)
    config.model.width, config.model.scales, config.model.blocks = 8, 2, 1
    config.learning_rate = 5e-3
    return config


def test_the_guide_is_the_mean_of_what_each_candidate_leaves(kernels):
    """Beside the sums written out, and its last group is not filled with ghosts."""
    y = jnp.asarray(picture(0, (40, 48)))[None]
    masks = jax.nn.softmax(jax.random.normal(jax.random.key(1), (1, 40, 48, 5)))
    solved = jax.random.uniform(jax.random.key(2), (1, 40, 48, 1))
    told = jax.jit(guide, static_argnums=4)(y, kernels[None], masks, solved, 2.2)
    assert told.shape == (1, 40, 48, 9)
    shown = undo_each(y, kernels[None])
    change = SCALE * local_contrast(y)[2][:, None] * (shown[..., :2] - shown[..., 2:])
    q = jnp.moveaxis(masks, -1, 1)[..., None]
    mean = jnp.sum(q * change, 1)
    spread = jnp.sqrt(jnp.sum(q * jnp.square(change - mean[:, None]), 1))
    decided = jnp.sum(q**3 * change, 1) / jnp.sum(q**3, 1)
    for part, wanted in zip(
        (told[..., :2], told[..., 2:4], told[..., 4:6]),
        (mean, spread, decided),
        strict=True,
    ):
        np.testing.assert_allclose(part, wanted, atol=2e-3)
    np.testing.assert_allclose(told[..., 6:7], SCALE * (solved - in_grey(y)), atol=1e-6)
    np.testing.assert_array_equal(told[..., 7], masks[..., 0])
    np.testing.assert_array_equal(told[..., 8], masks.max(-1))


def test_what_a_solver_made_can_be_taken_as_it_is(kernels):
    """Whatever its details: a gate of one adds it to each pixel, where that is odd."""
    module = Mender(**SMALL, restorer_width=4, scales=2, blocks=1)
    y = jnp.asarray(picture(0, (37, 45)))[None]
    masks = jnp.full((1, 37, 45, 5), 0.2)
    solved = jax.random.uniform(jax.random.key(2), (1, 37, 45, 1))
    init = jax.jit(module.init)
    params = init(jax.random.key(0, impl="rbg"), y, solved)["params"]
    last = params["restorer"]["last"]
    # Outputs are 3 colours and 5 gates, of four places each; the last is the solver's.
    gates = last["bias"].reshape(8, 4).at[-1].set(1)
    params["restorer"]["last"] = last | {"bias": gates.ravel()}
    mend = partial(module.apply, {"params": params}, method="mend")
    x = jax.jit(mend)(y, kernels[None], masks, solved)
    np.testing.assert_allclose(x, y + solved - in_grey(y), atol=1e-5)


@pytest.mark.slow
def test_it_learns_beside_a_judge_that_stays(config, judge, tmp_path):
    task = build_task(config)
    keys = jax.random.split(jax.random.key(0), 2)
    made = jax.jit(preparation(config.data))({}, keys)
    batch = {"number": jnp.arange(2)} | made
    state = jax.jit(task.init)(jax.random.key(0, impl="rbg"))
    # A fresh one answers its input.
    scores = jax.jit(task.evaluate)(state, batch, keys[0], task.frozen)
    np.testing.assert_allclose(scores["psnr"], scores["psnr_of_blurry"], rtol=1e-5)
    step = jax.jit(lambda state, key: task.step(state, batch, key, task.frozen))
    for key in jax.random.split(keys[1], 10):
        state, _ = step(state, key)
    scores = jax.jit(task.evaluate)(state, batch, keys[0], task.frozen)
    assert (scores["psnr"] > scores["psnr_of_blurry"] + 0.3).all()
    pictures = jax.jit(task.pictures)(state, batch, keys[0], task.frozen)
    assert {picture.shape for picture in pictures.values()} == {(2, 48, 48, 3)}

    file = tmp_path / "mender.safetensors"
    weights.write(
        file,
        *next(iter(task.networks(state).values())),
        origin="a test",
        licence="CC0-1.0",
    )
    network = weights.load(file)
    given = weights.load(judge).variables["params"]
    jax.tree.map(
        np.testing.assert_array_equal, network.variables["params"]["judge"], given
    )
    # Its answer is what `basis` makes of a photo, its judge's what `kernels` draws.
    for photo in (
        picture(1, (37, 45)),
        picture(1, (37, 45))[..., :1],
        np.zeros((37, 45, 3), np.float32),
    ):
        found = ks.deblur(photo, "basis", weights=network)
        assert found.image.shape == photo.shape and np.isfinite(found.image).all()
        assert found.grid.shape == (*(n // 9 for n in photo.shape[:2]), 9, 9)
    field = ks.find_field(picture(1, (37, 45)), network)
    # None at all, the variants of all four, and the kernel of `map`.
    assert field.masks.shape == (1, 37, 45, 1 + 4 * 2 + 1)
    solved = ks.deblur(photo, "basis", weights=network, solver="half-quadratic")
    assert solved.image.shape == photo.shape


def test_it_wants_a_judge(config):
    other = config.copy_and_resolve_references()
    other.model.judge = "two-heads"
    with pytest.raises(UserError, match="name a Judge"):
        build_task(other)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mender", "judge"])
def test_a_sharp_photo_comes_back(name):
    photo = ks.read(SHAPES).pixels[:96, :96]
    found = ks.deblur(photo, "basis", weights=weights.load(name)).image
    assert psnr(found[None], photo[None])[0] > 38
