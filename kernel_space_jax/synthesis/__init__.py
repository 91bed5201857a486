"""Making blur."""

from kernel_space_jax.synthesis.transfer import extract_blur, transfer

__all__ = ["extract_blur", "transfer"]
