"""Spectral normalisation (Miyato et al., ICLR 2018)."""

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.models.layers.conv import Conv


class SpectralConv(Conv):
    """A convolution with the weights W / sigma(W), W as a matrix (out, in kh kw).

        v <- W^T u / |W^T u|,   u <- W v / |W v|,   sigma(W) = u^T W v

    u (out,) and v (kh, kw, in) are running statistics: one such step is taken where the
    caller makes the collection "batch_stats" mutable, as PyTorch does in training.
    """

    def weights(self, shape: tuple[int, ...]) -> Array:
        w = super().weights(shape)
        fixed = jax.lax.stop_gradient(w)
        seen_by = lambda u: _unit(jnp.tensordot(fixed, u, 1))
        draw = lambda: _unit(jax.random.normal(self.make_rng("params"), shape[-1:]))
        u = self.variable("batch_stats", "u", draw)
        v = self.variable("batch_stats", "v", lambda: seen_by(u.value))
        if self.is_mutable_collection("batch_stats") and not self.is_initializing():
            v.value = seen_by(u.value)
            u.value = _unit(jnp.tensordot(v.value, fixed, 3))
        return w / jnp.vdot(v.value, jnp.tensordot(w, u.value, 1))


def _unit(x: Array) -> Array:
    """x / |x|, as one vector."""
    return x / jnp.maximum(jnp.sqrt(jnp.sum(jnp.square(x))), 1e-12)
