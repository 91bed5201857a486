"""Adaptive basis decomposition on any sharp photos, made to move apart on the device.

    kernel-space train --config configs/basis_folder.py:/photos --workdir runs/basis

An epoch is what lies between two evaluations; its curves are in curves.png. Another
folder to be judged on: --config.data.validation=images:/others
"""

from pathlib import Path

from kernel_space_jax.datasets import open_source
from kernel_space_jax.training.config import Config, defaults

EPOCHS = 300


def get_config(folder: str = "photos") -> Config:
    config = defaults("basis")
    photos = f"images:{Path(folder).expanduser()}"
    config.data.train = (photos,)
    config.data.validation = photos
    config.data.blur = "scene"
    config.data.kernel_size = 33
    config.data.still = 0.1
    config.data.crop = 256
    config.batch_size = 8
    # Each epoch sees every photo once, and at least a hundred batches.
    epoch = max(100, len(open_source(photos)) // config.batch_size)
    config.steps = EPOCHS * epoch
    config.evaluate_every = config.checkpoint_every = epoch
    config.log_every = min(50, epoch)
    config.model.start = "he"
    config.learning_rate = 1e-4
    config.schedule = "cosine"
    return config
