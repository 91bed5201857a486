"""F and G against the numbers of the original program."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import Golden, largest_difference, relative_error

from kernel_space_jax.losses import charbonnier, kl
from kernel_space_jax.weights import from_torch

FORWARD = 1e-4


def load(name, **options):
    golden = Golden(name)
    return golden, *from_torch("kernel_space", golden.weights(), **options)


@pytest.mark.parametrize(
    ("name", "options", "sizes"),
    [
        ("kw_wovae_nf4", {}, ["256x256", "256x384"]),
        ("kw_vae_nf4", {}, ["256x256", "256x384"]),
    ],
)
def test_extract_agrees(name, options, sizes):
    golden, module, variables = load(name, **options)
    for size in sizes:
        mean, sigma = jax.jit(
            lambda x, y: module.apply(variables, x, y, method="extract")
        )(golden.image(f"in/sharp_{size}"), golden.image(f"in/blur_{size}"))
        assert largest_difference(mean, golden.image(f"out/kmean_{size}")) < FORWARD
        assert largest_difference(sigma, golden.image(f"out/ksigma_{size}")) < FORWARD
        code = mean + sigma * golden.image(f"in/eps_{size}")
        assert largest_difference(code, golden.image(f"out/k_{size}")) < FORWARD


@pytest.mark.parametrize("name", ["kw_wovae_nf4", "kw_vae_nf4"])
def test_blur_agrees(name):
    golden, module, variables = load(name)
    codes = {"256x256": "out/k_256x256", **dict.fromkeys(["128x128", "128x256"])}
    for size, code in codes.items():
        blurry = jax.jit(lambda x, k: module.apply(variables, x, k, method="blur"))(
            golden.image(f"in/sharp_{size}"), golden.image(code or f"in/kin_{size}")
        )
        assert largest_difference(blurry, golden.image(f"out/adapt_{size}")) < FORWARD
