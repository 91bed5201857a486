"""The judge: which of 64 kernels blurred each place of a photo. No download.

Scenes of dead leaves under camera shakes, or at rest. It does better with sharp photos
among the leaves, as the shipped weights had them (docs/weights.md):

    kernel-space train --config configs/judge.py --workdir runs/judge \\
      --config.data.train="('images:FOLDER',)" --config.data.leaves=0.3
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("judge")
    config.data.train = ("synthetic",)
    config.data.validation = "synthetic"
    config.data.blur = "scene"
    config.data.objects = 2
    config.data.still = 0.15
    config.data.grain = (0.1, 4.0)
    config.data.crop = 128
    config.data.validation_size = 32
    config.batch_size = 4
    config.steps = 6_000
    config.learning_rate = 2e-3
    config.schedule = "cosine"
    config.clip_norm = 1.0
    config.ema = 0.998
    config.best = "accuracy"
    config.log_every = 100
    config.evaluate_every = 1_000
    config.checkpoint_every = 500
    return config
