"""Adaptive basis decomposition without any download: dead leaves that move apart.

Everything is drawn on the device, with its true kernels. `compact` trains on two CPU
cores, `full` is the published network (its steps want an accelerator).

    kernel-space train --config configs/basis_synthetic.py:compact --workdir runs/basis
"""

from kernel_space_jax.training.config import Config, defaults


def get_config(size: str = "compact") -> Config:
    config = defaults("basis")
    config.data.train = ("synthetic",)
    config.data.validation = "synthetic"
    config.data.blur = "scene"
    config.data.kernel_size = 33
    # Photos of things at rest are to be told from blurry ones.
    config.data.still = 0.2
    config.model.start = "he"
    config.model.relative = True
    config.model.kernel_weight = 0.1
    if size == "full":
        config.data.crop = 256
        config.batch_size = 8
        config.steps = 300_000
        config.learning_rate = 1e-4
        config.schedule = "cosine"
        config.dtype = "bfloat16"
        config.log_every = 100
        config.evaluate_every = 5_000
        config.checkpoint_every = 5_000
    else:
        config.data.crop = 128
        config.data.objects = 2
        config.data.validation_size = 32
        config.model.width = 16
        config.batch_size = 4
        config.steps = 12_000
        config.learning_rate = 1e-3
        config.schedule = "cosine"
        config.clip_norm = 1.0
        config.ema = 0.998
        config.evaluate_every = 1_000
        config.checkpoint_every = 500
    return config
