"""The encoder of the adaptive basis, before its heads: it names the kernel of a photo.

The first of the five runs that train the shipped network; no download
(docs/history/training-runs.md).

    kernel-space train --config configs/basis_encoder.py --workdir runs/basis-encoder
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("basis_encoder")
    config.data.train = ("synthetic",)
    config.data.validation = "synthetic"
    config.data.blur = "scene"
    config.data.objects = 0
    config.data.still = 0.05
    config.data.crop = 96
    config.data.validation_size = 64
    config.model.width = 16
    config.model.even = True
    config.batch_size = 8
    config.steps = 7_000
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.clip_norm = 1.0
    config.ema = 0.998
    config.best = "accuracy"
    config.log_every = 100
    config.evaluate_every = 1_000
    config.checkpoint_every = 500
    return config
