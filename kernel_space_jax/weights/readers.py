"""Foreign weight files: PyTorch's, safetensors, TensorFlow's, .npz.

Nothing that a file may hold is run. What comes out is flat: a state dict below
"params" of a PyTorch file has the keys "params.intro.weight" and so on.
"""

import glob
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kernel_space_jax.arrays import to_numpy
from kernel_space_jax.errors import UserError
from kernel_space_jax.weights.rules import Family
from kernel_space_jax.weights.tfjs import is_graph_model, read_graph_model

TENSORFLOW_FILE = r"\.(index|meta|data-\d{5}-of-\d{5})"


class Tensors(NamedTuple):
    """The arrays of a file, and the family if the kind of file says it."""

    arrays: dict[str, np.ndarray]
    family: Family | None


def read_tensors(path: str | Path) -> Tensors:
    """The arrays of a checkpoint of any kind that `import-weights` takes."""
    path = Path(path)
    prefix = _tensorflow_prefix(path)
    if prefix is not None:
        return Tensors(_read_tensorflow(prefix), "tensorflow")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the checkpoint file in it")
    if not path.is_file():
        raise UserError(f"{path} does not exist; give the path of a weight file")
    if path.suffix == ".safetensors":
        return Tensors(_read_safetensors(path), None)
    if path.suffix == ".npz":
        return Tensors(_read_npz(path), None)
    if is_graph_model(path):
        return Tensors(read_graph_model(path), "flax")
    return Tensors(_read_torch(path), "torch")


def files_of(path: Path) -> list[Path]:
    """The files that make up a checkpoint: of TensorFlow's several, else the path."""
    prefix = _tensorflow_prefix(path)
    if prefix is None:
        return [path]
    return list(prefix.parent.glob(f"{glob.escape(prefix.name)}.*"))


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError:
        raise UserError(
            "reading PyTorch files needs PyTorch: "
            "pip install '.[torch]' in the project's folder"
        ) from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        arrays = {key: to_numpy(value) for key, value in _tensors(content)}
    except Exception:
        # torch raises a different error for each way of not being its file.
        if zipfile.is_zipfile(path):
            raise UserError(
                f"{path} holds more than tensors, which could run code; "
                "save model.state_dict() alone with torch.save and retry"
            ) from None
        raise UserError(
            f"{path} is not a PyTorch weight file; give a .pth that torch.save wrote"
        ) from None
    if not arrays:
        raise UserError(
            f"{path} holds no state dict; save model.state_dict() and retry"
        )
    return arrays


def _tensors(content: Any, *above: str) -> Iterator[tuple[str, Any]]:
    """Every tensor of nested dictionaries, by its path with dots."""
    if hasattr(content, "detach"):
        yield ".".join(above), content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _tensors(value, *above, str(key))


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            ours = "architecture" in (file.metadata() or {})
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except Exception:
        # Its own error, or NumPy's about a kind of number that it does not know.
        raise UserError(f"{path} is not a whole safetensors file") from None
    if ours:
        raise UserError(f"{path} is one of our weight files already; use it as it is")
    return arrays


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except Exception:
        # zipfile, zlib and NumPy each have errors of their own.
        raise UserError(
            f"{path} is not a whole .npz file of plain arrays; "
            "write it with numpy.savez"
        ) from None


def _tensorflow_prefix(path: Path) -> Path | None:
    """model-1000 of model-1000, model-1000.index, model-1000.data-00000-of-00001."""
    shorter = path.with_name(re.sub(TENSORFLOW_FILE, "", path.name))
    if shorter != path or (
        not path.exists() and path.with_name(f"{path.name}.index").is_file()
    ):
        return shorter
    return None


def _read_tensorflow(prefix: Path) -> dict[str, np.ndarray]:
    try:
        with _silent():
            import tensorflow as tf

            reader = tf.train.load_checkpoint(str(prefix))
            kinds = reader.get_variable_to_dtype_map()
            return {
                key: np.asarray(reader.get_tensor(key))
                for key, kind in kinds.items()
                if kind.is_floating or kind.is_integer
            }
    except ImportError:
        raise UserError(
            "reading TensorFlow checkpoints needs TensorFlow: "
            "pip install '.[tf]' in the project's folder"
        ) from None
    except Exception:
        # TensorFlow raises a different error for each way of being damaged.
        raise UserError(
            f"{prefix} is not a whole TensorFlow checkpoint; its .index and .data "
            "files belong side by side"
        ) from None


@contextmanager
def _silent() -> Iterator[None]:
    """Drops what C++ code writes to standard error: TensorFlow's notes on the CPU."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
