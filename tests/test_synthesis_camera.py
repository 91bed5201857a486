"""Rotating cameras, long exposures and sensors."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from kernel_space_jax import synthesis
from kernel_space_jax.synthesis import (
    add_noise,
    average_frames,
    blur_uniform,
    draw_kernel,
    light_to_srgb,
    random_focal,
    rotation_trajectory,
    saturation,
    srgb_to_light,
)

rotate = jax.jit(synthesis.rotate)
mosaic = jax.jit(synthesis.mosaic)
demosaic = jax.jit(synthesis.demosaic)
camera = jax.jit(synthesis.camera, static_argnames=("photon", "read", "red", "blue"))
blur_rotation = jax.jit(synthesis.blur_rotation)


def random(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).random(shape), jnp.float32)


def smooth(seed, *shape):
    x = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), (2, 2, 0))
    return jnp.asarray((x - x.min()) / (x.max() - x.min()), jnp.float32)


def test_a_camera_at_rest_sees_what_it_saw():
    x = random(0, 45, 62, 3)
    assert np.abs(rotate(x, jnp.zeros(3), 50.0) - x).max() < 1e-4
    still = blur_rotation(x, jnp.zeros((5, 3)), 50.0)
    assert np.abs(still - x).max() < 1e-4


def test_a_quarter_turn():
    x = random(1, 41, 41, 3)
    turned = rotate(x, jnp.array([0.0, 0.0, np.pi / 2]), 30.0)
    assert np.abs(turned - np.rot90(x, -1)).max() < 1e-4


def test_a_roll_turns_about_the_centre():
    x = smooth(2, 60, 75, 1)
    turned = rotate(x, jnp.array([0.0, 0.0, np.deg2rad(8)]), 100.0)
    expected = ndimage.rotate(x, -8, order=1, reshape=False, mode="nearest")
    assert np.abs(turned - expected)[10:-10, 10:-10].max() < 1e-4


@pytest.mark.parametrize("axis, shift", [(0, (-6, 0)), (1, (0, 6))])
def test_pitch_and_yaw_move_the_middle(axis, shift):
    """By f tan(angle): up for a positive pitch, to the right for a positive yaw."""
    x = np.zeros((51, 51, 1), np.float32)
    x[25, 25] = 1
    angles = np.zeros(3, np.float32)
    angles[axis] = np.arctan2(6, 80)
    seen = np.asarray(rotate(jnp.asarray(x), angles, 80.0))[..., 0]
    brightest = np.unravel_index(seen.argmax(), seen.shape)
    assert brightest == (25 + shift[0], 25 + shift[1])
    assert seen.max() > 0.95


def test_a_tele_lens_blurs_as_a_kernel_does():
    """Far away, turning is shifting: the kernel is what the middle travels."""
    x, focal = smooth(3, 64, 64, 3), 5000.0
    path = np.random.default_rng(4).uniform(-3, 3, (9, 2)).astype(np.float32)
    path -= path.mean(0)
    angles = np.concatenate([np.arctan2(path, focal), np.zeros((9, 1))], 1)
    angles[:, 0] *= -1
    turned = blur_rotation(x, jnp.asarray(angles, jnp.float32), focal, gamma=1.0)
    h = draw_kernel(jnp.asarray(path), jnp.ones(9), 9)
    shifted = blur_uniform(x, h)
    assert np.abs(turned - shifted)[8:-8, 8:-8].max() < 2e-3


def test_rotation_trajectories():
    keys = jax.random.split(jax.random.key(0), 32)
    draw = partial(rotation_trajectory, size=(180, 320), focal=400.0, poses=25)
    angles = np.asarray(jax.jit(jax.vmap(draw))(keys))
    assert angles.shape == (32, 25, 3)
    assert np.abs(angles.mean(1)).max() < 1e-6
    # A path of 40 pixels: at 400 pixels of focal length a tenth of a radian.
    paths = np.linalg.norm(np.diff(angles[..., :2], axis=1), axis=-1).sum(1)
    assert 0.05 < np.median(paths) < 0.101
    focals = np.asarray(jax.vmap(lambda k: random_focal(k, (180, 320)))(keys))
    assert 160 <= focals.min() < 300 and 700 < focals.max() <= 1280


def test_light_adds_up():
    black, white = jnp.zeros((2, 3, 3)), jnp.ones((2, 3, 3))
    frames = jnp.stack([black, white, white, black])
    assert np.abs(average_frames(frames) - 0.5 ** (1 / 2.2)).max() < 1e-6
    assert np.abs(average_frames(frames, 1.0) - 0.5).max() < 1e-6
    x = random(5, 8, 8, 3)
    assert np.abs(average_frames(jnp.stack([x] * 7)) - x).max() < 1e-5


def test_srgb():
    x = jnp.linspace(0, 1, 1001)
    assert np.abs(light_to_srgb(srgb_to_light(x)) - x).max() < 1e-5
    # IEC 61966-2-1: half the code is a fifth of the light.
    assert abs(srgb_to_light(jnp.array(0.5)) - 0.21404) < 1e-5


@pytest.mark.parametrize("photon, read", [(0.0, 1e-4), (4e-4, 0.0), (8.9e-5, 2.9e-5)])
def test_noise_has_the_variance_asked_for(photon, read):
    for level in (0.0, 0.3, 1.0):
        light = jnp.full((200, 200), level)
        noise = add_noise(jax.random.key(1), light, photon=photon, read=read) - light
        asked = photon * level + read
        assert abs(np.var(noise) - asked) <= 0.03 * asked
        assert abs(np.mean(noise)) <= 4 * np.sqrt(asked) / 200


def test_the_mosaic_is_red_first():
    x = jnp.broadcast_to(jnp.array([0.1, 0.2, 0.3]), (4, 4, 3))
    expected = np.tile([[0.1, 0.2], [0.2, 0.3]], (2, 2))
    assert np.array_equal(mosaic(x), np.float32(expected))


def test_demosaic():
    flat = jnp.broadcast_to(jnp.array([0.1, 0.5, 0.3]), (9, 12, 3))
    grey = jnp.broadcast_to(random(6, 1, 1, 1), (9, 12, 3))
    for x in (flat, grey):
        assert np.abs(demosaic(mosaic(x)) - x).max() < 1e-6
    # What was measured stays.
    raw = random(7, 15, 22)
    assert np.abs(mosaic(demosaic(raw)) - raw).max() < 1e-6
    # A grey ramp has no colour away from the border.
    ramp = jnp.broadcast_to(jnp.linspace(0, 1, 20)[:, None, None], (20, 21, 3))
    assert np.abs(demosaic(mosaic(ramp)) - ramp)[4:-4].max() < 1e-6


def test_the_camera_without_noise_develops_what_it_saw():
    # White balance and mosaic cancel where nothing changes.
    flat = jnp.broadcast_to(jnp.array([0.2, 0.4, 0.3]), (16, 16, 3))
    y = camera(jax.random.key(2), flat, photon=0.0, read=0.0)
    assert np.abs(y - light_to_srgb(flat)).max() < 1e-5


def test_white_balance_amplifies_the_noise():
    """Blue and red are measured darker than green, by their gains."""
    grey = jnp.full((128, 128, 3), 0.5)
    y = camera(
        jax.random.key(3),
        grey,
        photon=0.0,
        read=1e-6,
        red=(2.0, 2.0),
        blue=(1.5, 1.5),
    )
    noise = np.asarray(srgb_to_light(y) - grey)
    # At the pixels of each colour there is nothing but its own noise.
    red, green, blue = noise[::2, ::2, 0], noise[::2, 1::2, 1], noise[1::2, 1::2, 2]
    for part, gain in ((red, 2.0), (green, 1.0), (blue, 1.5)):
        assert abs(part.std() - 1e-3 * gain) < 4e-5 * gain


def test_saturation_comes_back_as_light():
    x = jnp.full((16, 16, 3), 0.25).at[4:12, 4:12].set(1.0)
    cut = saturation(x)
    assert cut.shape == (16, 16, 1) and cut.sum() == 64
    dim = x * 0.4
    plain = camera(jax.random.key(4), dim, photon=0.0, read=0.0)
    glowing = camera(jax.random.key(4), dim, 0.5 * cut, photon=0.0, read=0.0)
    gain = np.asarray(srgb_to_light(glowing) - srgb_to_light(plain))[8, 8]
    assert (0.5 * 0.25 <= gain + 1e-4).all() and (gain <= 0.6 + 1e-4).all()
    assert np.abs(glowing - plain)[:2].max() < 1e-6
