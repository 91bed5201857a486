"""Where x and k come from when both are sought: one face for all."""

from kernel_space_jax.priors.fields import Places
from kernel_space_jax.priors.latents import Latents, latents
from kernel_space_jax.priors.networks import Network
from kernel_space_jax.priors.prior import Prior
from kernel_space_jax.priors.values import Free, Simplex

__all__ = ["Free", "Latents", "Network", "Places", "Prior", "Simplex", "latents"]
