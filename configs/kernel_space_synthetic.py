"""The blur-operator space without any download: dead leaves under camera shake.

Everything is drawn on the device. `full` is the published network (its steps want an
accelerator). `compact` trains on two CPU cores in an hour, and `compact-256` goes on
from it with larger crops: together they are the weights that come with the package.
`variational` has codes that can be drawn; it starts from a plain one of width 16.

    kernel-space train --config configs/kernel_space_synthetic.py:compact \\
        --workdir runs/compact
    kernel-space export runs/compact -o compact.safetensors
    kernel-space train --config configs/kernel_space_synthetic.py:compact-256 \\
        --workdir runs/compact-256 --config.init_from=compact.safetensors
    kernel-space train --config configs/kernel_space_synthetic.py:compact \\
        --workdir runs/narrow --config.model.width=16 --config.steps=6000
    kernel-space export runs/narrow -o narrow.safetensors --half
    kernel-space train --config configs/kernel_space_synthetic.py:variational \\
        --workdir runs/variational --config.init_from=narrow.safetensors
    kernel-space train --config configs/kernel_space_synthetic.py:full \\
        --workdir runs/full

Your own sharp photos instead of leaves:

    ... --config.data.train="('images:/photos',)" \\
        --config.data.validation=images:/photos
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults

Size = Literal["compact", "compact-256", "variational", "full"]


def get_config(size: Size = "compact") -> Config:
    config = defaults("kernel_space")
    config.data.train = ("synthetic",)
    config.data.validation = "synthetic"
    config.data.validation_size = 16
    config.data.blur = "shake"
    config.data.kernel_size = 33
    config.b1, config.b2 = 0.9, 0.99
    if size == "full":
        config.data.crop = 256
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
        config.data.crop = 128
        config.data.validation_size = 64
        # One position of the code for a crop: zeros need no neighbour to reflect.
        config.model.padding = "zero"
        config.model.width = 24
        config.model.tail_width = 16
        config.model.front_blocks = 2
        config.model.back_blocks = 4
        config.model.code_blocks = 2
        config.model.start = "difference"
        config.model.hint = 0.3
        config.batch_size = 4
        config.steps = 12_000
        config.learning_rate = 1e-3
        config.schedule = "cosine"
        config.ema = 0.995
        config.log_every = 50
        config.evaluate_every = 500
        config.checkpoint_every = 500
    if size == "compact-256":
        # Four positions of the code see what one, padded with zeros, never did.
        config.data.crop = 256
        config.data.validation_size = 16
        config.batch_size = 2
        config.steps = 2_000
        config.learning_rate = 3e-4
    if size == "variational":
        # Its extractor is twice as wide: at width 24 the file would be of 21 MB.
        config.model.width = 16
        config.model.variational = True
        config.steps = 1_200
        config.learning_rate = 3e-4
    return config
