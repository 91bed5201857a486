"""The protocol of shaken photos: the kernel that is handed out made the photo."""

import jax.numpy as jnp
import numpy as np
import pytest

from kernel_space_jax import Photo, UserError, write
from kernel_space_jax.datasets import open_source
from kernel_space_jax.evaluation.protocols.shaken import NOISE, SHAKEN, SIDE, SIZES
from kernel_space_jax.operators import uniform


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharp")
    random = np.random.default_rng(0).random((2, 300, 310, 3), np.float32)
    for name, image in zip("ab", random, strict=True):
        write(folder / f"{name}.png", Photo(0.25 + 0.5 * image))
    write(folder / "small.png", Photo(random[0, :200]))
    return SHAKEN.problems(open_source(f"images:{folder}"))


def test_the_kernel_blurs_x_to_y(problems):
    for index in (0, 1):
        record = problems[index].record
        h = record.extras["kernel"]
        assert h.shape == (SIZES[index],) * 2
        assert record.blurry.shape == record.sharp.shape == (SIDE, SIDE, 1)
        again = uniform.convolve(
            jnp.asarray(record.sharp)[None], jnp.asarray(h), border="valid"
        )[0]
        reach = SIZES[index] // 2
        rest = again - record.blurry[reach:-reach, reach:-reach]
        assert abs(float(jnp.std(rest)) / NOISE - 1) < 0.05


def test_runs_agree_and_small_images_are_named(problems):
    first, again = problems[1].record, problems[1].record
    np.testing.assert_array_equal(first.blurry, again.blurry)
    with pytest.raises(UserError, match="small is 310x200 pixels"):
        problems[2]
