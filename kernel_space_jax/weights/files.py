"""Our weight files: one safetensors file that knows what it holds.

Tensors are named by their path ("params/features/conv0/kernel"); the header says
architecture, options, origin, licence, and the sha256 of the tensors, the architecture
and the options. In the first files it is that of the tensors alone.

safetensors is imported where a file is read or written: networks and conversion do
without it.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from kernel_space_jax.errors import UserError, nearest
from kernel_space_jax.files import write_whole
from kernel_space_jax.models.generators import Generator, with_fit
from kernel_space_jax.weights.networks import OLD_NAMES, network, network_name
from kernel_space_jax.weights.options import checked, stated
from kernel_space_jax.weights.places import known


class Weights(NamedTuple):
    """A network ready to apply: `module.apply(variables, ...)`."""

    module: nn.Module
    variables: dict[str, Any]


# Networks of restorers that were trained for something else, and what to do with them.
ROLES = {
    "translator": "changes the blur of a photo and takes none out; give it with "
    "--translator, and a restorer with --weights",
    "blurrer": "makes photos blurry; give the weights of a restorer",
}


def write(
    path: str | Path,
    module: nn.Module,
    variables: Mapping[str, Any],
    *,
    origin: str,
    licence: str,
    half: bool = False,
    role: str = "",
) -> str:
    """Writes one weight file, whole or not at all; returns the sha256.

    With `half` numbers are stored in 16 bits, half the size; they load as 32. `role`
    says what a network is for that has the form of a restorer and restores nothing. The
    file of a generator has the fit of its styles too.
    """
    from safetensors.numpy import save

    options = {name: getattr(module, name) for name in stated(module)}
    if isinstance(module, Generator):
        variables = with_fit(module, variables)
    tensors = {
        "/".join(key): np.ascontiguousarray(value, np.float16 if half else None)
        for key, value in flatten_dict(dict(variables)).items()
    }
    header: dict[str, str] = {
        "architecture": network_name(module),
        "options": json.dumps(options),
        "origin": origin,
        "licence": licence,
    }
    if role:
        header["role"] = role
    header["sha256"] = _digest(tensors, header)
    write_whole(Path(path), save(tensors, metadata=header))
    return header["sha256"]


def read_header(path: str | Path) -> dict[str, str]:
    """What a weight file says of itself."""
    return _read(path)[0]


def load(path: str | Path, *, role: str | None = None) -> Weights:
    """The module and the variables of a weight file, checked against its sha256.

    Instead of a path a name will do, of weights that come with the package, such as
    "kernel-space" (their cards are in docs/weights.md), or of installed ones. A file
    of another `role` is refused; "" is that of a network that does as it looks.
    """
    header, tensors = _read(path)
    theirs = header.get("role", "")
    if role is not None and theirs not in ("", role):
        raise UserError(f"{path} holds a {theirs}, which {ROLES[theirs]}")
    if header["sha256"] not in (_digest(tensors, header), _digest(tensors)):
        raise UserError(f"{path} is damaged: what it holds does not match its sha256")
    found = network(header["architecture"])
    try:
        options = dict(json.loads(header["options"]))
        module = found.module(**checked(found.name, found.module, options))
    except (ValueError, TypeError, UserError):
        raise UserError(
            f"{path} is no {found.name} of this version: its options are "
            f"{header['options']}"
        ) from None
    flat = {tuple(key.split("/")): _in_full(v) for key, v in tensors.items()}
    return Weights(module, unflatten_dict(flat))


def _read(named: str | Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    named_ones = known()
    path = named_ones.get(str(named), Path(named))
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the path of a weight file")
    if not path.is_file():
        raise UserError(
            f"{path} does not exist{nearest(str(named), named_ones)}; give the path of "
            f"a weight file, or one of {', '.join(named_ones)}"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            header: dict[str, str] = file.metadata() or {}  # type: ignore[assignment]
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError:
        raise UserError(
            f"{path} is not a weight file; make one with 'kernel-space import-weights'"
        ) from None
    missing = {"architecture", "options", "sha256"} - header.keys()
    if missing:
        raise UserError(
            f"{path} does not say its {min(missing)}; "
            "make it with 'kernel-space import-weights'"
        )
    name = header["architecture"]
    header["architecture"] = OLD_NAMES.get(name, name)
    return header, tensors


def _in_full(stored: np.ndarray) -> jnp.ndarray:
    half = stored.dtype == np.float16
    return jnp.asarray(stored, jnp.float32 if half else None)


def _digest(
    tensors: Mapping[str, np.ndarray], header: Mapping[str, str] | None = None
) -> str:
    digest = hashlib.sha256()
    if header:
        digest.update(f"{header['architecture']} {header['options']}\n".encode())
    for key in sorted(tensors):
        digest.update(f"{key} {tensors[key].dtype} {tensors[key].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[key]).tobytes())
    return digest.hexdigest()
