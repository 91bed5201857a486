"""The mender of `deblur --method basis`, which uses a judge's scores. No download.

Scenes of dead leaves under camera shakes, or without motion. Sharp photos among them
improve it, as they do the judge:

    kernel-space train --config configs/mender.py --workdir runs/mender \\
      --config.data.train="('images:FOLDER',)" --config.data.leaves=0.2

A longer run of an earlier mender was better on synthetic blur, and worse on photos of a
camera (docs/history/training-runs.md).
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults("mender")
    config.data.train = ("synthetic",)
    config.data.validation = "synthetic"
    config.data.blur = "scene"
    config.data.objects = 2
    config.data.still = 0.3
    config.data.soft = 0.5
    config.data.grain = (0.1, 4.0)
    config.data.crop = 128
    config.data.validation_size = 32
    config.batch_size = 4
    config.steps = 600
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.clip_norm = 1.0
    config.ema = 0.998
    config.log_every = 25
    config.evaluate_every = 200
    config.checkpoint_every = 200
    return config
