"""Dead leaves have a photo's statistics; a generator is a function of its key."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernel_space_jax import synthesis

SIDE = 128


@pytest.fixture(scope="module")
def leaves():
    draw = partial(synthesis.dead_leaves, size=(SIDE, SIDE))
    keys = jax.random.split(jax.random.key(0), 32)
    return np.asarray(jax.jit(jax.vmap(draw))(keys))


def grey(x):
    return x @ np.array([0.299, 0.587, 0.114])


def spectral_slope(picture):
    """The exponent b of power ~ f^b, from 3 periods a picture to 0.4 a pixel."""
    window = np.hanning(SIDE)
    centred = (picture - picture.mean()) * np.outer(window, window)
    power = np.abs(np.fft.fft2(centred)) ** 2
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE))
    edges = np.geomspace(3 / SIDE, 0.4, 11)
    ring = np.digitize(f, edges)
    means = [power[ring == i].mean() for i in range(1, 11)]
    middles = np.sqrt(edges[1:] * edges[:-1])
    return np.polyfit(np.log(middles), np.log(means), 1)[0]


def test_the_spectrum_is_natural(leaves):
    """Photos: BSDS500's are at -2.4, and four in five between -2.9 and -1.8."""
    slopes = [spectral_slope(grey(x)) for x in leaves]
    assert -2.9 < np.median(slopes) < -1.9
    assert np.std(slopes) < 0.5


def test_gradients_have_heavy_tails(leaves):
    """A normal distribution has kurtosis 3, photos about 17."""
    gradients = np.diff(grey(leaves), axis=2).reshape(len(leaves), -1)
    kurtosis = (gradients**4).mean(1) / (gradients**2).mean(1) ** 2
    assert np.median(kurtosis) > 9
    # Mostly flat, with edges: the median is far below the root mean square.
    assert np.median(np.abs(gradients)) < 0.5 * np.sqrt((gradients**2).mean())


def test_colours_are_natural(leaves):
    """Spread by brightness, then blue to yellow, then green to red."""
    red, green, blue = np.moveaxis(leaves, -1, 0)
    light = grey(leaves).std()
    yellow, magenta = ((red + green) / 2 - blue).std(), (red - green).std()
    assert light > yellow > magenta > 0.02
    assert 0.3 < leaves.mean() < 0.6 and 0.12 < light < 0.3
    assert leaves.min() >= 0 and leaves.max() <= 1
    assert (leaves >= 1).mean() < 0.05


def test_no_grid_shows(leaves):
    """Nor does any place of the picture have more edges than another."""
    edges = np.abs(np.diff(grey(leaves), axis=2)).mean((0, 1))
    profile = edges / edges.mean()
    assert profile.std() < 0.25
    for period in (8, 16, 32):
        folded = profile[: 120 // period * period].reshape(-1, period).mean(0)
        assert folded.std() < 0.2


def test_edges_are_smooth():
    """A disc's rim covers pixels by parts, and its area is right."""
    draws = jnp.zeros((synthesis.shapes.DRAWS, 1)).at[5:].set(1.0).at[4].set(1.0)
    centre = jnp.array([30.3]), jnp.array([31.6])
    shape = synthesis.shapes.shapes(draws, centre, jnp.array([20.0]))
    y, x = jnp.mgrid[:64, :64].astype(jnp.float32)
    alpha = np.asarray(jax.jit(synthesis.shapes.coverage)(shape, y, x))
    assert abs(alpha.sum() / (np.pi * 20**2) - 1) < 5e-3
    partly = ((alpha > 0) & (alpha < 1)).sum()
    # The rim is a ring one pixel wide.
    assert 0.8 < partly / (np.pi * 40) < 1.3


def test_options_do_what_they_say():
    draw = jax.jit(synthesis.dead_leaves, static_argnames=("size", "smallest"))
    make = lambda **asked: np.asarray(draw(jax.random.key(1), (64, 64), **asked))
    dull = make(colour=0.0, texture=0.1)
    assert np.abs(dull - dull[..., :1]).max() < 1e-6
    rough, plain = (make(colour=1.0, texture=texture) for texture in (0.3, 0.0))
    steps = lambda x: np.abs(np.diff(grey(x), axis=0))
    assert np.median(steps(rough)) > 3 * np.median(steps(plain))
    large = make(colour=1.0, texture=0.0, smallest=8.0)
    assert steps(large).mean() < steps(plain).mean()


X = jnp.asarray(np.random.default_rng(0).random((48, 32, 3)), jnp.float32)
GENERATORS = {
    "dead_leaves": lambda key: synthesis.dead_leaves(key, (48, 32)),
    "shake_kernel": lambda key: synthesis.shake_kernel(key, 9),
    "rotation": lambda key: synthesis.blur_rotation(
        X, synthesis.rotation_trajectory(key, (48, 32), 50.0, poses=5), 50.0
    ),
    "camera": lambda key: synthesis.camera(key, X),
    "degrade": lambda key: synthesis.degrade(key, X),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_is_a_function_of_its_key(name):
    """The same again, in a batch as alone, and another by another key."""
    make = GENERATORS[name]
    keys = jax.random.split(jax.random.key(7), 3)
    batch = np.asarray(jax.jit(jax.vmap(make))(keys))
    one = jax.jit(make)
    again = [np.asarray(one(key)) for key in keys]
    assert np.array_equal(again[0], one(keys[0]))
    assert np.abs(batch[0] - batch[1]).max() > 1e-3
    # Rounding may turn over a step of the JPEG, or which of two leaves is in front.
    loose = {"dead_leaves": 1e-3, "degrade": 1e-2}.get(name, 0)
    for a, b in zip(batch, again, strict=True):
        assert (np.abs(a - b) > 1e-4).mean() <= loose


@pytest.mark.parametrize("name", ["shake_kernel", "camera"])
def test_compiled_as_not(name):
    make, key = GENERATORS[name], jax.random.key(8)
    assert np.abs(jax.jit(make)(key) - make(key)).max() < 1e-5
