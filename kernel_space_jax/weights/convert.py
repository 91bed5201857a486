"""Official checkpoints in and out: leaf by leaf, every array accounted for."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from kernel_space_jax.arrays import to_numpy
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.generators.fit import FIT
from kernel_space_jax.weights.files import Weights
from kernel_space_jax.weights.networks import (
    Network,
    network,
    network_name,
    official,
)
from kernel_space_jax.weights.official import Names, Official, keys
from kernel_space_jax.weights.options import checked
from kernel_space_jax.weights.readers import read_tensors
from kernel_space_jax.weights.rules import (
    FAMILIES,
    IGNORED,
    SEPARATORS,
    Family,
    to_ours,
    to_theirs,
)
from kernel_space_jax.weights.wrappers import unwrapped


class Imported(NamedTuple):
    """A network out of a foreign file, and the wrapper that it lay in ("" if none)."""

    weights: Weights
    wrapper: str


def from_torch(arch: str, state_dict: Mapping[str, Any], **options: Any) -> Weights:
    """The module that a PyTorch state dict belongs to, and its variables.

    Widths, depths and kinds are read off the tensors; what they cannot tell (the
    padding) is an option with the published default. Tensors may be NumPy's or
    PyTorch's. A key too many, too few, or of another shape is a `UserError`.
    """
    return from_tensors(arch, state_dict, "torch", **options)


def from_tensorflow(arch: str, variables: Mapping[str, Any], **options: Any) -> Weights:
    """The same of TensorFlow's variables by name, as "g_net/enc1_1/weights"."""
    return from_tensors(arch, variables, "tensorflow", **options)


def from_flax(arch: str, params: Mapping[str, Any], **options: Any) -> Weights:
    """The same of a Flax program's params, nested or by paths with slashes."""
    flat = flatten_dict(dict(params), sep="/")
    return from_tensors(arch, flat, "flax", **options)


def from_tensors(
    arch: str,
    tensors: Mapping[str, Any],
    family: Family | None = None,
    /,
    **options: Any,
) -> Weights:
    """The same of any family's arrays, by the names of the network's own family."""
    return _imported(arch, tensors, family, options).weights


def import_file(arch: str, path: str | Path, /, **options: Any) -> Imported:
    """The network of a checkpoint file; `arch` is a network or a preset of one."""
    official(network(arch).name)  # before a large file is read
    arrays, family = read_tensors(path)
    return _imported(arch, arrays, family, options)


def to_torch(module: nn.Module, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The official PyTorch state dict of our variables: what `from_torch` undoes.

    Gradients, or one collection alone, may stand for the variables.
    """
    name = network_name(module)
    if official(name).family != "torch":
        raise UserError(f"the official weights of {name} are not PyTorch's")
    return to_tensors(module, variables)


def to_tensors(
    module: nn.Module, variables: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The same in whatever family the official weights are of."""
    how = official(network_name(module))
    names = how.names(module)
    theirs = {}
    for path, leaf in flatten_dict(dict(variables)).items():
        if path[0] == FIT:
            continue
        key, layout = next(keys(how, names, path[1:]))
        theirs[key] = to_theirs(layout, np.asarray(leaf))
    return theirs


def _imported(
    arch: str, tensors: Mapping[str, Any], family: Family | None, options: dict
) -> Imported:
    known = network(arch)
    how = official(known.name)
    if family not in (None, how.family):
        raise UserError(
            f"{known.name} takes {FAMILIES[how.family]}, not {FAMILIES[family]}"
        )
    if how.otherwise and not any(key.endswith(how.mark) for key in tensors):
        return _imported(how.otherwise, tensors, family, options)
    found, wrapper = unwrapped(how, tensors)
    ignored = re.compile(f"{how.ignored}|{IGNORED[how.family]}")
    second = {how.first_name(key): value for key, value in found.items()}
    arrays = {
        key: to_numpy(value)
        for key, value in {**second, **found}.items()
        if how.first_name(key) == key and not ignored.search(key)
    }
    shapes = {key: value.shape for key, value in arrays.items()}
    module = _module(arch, known, how.infer(shapes), options)
    expected = _expected(known.name, module, how.inputs(shapes))
    names = how.names(module)

    variables, used = {}, set()
    for path, leaf in expected.items():
        candidates = dict(keys(how, names, path[1:]))
        key = next((key for key in candidates if key in arrays), None)
        if key is None and re.fullmatch(how.spared, "/".join(path[1:])):
            variables[path] = jnp.zeros(leaf.shape)
            continue
        if key is None:
            raise UserError(
                f"the weights have no '{next(iter(candidates))}', "
                f"which {known.name} needs"
            )
        value = to_ours(candidates[key], key, arrays[key], leaf.shape)
        variables[path] = jnp.asarray(value)
        used.add(key)
    _all_used(known.name, how, names, set(arrays) - used, expected)
    return Imported(Weights(module, unflatten_dict(variables)), wrapper)


def _module(
    arch: str, known: Network, inferred: dict[str, Any], given: dict[str, Any]
) -> nn.Module:
    """The module by what the tensors say, a preset fixes and the caller asks for."""
    given = checked(known.name, known.module, given)
    for option, value in known.preset.items():
        if inferred.get(option, value) != value:
            raise UserError(
                f"the weights say {option}={inferred[option]!r}, and {arch} has "
                f"{value!r}; import them as {known.name}"
            )
    for option, value in given.items():
        if inferred.get(option, value) != value:
            raise UserError(
                f"the weights say {option}={inferred[option]!r}, not {value!r}; "
                "leave the option out"
            )
    return known.module(**{**known.preset, **inferred, **given})


def _expected(
    name: str, module: nn.Module, inputs: tuple[tuple[int, ...], ...]
) -> dict[tuple[str, ...], jax.ShapeDtypeStruct]:
    images = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in inputs)
    try:
        expected = jax.eval_shape(module.init, jax.random.key(0), *images)
    except Exception:
        # Options read off foreign shapes can fail anywhere in a network.
        raise UserError(
            f"the shapes of these weights do not fit together as a {name}"
        ) from None
    return flatten_dict(dict(expected))  # type: ignore[return-value]


def _all_used(
    name: str, how: Official, names: Names, left: set[str], expected: Mapping
) -> None:
    """Refuses what is left, but for what our options leave out: layers, or leaves."""
    present = {path[1:depth] for path in expected for depth in range(2, len(path) + 1)}
    absent = {theirs for ours, theirs in names.items() if ours not in present}
    separator = SEPARATORS[how.family]
    spare = sorted(
        key for key in left if absent.isdisjoint((key, key.rpartition(separator)[0]))
    )
    if spare:
        more = f" and {len(spare) - 1} more" if len(spare) > 1 else ""
        raise UserError(
            f"the weights have '{spare[0]}'{more}, which {name} has no use for"
        )
