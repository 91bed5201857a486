"""The protocol of blurs that the kernel space knows: the code handed out made y."""

import jax.numpy as jnp
import numpy as np
import pytest
from commands import SHAPES

import kernel_space_jax as ks
from kernel_space_jax import Photo, UserError, weights, write
from kernel_space_jax.datasets import open_source
from kernel_space_jax.evaluation.protocols import in_space
from kernel_space_jax.metrics import psnr
from kernel_space_jax.operators import Learned
from kernel_space_jax.synthesis import transfer


def test_the_code_blurs_x_to_y(tmp_path, monkeypatch):
    # F of a smaller picture is the same F, and compiled sooner.
    monkeypatch.setattr(in_space, "SIDE", 64)
    image = ks.read(SHAPES).pixels
    write(tmp_path / "a.png", Photo(image[64:140, 96:180]))
    write(tmp_path / "b.png", Photo(image[100:170, 150:230]))
    write(tmp_path / "small.png", Photo(image[:64, :63]))
    problems = in_space.IN_SPACE.problems(open_source(f"images:{tmp_path}"))
    record = problems[0].record
    x, y = jnp.asarray(record.sharp)[None], jnp.asarray(record.blurry)[None]
    assert x.shape == y.shape == (1, 64, 64, 3)
    operator = Learned(*weights.load("kernel-space"))
    (again,) = transfer(operator, jnp.asarray(record.extras["code"]), [record.sharp])
    assert np.abs(again - record.blurry).max() < 0.6 / 255
    assert float(psnr(x, y)[0]) < 35
    np.testing.assert_array_equal(problems[0].record.blurry, record.blurry)
    with pytest.raises(UserError, match="small is 63x64 pixels"):
        problems[2]
