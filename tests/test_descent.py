"""Restoration by descent: a known blur is undone; without one the photo stays."""

import jax
import jax.numpy as jnp
import pytest
from commands import SHARP

import kernel_space_jax as ks
from kernel_space_jax.metrics import psnr
from kernel_space_jax.operators import Uniform
from kernel_space_jax.solvers.search.descent import restore_under

restore = jax.jit(restore_under)


@pytest.fixture(scope="module")
def sharp():
    return jnp.asarray(ks.read(SHARP).pixels[64:128, 96:160])[None]


@pytest.mark.parametrize(("noise", "won"), [(0.0, 6), (0.03, 3)])
def test_a_known_blur_is_undone(sharp, noise, won):
    h = jnp.zeros((7, 7)).at[3].set(1 / 7)
    y = Uniform()(sharp, h) + noise * jax.random.normal(jax.random.key(0), sharp.shape)
    y = jnp.rint(255 * y) / 255
    x = restore(Uniform(), y, h)
    assert float(psnr(x, sharp)[0] - psnr(y, sharp)[0]) > won


def test_without_blur_the_photo_stays(sharp):
    delta = jnp.zeros((3, 3)).at[1, 1].set(1)
    assert float(psnr(restore(Uniform(), sharp, delta), sharp)[0]) > 40
