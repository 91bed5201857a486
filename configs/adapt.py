"""A restorer that goes on learning, on photos of one camera.

    kernel-space adapt --blurry frames/blurry --sharp frames/sharp --start maxim \\
        -o camera.safetensors

`adapt` makes the pairs; with pairs of your own the same config is

    kernel-space train --config configs/adapt.py:maxim --workdir runs/camera \\
        --config.data.train="('pairs:DIR',)" --config.data.validation=pairs:DIR
"""

from kernel_space_jax import weights
from kernel_space_jax.training.config import Config, defaults
from kernel_space_jax.weights.options import stated


def get_config(start: str) -> Config:
    module = weights.load(start, role="").module
    config = defaults("supervised", network=weights.network_name(module))
    config.model.update({name: getattr(module, name) for name in stated(module)})
    config.model.losses = {"l1": 1.0}
    config.init_from = start
    config.data.crop = 128
    config.data.blur = "none"
    config.batch_size = 4
    config.steps = 1000
    config.learning_rate = 1e-4
    config.schedule = "cosine"
    config.warm_up = 50
    config.ema = 0.99
    config.log_every = 20
    config.evaluate_every = 250
    config.checkpoint_every = 250
    return config
