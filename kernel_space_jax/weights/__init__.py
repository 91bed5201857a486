"""Weights: official checkpoints in and out, our own files in and out."""

from kernel_space_jax.weights.convert import (
    Imported,
    from_flax,
    from_tensorflow,
    from_tensors,
    from_torch,
    import_file,
    to_tensors,
    to_torch,
)
from kernel_space_jax.weights.files import Weights, load, read_header, write
from kernel_space_jax.weights.networks import (
    importable,
    network_name,
    networks,
    source,
)
from kernel_space_jax.weights.places import home, installed, known, place, shipped
from kernel_space_jax.weights.readers import Tensors, read_tensors

__all__ = [
    "Imported",
    "Tensors",
    "Weights",
    "from_flax",
    "from_tensorflow",
    "from_tensors",
    "from_torch",
    "import_file",
    "home",
    "importable",
    "installed",
    "known",
    "load",
    "network_name",
    "networks",
    "place",
    "read_header",
    "read_tensors",
    "shipped",
    "source",
    "to_tensors",
    "to_torch",
    "write",
]
