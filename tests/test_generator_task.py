"""A generator and a critic in training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_data import write

from kernel_space_jax import weights
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.generators import StyleGAN2
from kernel_space_jax.training.config import build_task, defaults, load_config
from kernel_space_jax.training.export import export_weights
from kernel_space_jax.training.loop import train

COLOUR = np.array([200, 90, 40], np.float32)


@pytest.fixture
def config(tmp_path):
    """Images of 16x16 of about one colour."""
    rng = np.random.default_rng(0)
    for i in range(8):
        noise = 8 * rng.standard_normal((16, 16, 3))
        write(tmp_path / "photos" / f"{i}.png", np.clip(COLOUR + noise, 0, 255))
    config = load_config("generator_synthetic").unlock()
    config.model.widths, config.model.style, config.model.mapping = (8, 8, 8), 8, 2
    config.model.critic_options.width, config.model.critic_options.layers = 8, 1
    config.data.crop, config.data.validation_size = 16, 4
    config.data.train = (f"images:{tmp_path}/photos",)
    config.data.validation = f"images:{tmp_path}/photos"
    config.steps = config.evaluate_every = config.checkpoint_every = 300
    config.learning_rate, config.ema = 3e-3, 0.9
    return config


@pytest.mark.slow
def test_it_learns_the_colour_of_its_images(config, tmp_path):
    train(config, tmp_path / "run", say=lambda text: None)
    file = tmp_path / "generator.safetensors"
    export_weights(tmp_path / "run", file)
    module, variables = weights.load(file)
    assert isinstance(module, StyleGAN2)
    z = jax.random.normal(jax.random.key(0), (16, 8))
    w = module.apply(variables, z, method="mapped")
    noise = [jnp.zeros(shape) for shape in module.noise_shapes()]
    images = module.apply(
        variables, jnp.repeat(w[:, None], module.latents[0], 1), *noise
    )
    colour = ((images + 1) / 2).mean((0, 1, 2)) * 255
    np.testing.assert_allclose(colour, COLOUR, atol=25)


def test_styles_are_mixed(config):
    """With the first layers' style of one z, and the others' of another."""
    task = build_task(config)
    params = task.generator.fresh(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 4)
    plain, mixed = (task.generator.drawn(params, keys, share) for share in (0.0, 1.0))
    assert plain.shape == (4, 16, 16, 3)
    assert float(jnp.abs(plain - mixed).max()) > 0.01
    again = task.generator.drawn(params, keys[:1])
    np.testing.assert_allclose(again, plain[:1], atol=1e-5)


def test_sizes_must_agree(config):
    config.data.crop = 32
    with pytest.raises(UserError, match="set config.data.crop=16"):
        build_task(config)
    with pytest.raises(UserError, match="did you mean 'stylegan2'"):
        defaults("generator", network="stylegan22")
