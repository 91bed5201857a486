"""What a file of `names/` says: how a paper's published checkpoints look.

    OFFICIAL = Official(mark="intro.weight", infer=..., names=...)

`names` maps a path of ours, of a layer or of one leaf, to what they call it. A path
that is not among them keeps its own words below the longest one that is: with
("encoder0_block0",): "encoders.0.0" our encoder0_block0/conv1/kernel is their
encoders.0.0.conv1.weight.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel_space_jax.errors import UserError
from kernel_space_jax.weights.rules import (
    SEPARATORS,
    Family,
    Layout,
    Shape,
    leaf_names,
)

Shapes = Mapping[str, Shape]
Path = tuple[str, ...]
Names = dict[Path, str]


def _one_image(shapes: Shapes) -> tuple[Shape, ...]:
    return ((1, 32, 32, 3),)


@dataclass(frozen=True)
class Official:
    """How a paper's checkpoints become our variables.

    mark: a key that each of them has; what stands before it is a wrapper.
    infer: the options of our module, read off the shapes.
    names: what they call our layers, see above.
    inputs: the shapes of the inputs that our module is initialised with.
    ignored: keys without a use, beside those that the whole family has.
    layouts: leaves that lie otherwise than the rules say, by the end of our path.
    source: where the authors' files are.
    first_name: of a key; files may hold one array under two, and the first one counts.
    otherwise: the paper's other network, whose checkpoints have no `mark`.
    spared: leaves that a file for inference may lack, by our path; they are zero.
    """

    mark: str
    infer: Callable[[Shapes], dict[str, Any]]
    names: Callable[[Any], Names] = lambda module: {}
    inputs: Callable[[Shapes], tuple[Shape, ...]] = _one_image
    family: Family = "torch"
    ignored: str = r"^$"
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    source: str = ""
    first_name: Callable[[str], str] = lambda key: key
    otherwise: str = ""
    spared: str = r"^$"


def keys(official: Official, names: Names, path: Path) -> Iterator[tuple[str, Layout]]:
    """What a checkpoint may call a leaf of ours, first what is written; its layout.

    The path is the one within a collection: ("features", "conv0", "kernel").
    """
    depths = range(len(path), -1, -1)
    depth = next((depth for depth in depths if path[:depth] in names), 0)
    own = path[depth:]
    start = [names[path[:depth]]] if path[:depth] in names else []
    special = next(
        (
            layout
            for pattern, layout in official.layouts.items()
            if re.search(rf"(^|/)({pattern})$", "/".join(path))
        ),
        None,
    )
    separator = SEPARATORS[official.family]
    for leaf, layout in leaf_names(official.family, path[-1]).items():
        words = [*start, *own[:-1], leaf] if own else start
        yield separator.join(words), special or layout


def statistics(names: Names) -> Names:
    """Names for what norms remember, which a module may do without (of PyTorch's)."""
    theirs = {"mean": "running_mean", "var": "running_var"}
    return {
        (*path, leaf): f"{layer}.{theirs[leaf]}"
        for path, layer in names.items()
        if "norm" in path[-1]
        for leaf in theirs
    }


def count(shapes: Shapes, pattern: str) -> int:
    """How many keys match the whole of `pattern`."""
    return sum(re.fullmatch(pattern, key) is not None for key in shapes)


def dimension(shapes: Shapes, key: str, axis: int) -> int:
    """The length of one axis of the array `key`."""
    if key not in shapes:
        raise UserError(f"the weights have no '{key}', which this network needs")
    if axis >= len(shapes[key]):
        raise UserError(f"'{key}' has the unexpected shape {shapes[key]}")
    return shapes[key][axis]
