"""Leaf rules: how one array of ours lies in a checkpoint, by its name and its axes.

                 ours (Linen, NHWC)   PyTorch              TensorFlow 1
    convolution  kernel (h, w, i, o)  weight (o, i, h, w)  weights, as ours
    transposed   kernel (h, w, o, i)  weight (i, o, h, w)  weights, as ours
    depthwise    kernel (h, w, 1, c)  weight (c, 1, h, w)
    linear       kernel (i, o)        weight (o, i)        weights, as ours
    norm         scale, bias          weight, bias         gamma, beta
    statistics   mean, var            running_mean, ...    moving_mean, ...

Checkpoints of Flax programs have our leaf names and axes; only a kernel of
`nn.ConvTranspose` is another (`FLAX_TRANSPOSED`). A leaf of any other name is a free
parameter: it keeps its name, and may have axes of length 1 elsewhere than ours.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from kernel_space_jax.errors import UserError

Family = Literal["torch", "tensorflow", "flax"]
FAMILIES: dict[Family, str] = {
    "torch": "PyTorch tensors",
    "tensorflow": "TensorFlow variables",
    "flax": "Flax arrays",
}
SEPARATORS: dict[Family, str] = {"torch": ".", "tensorflow": "/", "flax": "/"}
# Counters and optimiser states that training programs leave among the weights.
IGNORED: dict[Family, str] = {
    "torch": r"num_batches_tracked$",
    "tensorflow": r"(^|/)(global_step|save_counter|beta[12]_power)\b"
    r"|/(Adam|Adam_1|Momentum|RMSProp|RMSProp_1|\.OPTIMIZER_SLOT)(/|$)",
    "flax": r"^$",
}

Shape = tuple[int, ...]


class Layout(NamedTuple):
    """The axes of a leaf in both directions.

    With `free` axes of length 1 may stand anywhere in what is read.
    """

    theirs: Callable[[np.ndarray], np.ndarray]
    ours: Callable[[np.ndarray], np.ndarray]
    free: bool = False


def _input_last(theirs: np.ndarray) -> np.ndarray:
    return np.moveaxis(theirs.swapaxes(0, 1), (0, 1), (-2, -1))


def _output_first(ours: np.ndarray) -> np.ndarray:
    return np.moveaxis(ours, (-2, -1), (0, 1)).swapaxes(0, 1)


def _channels_first(ours: np.ndarray) -> np.ndarray:
    return ours.transpose(2, 0, 1)[None]


def _channels_last(theirs: np.ndarray) -> np.ndarray:
    return theirs[0].transpose(1, 2, 0)


def _turned(kernel: np.ndarray) -> np.ndarray:
    return np.flip(kernel, (0, 1)).swapaxes(2, 3)


SAME = Layout(lambda ours: ours, lambda theirs: theirs)
FREE = SAME._replace(free=True)
# Of all four kinds of kernels: their two first axes are our two last ones, swapped.
TORCH_KERNEL = Layout(_output_first, _input_last)
# A free parameter (h, w, c), written as one image (1, c, h, w).
IMAGE = Layout(_channels_first, _channels_last)
# Flax slides the kernel over the spread input; ours is the adjoint of a convolution.
FLAX_TRANSPOSED = Layout(_turned, _turned)


def free(*shape: int) -> Layout:
    """A free parameter that is written with these axes; -1 is the one of ours."""
    return FREE._replace(theirs=lambda ours: ours.reshape(shape))


# Our leaf: what a family may call it, first the name to write, and its layout.
LEAVES: dict[Family, dict[str, dict[str, Layout]]] = {
    "torch": {
        "kernel": {"weight": TORCH_KERNEL},
        "scale": {"weight": SAME},
        "bias": {"bias": SAME},
        "mean": {"running_mean": SAME},
        "var": {"running_var": SAME},
    },
    "tensorflow": {
        "kernel": {"weights": SAME, "kernel": SAME},
        "scale": {"gamma": SAME},
        "bias": {"biases": SAME, "bias": SAME, "beta": SAME},
        "mean": {"moving_mean": SAME},
        "var": {"moving_variance": SAME},
    },
    "flax": {leaf: {leaf: SAME} for leaf in ("kernel", "scale", "bias", "mean", "var")},
}


def leaf_names(family: Family, leaf: str) -> dict[str, Layout]:
    """What a family may call a leaf of ours, and how it lies there."""
    return LEAVES[family].get(leaf, {leaf: FREE})


def to_ours(layout: Layout, key: str, value: np.ndarray, shape: Shape) -> np.ndarray:
    """An array of a checkpoint as our leaf of that shape, in float32."""
    if layout.free:
        fits = _without_ones(value.shape) == _without_ones(shape)
    else:
        fits = value.shape == _needed(layout, shape)
    if not fits:
        raise UserError(
            f"'{key}' has the shape {value.shape}; "
            f"the network needs {_needed(layout, shape)}"
        )
    if value.dtype.kind not in "fiu" and value.dtype.name != "bfloat16":
        raise UserError(f"'{key}' holds {value.dtype}, not real numbers")
    with np.errstate(over="ignore"):
        ours = layout.ours(value).reshape(shape).astype(np.float32)
    if not np.isfinite(ours).all():
        raise UserError(
            f"'{key}' holds NaN or infinite numbers; take another checkpoint"
        )
    return ours


def to_theirs(layout: Layout, value: np.ndarray) -> np.ndarray:
    """A leaf of ours as a checkpoint holds it."""
    return np.asarray(layout.theirs(value), order="C")


def _needed(layout: Layout, shape: Shape) -> Shape:
    return layout.theirs(np.broadcast_to(np.float32(0), shape)).shape


def _without_ones(shape: Shape) -> Shape:
    return tuple(side for side in shape if side != 1)
