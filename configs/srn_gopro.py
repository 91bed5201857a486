"""SRN on GoPro as published (Tao et al., CVPR 2018): 30.26 dB, SSIM 0.934.

    kernel-space data prepare gopro:data/GOPRO -o data/gopro --tile 512
    kernel-space train --config configs/srn_gopro.py --workdir runs/srn-color
    kernel-space train --config configs/srn_gopro.py:lstm --workdir runs/srn-lstm

The recipe is the paper's: the squared error at three scales, Adam, a rate that falls
from 1e-4 to 1e-6 by a power of 0.3 in 2000 epochs of 2103 pairs, 262,000 steps of 16
crops of 256 pixels. The authors' program takes twice as many steps by default, to a
rate of zero. It trains `lstm` and `gray` on grey photos; here each colour is an
example, so a step of these sees 48 of them. The paper also clips the gradients of the
LSTM, which the program does not. This project has not run it.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults


def get_config(kind: Literal["color", "gray", "lstm"] = "color") -> Config:
    config = defaults("supervised", network=f"srn-{kind}")
    config.model.losses = {"l2": 1.0}
    config.data.train = ("prepared:data/gopro?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 64
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 16
    config.steps = 262_000
    config.optimiser = "adam"
    config.learning_rate = 1e-4
    config.schedule = "polynomial"
    config.schedule_options.end_value = 1e-6
    config.schedule_options.power = 0.3
    config.log_every = 200
    config.evaluate_every = 5000
    config.checkpoint_every = 5000
    return config
