"""Restoration under per-pixel blur: the recorded variants, and what must hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden

from kernel_space_jax import synthesis
from kernel_space_jax.metrics import psnr
from kernel_space_jax.operators import Basis, Camera, KernelField
from kernel_space_jax.solvers import (
    half_quadratic,
    published_richardson_lucy,
    richardson_lucy,
)
from kernel_space_jax.solvers.per_pixel.beyond import beyond

SOLVERS = (richardson_lucy, half_quadratic)


@pytest.fixture(scope="module")
def golden():
    return Golden("rl_k25_64")


@pytest.fixture(scope="module")
def scene():
    """A sharp x, a field of three shakes, and y with 0.5 % of noise."""
    drawn = synthesis.scene(
        jax.random.key(3),
        synthesis.dead_leaves(jax.random.key(1), (96, 112)),
        size=15,
        objects=2,
        brightness=0.0,
        photon=0.0,
        read=0.0,
    )
    noise = 0.005 * jax.random.normal(jax.random.key(5), drawn.y.shape)
    y = jnp.clip(drawn.y + noise, 0, 1)[None]
    return drawn.x[None], y, KernelField(drawn.kernels[None], drawn.masks[None])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("combined_default_it5", {}),
        ("combined_nosmooth_it5", {"smooth": False}),
        ("combined_dilation_it5", {"dilate": True}),
        ("noreg_combined_it5", {"tv": 0.0}),
        ("noreg_RL_basic_it5", {"variant": "plain", "tv": 0.0}),
        ("noreg_RL_function_it5", {"variant": "saturated", "tv": 0.0}),
        ("noreg_RL_masked_it5", {"variant": "masked", "tv": 0.0}),
        ("combined_long", {"steps": 30}),
        ("combined_long_gamma1", {"steps": 30, "gamma": 1.0}),
    ],
)
def test_published_variants_agree_with_the_record(golden, name, options):
    kernels = jnp.flip(jnp.asarray(golden["in/kernels"]), (-2, -1))
    field = KernelField(kernels, golden.image("in/masks"))
    y = golden.image("in/blurry")
    found = published_richardson_lucy(y, field, **{"steps": 5} | options)
    expected = golden["out/" + name]
    ours = jnp.moveaxis(found.x, -1, 1)[..., ::2, ::2]
    differences = np.abs(ours - expected) / np.abs(expected).max()
    # Where it is flat, rounding tells the direction in which TV pulls.
    rare = 0.01 if options.get("tv") != 0 else 0.0
    assert np.quantile(differences, 1 - rare) < 1e-3
    assert differences.max() < 5e-3
    if "long" in name:
        entered = golden[name.replace("combined", "out/iters_entered")]
        assert int(found.steps[0]) == int(entered) - 1


@pytest.mark.parametrize("convention", ["mix_after", "mix_before"])
def test_beyond_the_border_is_the_blur_of_what_is_seen(scene, convention):
    x, _, field = scene
    problem = beyond(x, field, convention)
    planes = problem.fill(x)
    np.testing.assert_array_equal(problem.cut(planes), x)
    y = jnp.moveaxis(problem.blur(planes), 1, -1)
    expected = Basis(convention, border="replicate")(x, field)
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_restores(scene, solver):
    x, y, field = scene
    found = solver(y, field)
    assert found.x.shape == x.shape
    assert float(psnr(found.x, x)[0]) > float(psnr(y, x)[0]) + 3


@pytest.mark.parametrize("solver", SOLVERS)
def test_images_of_a_batch_do_not_meet(scene, solver):
    x, y, field = scene
    both = jnp.concatenate([y, y[:, ::-1]])
    fields = jax.tree.map(lambda a: jnp.concatenate([a, a]), field)
    found = solver(both, fields, steps=3)
    alone = solver(y, field, steps=3).x
    # Conjugate gradients amplify the rounding of a larger FFT, in dark pixels most.
    assert float(jnp.sqrt(jnp.mean((found.x[:1] - alone) ** 2))) < 1e-3
    assert abs(float(psnr(found.x[:1], x)[0] - psnr(alone, x)[0])) < 0.05


@pytest.mark.parametrize("solver", SOLVERS)
def test_stops_where_nothing_changes(scene, solver):
    _, y, field = scene
    both = jnp.concatenate([jnp.full_like(y, 0.5), y])
    fields = jax.tree.map(lambda a: jnp.concatenate([a, a]), field)
    found = solver(both, fields, tolerance=3e-3, steps=4, noise=0.005)
    assert int(found.steps[0]) < int(found.steps[1]) == 4
    np.testing.assert_allclose(found.x[0], 0.5, atol=5e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_delta_leaves_the_photo(scene, solver):
    x, _, _ = scene
    delta = jnp.zeros((1, 1, 15, 15)).at[..., 7, 7].set(1)
    field = KernelField(delta, jnp.ones((*x.shape[:3], 1)))
    assert float(psnr(solver(x, field, noise=0.0).x, x)[0]) > 38


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_stay_finite(scene, solver, value):
    _, y, field = scene
    found = solver(jnp.full_like(y, value), field, steps=3).x
    assert jnp.isfinite(found).all()
    if value == 0:
        assert float(found.max()) < 0.05


@pytest.mark.parametrize("solver", SOLVERS)
def test_clipped_lights_do_not_ring(scene, solver):
    """A lamp that the sensor clipped: whoever knows of clipping is closer to x."""
    _, _, field = scene
    x = jnp.full((1, 96, 112, 1), 0.3).at[:, 40:46, 50:56].set(1.8)
    light = Basis(border="replicate")(x**2.2, field)
    y = jnp.clip(light, 0, 1) ** (1 / 2.2)
    around = lambda z: float(
        jnp.abs(z - x)[:, 20:66, 30:76][x[:, 20:66, 30:76] < 1].mean()
    )
    knows, knows_not = (
        around(solver(y, field, noise=0.005, saturates=s).x) for s in (True, False)
    )
    assert knows < knows_not


def test_of_two_likely_kernels_nothing_false_is_made(scene):
    """One kernel is right and nobody knows which: their mixture would be wrong."""
    x, _, field = scene
    shakes = field.kernels[:, :2]
    true = KernelField(shakes[:, :1], jnp.ones((*x.shape[:3], 1)))
    y = jnp.clip(Camera(Basis())(x, true), 0, 1)
    doubtful = KernelField(shakes, jnp.full((*x.shape[:3], 2), 0.5))
    sharp = {
        likely: psnr(
            jnp.clip(half_quadratic(y, doubtful, noise=5e-3, likely=likely).x, 0, 1), x
        )[0]
        for likely in (True, False)
    }
    assert sharp[True] > sharp[False] + 1
    assert sharp[True] > psnr(y, x)[0]


def test_a_kernel_that_is_certain_is_likely(scene):
    """Where each pixel has one kernel both data terms are the same."""
    _, y, field = scene
    sides = jnp.arange(y.shape[2]) < y.shape[2] // 2
    masks = jnp.broadcast_to(jnp.stack([sides, ~sides], -1), (*y.shape[:3], 2))
    halves = KernelField(field.kernels[:, :2], masks.astype(jnp.float32))
    one, other = (
        half_quadratic(y, halves, noise=0.01, steps=2, likely=likely).x
        for likely in (True, False)
    )
    np.testing.assert_allclose(one, other, atol=2e-3)
