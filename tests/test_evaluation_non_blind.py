"""The protocol of known per-pixel blur: what methods are given is what made y."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernel_space_jax import Photo, UserError, write
from kernel_space_jax.datasets import open_source
from kernel_space_jax.evaluation.methods import named
from kernel_space_jax.evaluation.protocols.non_blind import (
    KERNEL_SIZE,
    NOISE,
    SIDE,
    NonBlindProblems,
)
from kernel_space_jax.metrics import psnr
from kernel_space_jax.operators import Basis, Camera
from kernel_space_jax.synthesis import dead_leaves


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharp")
    leaves = np.asarray(dead_leaves(jax.random.key(0), (300, 300)))
    write(folder / "one.png", Photo(leaves))
    write(folder / "small.png", Photo(leaves[:200]))
    return NonBlindProblems(open_source(f"images:{folder}"))


def test_the_field_blurs_x_to_y(problems):
    record = problems[0].record
    assert record.blurry.shape == record.sharp.shape == (SIDE, SIDE, 3)
    again = Camera(Basis(), saturates=False)(
        jnp.asarray(record.sharp)[None], record.extras["field"]
    )
    inner = slice(KERNEL_SIZE // 2, -(KERNEL_SIZE // 2))
    y = record.blurry[inner, inner]
    rest = (np.asarray(again[0])[inner, inner] - y)[(y > 0.1) & (y < 0.9)]
    assert abs(rest.std() / NOISE - 1) < 0.05
    np.testing.assert_array_equal(record.blurry, problems[0].record.blurry)


def test_whoever_knows_each_pixel_does_better(problems):
    record = problems[0].record

    def score(name: str) -> float:
        found = jnp.asarray(named(name).restore(record).image)[None]
        return float(psnr(found, jnp.asarray(record.sharp)[None])[0])

    names = ("blurry", "published-rl", "richardson-lucy")
    blurry, published, ours = map(score, names)
    assert ours > published > blurry


def test_small_images_and_other_data_are_refused(problems):
    with pytest.raises(UserError, match="at least 288 a side"):
        problems[1]
    record = problems[0].record._replace(extras={})
    for name, lacks in {"half-quadratic": "for its pixels", "wiener": "kernel"}.items():
        with pytest.raises(UserError, match=lacks):
            named(name).restore(record)
