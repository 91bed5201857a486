"""A trained network leaves its work directory whole, as weights and as a program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

import kernel_space_jax as ks
from kernel_space_jax.cli import app
from kernel_space_jax.errors import UserError
from kernel_space_jax.training.config import defaults
from kernel_space_jax.training.export import export_weights
from kernel_space_jax.training.loop import train


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """Two steps of a very small kernel space on four pairs."""
    folder = tmp_path_factory.mktemp("export")
    draw = np.random.default_rng(0)
    for part in ("blurry", "sharp"):
        for index in range(4):
            pixels = draw.random((130, 140, 3), np.float32)
            ks.write(folder / "pairs" / part / f"{index}.png", ks.Photo(pixels))
    config = defaults("kernel_space")
    config.model.width = 2
    config.model.front_blocks = config.model.back_blocks = config.model.code_blocks = 1
    config.model.padding = "zero"
    config.data.train = (f"pairs:{folder / 'pairs'}",)
    config.data.validation = f"pairs:{folder / 'pairs'}"
    config.data.validation_size = 2
    config.data.crop = 128
    config.data.workers = 0
    config.batch_size = 2
    config.steps = 2
    train(config, folder / "run", say=print)
    return folder / "run"


@pytest.mark.slow
def test_weights_and_program_are_the_network(workdir, tmp_path):
    file, program = tmp_path / "small.safetensors", tmp_path / "blur.bin"
    done = CliRunner().invoke(app, ["export", str(workdir), "-o", str(file)])
    assert done.exit_code == 0 and "step 2" in done.output, done.output
    module, variables = ks.load(file)
    assert module == ks.KernelSpace(2, 16, 1, 1, 1, padding="zero")
    words = ["export-program", file, "blur", "-o", program, "--size", "128"]
    words += ["--platforms", "cpu,cuda,tpu"]
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output
    x = jax.random.uniform(jax.random.key(0), (3, 128, 128, 3))
    k = jax.random.normal(jax.random.key(1), (3, 1, 1, 16))
    alone = jax.export.deserialize(bytearray(program.read_bytes())).call(x, k)
    expected = jax.jit(lambda v: module.apply(v, x, k, method="blur"))(variables)
    np.testing.assert_allclose(alone, expected, atol=1e-5)
    assert jnp.abs(expected - x).max() > 1e-3


def test_what_is_not_there_is_said(workdir, tmp_path):
    output = tmp_path / "out.safetensors"
    with pytest.raises(UserError, match="has no checkpoint 7; it has 2"):
        export_weights(workdir, output, step=7)
    with pytest.raises(UserError, match="is not the work directory of a run"):
        export_weights(tmp_path, output)
    assert not output.exists()
