"""Colours that follow the light."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import SHAPES, SHARP

import kernel_space_jax as ks
from kernel_space_jax.deblur.colours import follow_light
from kernel_space_jax.metrics import psnr
from kernel_space_jax.operators.light import in_grey

NOISE = 0.02


@pytest.fixture(scope="module")
def photo():
    return jnp.asarray(ks.read(SHARP).pixels)[None]


def test_noise_goes_where_only_the_light_was_restored(photo):
    """x has the true light and the colours of a noisy y; what is left is nearer."""
    noise = NOISE * jax.random.normal(jax.random.key(0), photo.shape)
    y = photo + noise
    x = in_grey(photo) + y - in_grey(y)
    found = follow_light(y, x)
    assert (psnr(found, photo) > psnr(x, photo) + 2).all()
    # A line moves light and colours together, but the light hardly.
    assert (psnr(in_grey(found), in_grey(photo)) > 50).all()


def test_a_photo_without_noise_keeps_its_colours():
    photo = jnp.asarray(ks.read(SHAPES).pixels)[None]
    assert (psnr(follow_light(photo, photo), photo) > 50).all()


@pytest.mark.parametrize("shape", [(1, 20, 33, 3), (2, 1, 3, 3)])
def test_what_has_no_colour_stays_as_it_is(shape):
    grey = jax.random.uniform(jax.random.key(1), (*shape[:-1], 1))
    x = jnp.broadcast_to(grey, shape)
    np.testing.assert_allclose(follow_light(x, x), x, atol=1e-3)
    nothing = jnp.zeros(shape)
    np.testing.assert_allclose(follow_light(nothing, x), x, atol=1e-3)
