"""The blur-operator space without any download: dead leaves under camera shake.

Everything is drawn on the device. Two sizes: `compact` trains on two CPU cores in
twenty minutes, `full` is the published network.

    kernel-space train --config configs/kernel_space_synthetic.py:compact \\
        --workdir runs/compact
    kernel-space train --config configs/kernel_space_synthetic.py:full \\
        --workdir runs/full

Your own sharp photos instead of leaves:

    ... --config.data.train="('images:/photos',)" \\
        --config.data.validation=images:/photos
"""

from kernel_space_jax.training.config import Config, defaults


def get_config(size: str = "compact") -> Config:
    config = defaults("kernel_space")
    config.data.train = ("synthetic",)
    config.data.validation = "synthetic"
    config.data.validation_size = 16
    config.data.crop = 256
    config.data.blur = "shake"
    config.b1, config.b2 = 0.9, 0.99
    if size == "full":
        config.data.kernel_size = 33
        config.batch_size = 16
        config.steps = 600_000
        config.learning_rate = 1e-4
        config.dtype = "bfloat16"
        config.schedule = "cosine_restarts"
        config.schedule_options.periods = (50_000, 100_000, 150_000, 150_000, 150_000)
        config.schedule_options.minimum = 1e-6
        config.log_every = 100
        config.evaluate_every = 5_000
        config.checkpoint_every = 5_000
    else:
        config.data.kernel_size = 17
        config.model.width = 16
        config.model.front_blocks = 2
        config.model.back_blocks = 4
        config.model.code_blocks = 2
        config.batch_size = 4
        config.steps = 1_000
        config.learning_rate = 1e-3
        config.schedule = "cosine"
        config.ema = 0.99
        config.log_every = 20
        config.evaluate_every = 100
        config.checkpoint_every = 100
    return config
