"""The MAP start: its islands, and kernels that it finds again."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import SHAPES, WHOLE
from scipy import ndimage
from test_solvers_non_blind import blurred, scene

import kernel_space_jax as ks
from kernel_space_jax.metrics import best_shift, kernel_similarity, psnr
from kernel_space_jax.solvers import blind_map, refine_kernel, restore
from kernel_space_jax.solvers.uniform.blind_map import from_starts
from kernel_space_jax.solvers.uniform.map_turns import in_turns, island_mass
from kernel_space_jax.solvers.uniform.residual_score import residual_score
from kernel_space_jax.solvers.uniform.starts import PRESETS, Preset
from kernel_space_jax.synthesis import shake_kernel


def test_islands_are_weighed_as_scipy_finds_them():
    h = np.random.default_rng(1).random((21, 21)).astype(np.float32)
    h = h * (h > 0.7)
    labels, count = ndimage.label(h > 0, np.ones((3, 3)))
    sums = ndimage.sum_labels(h, labels, np.arange(count + 1))
    np.testing.assert_allclose(island_mass(jnp.asarray(h)), sums[labels], rtol=1e-5)


def kernels():
    along = jnp.zeros((9, 9)).at[4, 1:8].set(1 / 7)
    corner = jnp.zeros((9, 9)).at[1:7, 3].set(1.0).at[6, 3:8].set(1.0)
    return jnp.stack([along, corner / corner.sum()])


@pytest.mark.slow
def test_kernels_are_found_and_photos_do_not_meet():
    pairs = [blurred(scene(8 + i, 120, 130), h, 0.003) for i, h in enumerate(kernels())]
    y = jnp.concatenate([y for _, y in pairs])
    both = blind_map(y, 9)
    np.testing.assert_allclose(both.h.sum((1, 2)), 1, atol=1e-5)
    assert float(both.h.min()) >= 0 and (both.error < 0.3).all()
    # A point would be alike by 0.38 and 0.30.
    assert (kernel_similarity(both.h, kernels()) > 0.7).all()
    alone = blind_map(y[1:], 9)
    assert float(kernel_similarity(alone.h, both.h[1:])[0]) > 0.99


@pytest.mark.slow
def test_a_small_blur_is_not_taken_for_a_large_one():
    """A haze around the kernel explains texture, but its x is no photo."""
    whole = (
        ks.read(WHOLE / SHAPES.name).pixels[10:214, 10:214].mean(-1)[None, ..., None]
    )
    h = shake_kernel(jax.random.key(54), 5, exposures=(1.0,), length=8.0)
    x, y = blurred(jnp.asarray(whole), h, 0.004)
    shifted = best_shift(x, jnp.clip(restore(y, blind_map(y).h), 0, 1))
    assert float(psnr(shifted.x, shifted.z)[0] - psnr(y, x)[0]) > 2


def test_odd_photos_stay_finite():
    y = jnp.stack([jnp.zeros((40, 40, 1)), jnp.ones((40, 40, 1))])
    noise = jax.random.uniform(jax.random.key(0), (1, 40, 40, 1))
    found = blind_map(jnp.concatenate([y, noise]), 9)
    assert jnp.isfinite(found.h).all()
    np.testing.assert_allclose(found.h.sum((1, 2)), 1, atol=1e-5)


def test_a_kernel_stays_in_its_box():
    y = jax.random.uniform(jax.random.key(0), (40, 44))
    h = jnp.full((9, 9), 1 / 81)
    turn = jax.jit(lambda y, h: in_turns(y, h, jnp.float32(2e-3), 1, box=0.6)[0])
    found = turn(y, h)
    outside = np.ones((9, 9), bool)
    outside[2:7, 2:7] = False
    assert (found[outside] == 0).all() and float(found.sum()) == pytest.approx(1)


def photo():
    return blurred(scene(9, 64, 68), kernels()[1], 0.003)[1]


@pytest.fixture(scope="module")
def blurry():
    return photo()


@pytest.fixture
def small(monkeypatch):
    """A preset that drops starts at each stage."""
    monkeypatch.setitem(PRESETS, "small", Preset((2e-3, 6e-3, 1e-2), (1.0, 0.8), 3, 2))
    return "small"


@pytest.mark.slow
def test_a_photo_among_others_has_the_answer_that_it_has_alone(blurry, small):
    """Beside a black one and one of noise; none of them stops a search."""
    noise = jax.random.uniform(jax.random.key(4), blurry.shape)
    stack = jnp.concatenate([jnp.zeros_like(blurry), blurry, noise])
    heard = []
    together = blind_map(stack, 9, preset=small, tell=lambda *n: heard.append(n))
    assert jnp.isfinite(together.h).all()
    np.testing.assert_allclose(together.h.sum((1, 2)), 1, atol=1e-5)
    alone = blind_map(blurry, 9, preset=small)
    np.testing.assert_allclose(together.h[1], alone.h[0], atol=5e-5)
    number = len(stack) * (6 + 3 + 2)
    assert heard == [(done + 1, number) for done in range(number)]


@pytest.mark.slow
def test_eight_devices_find_what_one_does(blurry, tmp_path):
    script, file = Path(__file__).with_name("starts_devices.py"), tmp_path / "h.npy"
    flags = os.environ["XLA_FLAGS"] + " --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, script, "8", file],
        env=os.environ | {"XLA_FLAGS": flags},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert jax.device_count() == 1
    np.testing.assert_allclose(np.load(file), blind_map(blurry, 9).h, atol=1e-5)


def test_the_first_of_the_kernels_found_has_the_lowest_score(blurry, small):
    found, scores = from_starts(blurry, 9, preset=small)
    again = [residual_score(blurry, found.h[:, i])[0] for i in range(scores.shape[1])]
    np.testing.assert_allclose(scores[0], again, atol=1e-4)
    assert (jnp.diff(scores[0]) >= 0).all()
    best = blind_map(blurry, 9, preset=small)
    np.testing.assert_array_equal(best.h[0], found.h[0, 0])


def test_a_start_that_diverges_is_not_chosen(blurry, monkeypatch):
    """Not a number has no rank: it must come last."""
    wild = Preset((2e-3, float("nan")), (1.0,), kept=2, refined=2)
    monkeypatch.setitem(PRESETS, "wild", wild)
    monkeypatch.setitem(PRESETS, "tame", Preset((2e-3,), (1.0,), kept=1, refined=1))
    wild, tame = (blind_map(blurry, 9, preset=name).h for name in ("wild", "tame"))
    np.testing.assert_allclose(wild, tame, atol=1e-6)


def test_tiny_photos_get_an_answer():
    found = blind_map(jax.random.uniform(jax.random.key(2), (1, 16, 16, 1)))
    assert jnp.isfinite(found.h).all() and float(found.h.sum()) == pytest.approx(1)


def test_refinement_leaves_the_true_kernel_of_a_soft_photo_alone():
    """Turns by themselves move away from the truth, because they take edges for steep;
    what is measured brings it back."""
    soft = jnp.asarray(ndimage.gaussian_filter(scene(8, 120, 130), (0, 0.7, 0.7, 0)))
    x, y = blurred(soft, kernels()[1], 0.005)
    true = kernels()[1]

    def turns(y, h):
        return in_turns(y[0, ..., 0], h, jnp.float32(1e-4), 16, fall=1.0, least=0.0)[0]

    refined = jax.jit(refine_kernel)(y, true[None], jax.random.key(6))[0]
    quality = [quality_of(x, y, h) for h in (true, refined, jax.jit(turns)(y, true))]
    assert quality[1] > quality[0] - 0.1
    assert quality[2] < quality[0] - 5


def test_refinement_mends_a_wrong_kernel():
    x, y = blurred(scene(8, 120, 130), kernels()[1], 0.005)
    wrong = 0.6 * kernels()[1] + 0.4 * jnp.roll(kernels()[1], 1, 0)
    refined = jax.jit(refine_kernel)(y, wrong[None], jax.random.key(6))[0]
    assert quality_of(x, y, refined) > quality_of(x, y, wrong) + 3


def quality_of(x, y, h):
    return float(psnr(jnp.clip(restore(y, h), 0, 1), x)[0])
