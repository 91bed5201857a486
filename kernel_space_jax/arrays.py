"""Arrays of other libraries as NumPy's; needs NumPy alone."""

from typing import Any

import numpy as np


def to_numpy(value: Any) -> np.ndarray:
    """NumPy's array of an array or of a PyTorch tensor, which may be bfloat16."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() else value).numpy()
    return np.asarray(value)
