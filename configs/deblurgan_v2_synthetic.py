"""A narrow DeblurGAN-v2 on dead leaves under camera shakes, for two cores.

    kernel-space train --config configs/deblurgan_v2_synthetic.py --workdir runs/v2

Its ResNet generator beside the critics of patches and of the photo, by RaLSGAN (Kupyn
et al., ICCV 2019). The same generator alone is configs/deblurgan_synthetic.py. The
weights know dead leaves and small shakes only.
"""

from kernel_space_jax.training.config import Config, defaults


def get_config() -> Config:
    config = defaults(
        "adversarial", network="deblurgan-v2-resnet", critic="deblurgan-v2-critic"
    )
    config.model.width = 16
    config.model.blocks = 3
    config.model.dropout = 0.0
    config.model.losses = {"l1": 1.0}
    config.model.critic_options.width = 16
    config.model.adversarial = "ralsgan"
    config.model.penalty_weight = 0.0
    config.model.critic_updates = 1
    config.players.critic = {"ema": 0.0, "learning_rate": 1e-4}
    config.data.crop = 96
    config.data.kernel_size = 15
    config.data.noise = 0.005
    config.data.validation_size = 16
    config.batch_size = 4
    config.steps = 2000
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.ema = 0.99
    config.log_every = 20
    config.evaluate_every = 100
    config.checkpoint_every = 100
    return config
