"""A restorer of any face goes through every door: photos in, colours in [0, 1] out."""

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import BLURRY, kernel_space_here
from evaluation_data import picture, write
from scipy import ndimage

import kernel_space_jax as ks
from kernel_space_jax.models import restorers
from kernel_space_jax.models.restorers.face import SIGNED, SINGLE


class Signed(nn.Module):
    """x = y + a y (y - m), m the mean of all of y's numbers in a pixel's row."""

    face: ClassVar = SIGNED

    @nn.compact
    def __call__(self, y):
        a = self.param("amount", nn.initializers.constant(0.1), (y.shape[-1],))
        return y + a * y * (y - jnp.mean(y, (2, 3), keepdims=True))


class Single(Signed):
    """The same for one channel at a time, whose rows have a mean each."""

    face: ClassVar = SINGLE


@pytest.fixture
def pairs(tmp_path):
    for i in range(3):
        x = picture(i, (40, 44))
        write(tmp_path / "data" / "sharp" / f"{i}.png", x)
        y = ndimage.gaussian_filter(x, (1, 1, 0))
        write(tmp_path / "data" / "blurry" / f"{i}.png", y)
    return f"pairs:{tmp_path / 'data'}"


def expected(kind, a, y):
    """By the equation, on each colour or on numbers in [-1, 1]."""
    if kind is Single:
        return y + a * y * (y - y.mean(2, keepdims=True))
    z = 2 * y - 1
    return (z + a * z * (z - z.mean((2, 3), keepdims=True)) + 1) / 2


@pytest.mark.parametrize("kind", [Signed, Single])
def test_a_face_goes_through_every_door(kind, pairs, tmp_path, monkeypatch):
    monkeypatch.setitem(restorers.NETWORKS, "faced", kind)
    config, file = tmp_path / "config.py", tmp_path / "faced.safetensors"
    config.write_text(
        "from kernel_space_jax.training.config import defaults\n"
        "def get_config():\n"
        "    config = defaults('supervised', network='faced')\n"
        f"    config.data.train = ({pairs!r},)\n"
        f"    config.data.validation = {pairs!r}\n"
        "    config.steps = config.evaluate_every = config.log_every = 4\n"
        "    config.batch_size = config.data.validation_size = 2\n"
        "    config.data.crop, config.data.blur = 32, 'none'\n"
        "    config.learning_rate = 3e-2\n"
        "    return config\n"
    )
    program, scores = tmp_path / "faced.bin", tmp_path / "scores"
    for words in (
        ["train", "--config", config, "--workdir", tmp_path / "run"],
        ["export", tmp_path / "run", "-o", file],
        ["deblur", BLURRY, "-o", tmp_path, "--method", "faced", "--weights", file],
        ["evaluate", "--data", pairs, "--protocol", "pairs", "--method", "blurry"]
        + ["--weights", file, "-o", scores],
        ["export-program", file, "-o", program, "--size", "64", "--platforms", "cpu"],
    ):
        done = kernel_space_here(*words)
        assert done.returncode == 0, done.stderr
    a = np.asarray(ks.load(file).variables["params"]["amount"])
    assert a.shape == ((1,) if kind is Single else (3,))
    assert np.abs(a - 0.1).min() > 1e-3
    y, x = (ks.read(p).pixels for p in (BLURRY, tmp_path / BLURRY.name))
    true = expected(kind, a, y[None])[0].clip(0, 1)
    np.testing.assert_allclose(x, true, atol=0.6 / 255)
    assert "| faced" in (scores / "table.md").read_text()
    y = np.stack([picture(i, (64, 64)) for i in range(2)])
    answer = jax.export.deserialize(bytearray(program.read_bytes())).call(y)
    np.testing.assert_allclose(answer, expected(kind, a, y), atol=1e-5)
