"""Adaptive basis decomposition without any download: dead leaves that move apart.

Everything is drawn on the device, with its true kernels. `full` is the published
network; its steps want an accelerator. `compact` is the shipped one, which two CPU
cores train after `configs/basis_encoder.py` (docs/history/training-runs.md has the
runs): `start` teaches the heads what the kernels of a basis look like and which of them
is where, and `compact` goes on with the paper's losses. It does better with sharp
photos among the leaves: --config.data.train="('images:FOLDER',)".

    kernel-space train --config configs/basis_synthetic.py:start --workdir runs/start \\
      --config.init_from=basis-encoder.safetensors
    kernel-space train --config configs/basis_synthetic.py:compact \\
      --workdir runs/basis --config.init_from=basis-start.safetensors
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults


def get_config(size: Literal["compact", "start", "full"] = "compact") -> Config:
    config = defaults("basis")
    config.data.train = ("synthetic",)
    config.data.validation = "synthetic"
    config.data.blur = "scene"
    config.data.kernel_size = 33
    config.model.start = "he"
    config.model.relative = True
    config.model.kernel_weight = 0.1
    if size == "full":
        # The network must distinguish photos without motion from blurry ones.
        config.data.still = 0.2
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
        config.data.still = 0.1
        config.data.crop = 128
        config.data.validation_size = 32
        config.model.width = 16
        config.model.even = True
        config.batch_size = 4
        config.learning_rate = 1e-3
        config.schedule = "cosine"
        config.clip_norm = 1.0
        config.ema = 0.998
        config.evaluate_every = 500
        config.checkpoint_every = 250
        if size == "start":
            config.data.objects = 1
            config.steps = 4_000
            config.model.reblur_weight = 0.0
            config.model.kernel_weight = 0.0
            config.model.start_weight = 1.0
        else:
            config.data.objects = 2
            config.data.leaves = 0.5
            config.steps = 5_000
            config.model.start_weight = 0.03
    return config
