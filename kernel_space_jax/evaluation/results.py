"""A folder of results that any program wrote, as a method."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets import Record
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.methods import Method
from kernel_space_jax.evaluation.protocol import Restored

ARRAY = ".npy"
FOLDER = "folder "


def from_folder(spec: str, names: Sequence[str]) -> Method:
    """The results of [LABEL=]FOLDER for images of these names.

    A result is an image file, or a .npy array (H, W) or (H, W, C) in [0, 1]. It is
    found by the image's name: GOPR0384/000001 is GOPR0384/000001.png or
    GOPR0384_000001.png below the folder, or 000001.png if no two images end so.
    """
    label, equals, path = spec.rpartition("=")
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder of the results")
    files = _files_by_key(folder)
    if not files:
        raise UserError(f"{folder} holds no image; give the folder of the results")
    endings = Counter(name.rpartition("/")[2] for name in names)

    def find(name: str) -> Path:
        keys = [name, name.replace("/", "_"), name.replace("/", "-")]
        ending = name.rpartition("/")[2]
        if endings[ending] == 1:
            keys.append(ending)
        for key in keys:
            found = files.get(key, [])
            if len(found) > 1:
                raise UserError(f"{found[0]} and {found[1]} are both results of {name}")
            if found:
                return found[0]
        raise UserError(f"{folder} has no result for {name}")

    def stamp(name: str) -> str:
        try:
            return hashlib.sha256(find(name).read_bytes()).hexdigest()
        except (UserError, OSError):
            return "missing"

    def restore(record: Record) -> Restored:
        return read_result(find(record.name))

    label = label if equals else folder.resolve().name
    return Method(label, f"{FOLDER}{folder.resolve()}", restore, stamp, keep=False)


def recalled(label: str, identity: str, names: Sequence[str]) -> Method | None:
    """The folder that an `identity` speaks of, or None if it speaks of none."""
    if not identity.startswith(FOLDER):
        return None
    return from_folder(f"{label}={identity.removeprefix(FOLDER)}", names)


def _files_by_key(folder: Path) -> dict[str, list[Path]]:
    """Results by relative path without suffix, and by file name without it."""
    keys: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in (*images.FORMATS, ARRAY) and file.is_file():
            key = file.relative_to(folder).with_suffix("").as_posix()
            for name in {key, file.stem}:
                keys.setdefault(name, []).append(file)
    return keys


def read_result(path: Path) -> Restored:
    """One result; what is odd about it but can be scored is a note."""
    if path.suffix.lower() != ARRAY:
        photo = images.read(path)
        notes = ("its alpha channel was left out",) if photo.alpha is not None else ()
        return Restored(photo.pixels, bits=photo.bits, notes=notes)
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise UserError(f"{path} is not a readable .npy file; save it again") from None
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[-1] not in (1, 3) or values.dtype.kind != "f":
        raise UserError(
            f"{path} is {values.dtype} of shape {values.shape}; "
            "save floats (H, W) or (H, W, 3) in [0, 1]"
        )
    # An array has no depth of its own: it is rounded to 8 bits like our methods'.
    return Restored(values.astype(np.float32))
