"""The weights of goldens from TensorFlow, drawn again from their seed.

One standard normal n an entry, by `RandomState(seed)` in the sorted order of the names:
biases 0.1 n, weights gain n sqrt(2 / inputs), inputs the product of all axes but one.
"""

import json

import numpy as np


def det_variables(text: str) -> dict[str, np.ndarray]:
    """{"g_net/enc1_1/weights": ...} of what `meta/det` of a file says."""
    meta = json.loads(text)
    random, variables = np.random.RandomState(meta["seed"]), {}
    for name, shape in sorted(meta["shapes"].items()):
        scale = 0.1
        if name.endswith("/weights"):
            gain = meta["second_gain"] if "/conv2/" in name else meta["gain"]
            scale = gain * np.sqrt(2 / np.prod(shape[:-1]))
        variables[name] = np.float32(scale * random.standard_normal(shape))
    return variables
