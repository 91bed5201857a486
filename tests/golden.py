"""Numbers recorded from the original PyTorch programs (tests/goldens/README.md).

Everything is handed out in this project's layout: images NHWC, float32.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from goldens.det_tensorflow import det_variables
from goldens.det_weights import det_state_dict

from kernel_space_jax import weights

FOLDER = Path(__file__).parent / "goldens"


class Golden:
    """One recorded file: `golden["out/x"]`, `golden.image("in/x")`, ..."""

    def __init__(self, name: str):
        self.arrays = np.load(FOLDER / f"{name}.npz")

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def keys(self) -> list[str]:
        return list(self.arrays.files)

    def image(self, key: str) -> jnp.ndarray:
        """An NCHW array as NHWC."""
        return jnp.asarray(self.arrays[key]).transpose(0, 2, 3, 1)

    def group(self, prefix: str) -> dict[str, np.ndarray]:
        """All arrays below `prefix`, by the rest of their name."""
        return {
            key.removeprefix(prefix): self.arrays[key]
            for key in self.arrays.files
            if key.startswith(prefix)
        }

    def weights(self, prefix: str = "sd/", meta: str = "meta/det") -> dict:
        """The PyTorch state dict, stored or drawn again from its seed."""
        if meta in self.arrays.files:
            return det_state_dict(str(self.arrays[meta]))
        return self.group(prefix)

    def variables(self) -> dict[str, np.ndarray]:
        """The TensorFlow variables, drawn again from their seed."""
        return det_variables(str(self.arrays["meta/det"]))


def by_torch_name(arch: str, module, tree) -> dict[str, np.ndarray]:
    """A tree of our parameters (or gradients) in PyTorch's names and layout."""
    assert weights.network_name(module) == arch
    return weights.to_torch(module, tree)


def relative_error(actual, expected) -> float:
    """max |actual - expected| over the largest magnitude expected."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return float(np.abs(actual - expected).max() / (np.abs(expected).max() + 1e-12))


def largest_difference(actual, expected) -> float:
    """max |actual - expected|."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return float(np.abs(actual - expected).max())
