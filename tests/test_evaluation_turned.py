"""The protocol of turned cameras: what the photo is, and that runs agree."""

import numpy as np
import pytest

from kernel_space_jax import Photo, UserError, write
from kernel_space_jax.datasets import open_source
from kernel_space_jax.evaluation.protocols.turned import MARGIN, NOISE, SIDE, TURNED


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharp")
    wide = SIDE + 2 * MARGIN
    # A wall of one colour: no camera blurs it.
    write(folder / "a.png", Photo(np.full((wide, wide, 3), 0.25, np.float32)))
    edge = np.full((wide, wide + 6, 3), 0.1, np.float32)
    edge[:, edge.shape[1] // 2 :] = 0.9
    write(folder / "b.png", Photo(edge))
    write(folder / "small.png", Photo(edge[:200]))
    return TURNED.problems(open_source(f"images:{folder}"))


def test_a_wall_gets_noise_only(problems):
    record = problems[0].record
    assert record.blurry.shape == record.sharp.shape == (SIDE, SIDE, 3)
    rest = record.blurry - record.sharp
    assert abs(rest.mean()) < 1e-3 and abs(rest.std() / NOISE - 1) < 0.05


def test_light_is_blurred(problems):
    """An edge keeps its light: the mean of y^2.2 over the photo is that of x^2.2."""
    record = problems[1].record
    grey = (record.blurry > 0.2) & (record.blurry < 0.8)
    assert grey.mean() > 0.01
    light, truth = (np.mean(a**2.2) for a in (record.blurry, record.sharp))
    # A blur of the photo's numbers would lose 4e-3.
    assert abs(light - truth) < 1e-3


def test_runs_agree_and_small_images_are_named(problems):
    first, again = problems[1].record, problems[1].record
    np.testing.assert_array_equal(first.blurry, again.blurry)
    with pytest.raises(UserError, match="small is 310x200 pixels"):
        problems[2]
