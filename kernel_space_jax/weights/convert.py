"""PyTorch state dicts in: layer by layer, every tensor accounted for."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from kernel_space_jax.errors import UserError
from kernel_space_jax.weights.architectures import architecture

# Our leaf -> PyTorch's. Running statistics are the "batch_stats" collection.
LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def from_torch(
    arch: str, state_dict: Mapping[str, Any], **options: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """The module that a PyTorch state dict belongs to, and its variables.

    Widths, depths and kinds are read off the tensors; what they cannot tell (the
    padding) is an option with the published default. Tensors may be NumPy's or
    PyTorch's. A key too many, too few, or of another shape is a `UserError`.
    """
    row = architecture(arch)
    tensors = {
        key: np.asarray(value)
        for key, value in state_dict.items()
        if not re.search(row.ignored, key)
    }
    shapes = {key: value.shape for key, value in tensors.items()}
    module = _build(arch, row.module, row.infer(shapes), options)
    names = row.names(module)
    expected = jax.eval_shape(module.init, jax.random.key(0), *row.inputs(shapes))

    variables = {}
    leaves: dict[tuple[str, ...], jax.ShapeDtypeStruct] = flatten_dict(dict(expected))  # type: ignore[assignment]
    for path, leaf in leaves.items():
        key = f"{names[path[1:-1]]}.{LEAVES[path[-1]]}"
        if key not in tensors:
            raise UserError(f"the weights have no '{key}', which {arch} needs")
        value = tensors.pop(key)
        # OIHW to HWIO; a transposed convolution IOHW to HW(out)(in) alike.
        ours = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
        if ours.shape != leaf.shape:
            needed = (
                tuple(leaf.shape[i] for i in (3, 2, 0, 1))
                if value.ndim == 4
                else leaf.shape
            )
            raise UserError(
                f"'{key}' has the shape {value.shape} where {arch} needs {needed}"
            )
        variables[path] = jnp.asarray(ours, jnp.float32)
    # A layer that the architecture has may stand beyond what the options ask for.
    known = set(names.values())
    spare = sorted(key for key in tensors if key.rpartition(".")[0] not in known)
    if spare:
        more = f" and {len(spare) - 1} more" if len(spare) > 1 else ""
        raise UserError(
            f"the weights have '{spare[0]}'{more}, which {arch} has no use for"
        )
    return module, unflatten_dict(variables)


def _build(
    arch: str, module: type[nn.Module], inferred: dict[str, Any], given: dict[str, Any]
) -> nn.Module:
    known = {field.name for field in dataclasses.fields(module)} - {"parent", "name"}
    for option, value in given.items():
        if option not in known:
            raise UserError(
                f"{arch} has no option '{option}'; it has {', '.join(sorted(known))}"
            )
        if inferred.get(option, value) != value:
            raise UserError(
                f"the weights say {option}={inferred[option]!r}, not {value!r}; "
                "leave the option out"
            )
        kind = get_type_hints(module)[option]
        if get_origin(kind) is Literal and value not in get_args(kind):
            choices = get_args(kind)
            raise UserError(f"{option}={value!r} is none of {', '.join(choices)}")
    return module(**{**inferred, **given})


def read_torch_file(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a .pth file, without running any code that it may hold.

    Wrappers that training programs put around a state dict are taken off:
    {"state_dict": ...}, {"params": ...}, "module." before every key.
    """
    try:
        import torch
    except ImportError:
        raise UserError(
            "reading PyTorch files needs PyTorch: pip install 'kernel-space-jax[torch]'"
        ) from None
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist; give the path of a PyTorch file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # torch raises a different error for each way of not being its file.
        raise UserError(
            f"{path} is not a PyTorch weight file; give a .pth that torch.save wrote"
        ) from None
    for wrapper in ("state_dict", "params", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise UserError(
            f"{path} holds no state dict; save model.state_dict() and retry"
        )
    return {
        key.removeprefix("module."): value.float().numpy()
        if value.is_floating_point()
        else value.numpy()
        for key, value in content.items()
    }
