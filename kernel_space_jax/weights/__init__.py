"""Weights: PyTorch checkpoints in, our own files in and out."""

from kernel_space_jax.weights.architectures import ARCHITECTURES, architecture
from kernel_space_jax.weights.convert import from_torch, read_torch_file
from kernel_space_jax.weights.files import Weights, load, read_header, shipped, write

__all__ = [
    "ARCHITECTURES",
    "Weights",
    "architecture",
    "from_torch",
    "load",
    "read_header",
    "read_torch_file",
    "shipped",
    "write",
]
