"""A folder of good files, and of files that are wrong in many ways."""

import hashlib
import os
from pathlib import Path

import numpy as np

import kernel_space_jax as ks

# What an image, a weight file, a result file, a result folder and a data set may be.
BAD_IMAGES = (
    "missing.png", "folder", "empty.png", "text.png", "truncated.png", "tiny.png",
    "truncated.jpg", "numbers.npy", "weights.safetensors", "locked.png", "loop.png",
)  # fmt: skip
BAD_WEIGHTS = (
    "missing.safetensors", "folder", "empty.safetensors", "text.safetensors",
    "truncated.safetensors", "sharp.png", "kernel-spce", "damaged.safetensors",
)  # fmt: skip
BAD_FOLDERS = ("text.png", "text.png/below", "locked/below", "loop.png/below")
BAD_FILES = ("folder", "text.png/below.png", "locked/below.png", "loop.png")
BAD_SETS = (
    "images", "imges:set", "images:", "images:missing", "images:sharp.png",
    "images:folder", "images:bad", "pairs:set", "gopro:set", "prepared:set",
    "images:set?resize=abc", "images:set?resize=0", "images:set?resize=64x",
    "images:set?resize=-5", "images:set?resize", "images:set?resize=1e9",
    "images:set?kind=both", "images:set?keep=both", "images:set?split=nope",
    "images:set?colour=red", "images:set?kind=sharp&kind=blurry",
)  # fmt: skip


def make(root: Path) -> None:
    """Makes the files; tries are run with `root` as the current folder."""
    draw = np.random.default_rng(0)
    for name in (
        "sharp.png",
        "blurry.png",
        "photo.png",
        "photo.jpg",
        "photo_sheet.png",
    ):
        image(root / name, draw.random((64, 80, 3), np.float32))
    image(root / "wide.png", draw.random((64, 96, 3), np.float32))
    image(root / "tiny.png", np.zeros((8, 40, 3), np.float32))
    for name in ("set/a.png", "set/b.png", "twice/sharp/a.png", "twice/blurry/a.png"):
        image(root / name, draw.random((64, 64, 3), np.float32))
    for name in ("folder", "locked"):
        (root / name).mkdir()
    for name in ("empty.png", "empty.safetensors", "empty.pth", "empty.npz"):
        (root / name).touch()
    for name in ("text.png", "text.safetensors", "text.pth", "text.npz", "text.py"):
        (root / name).write_text("hello, this is a text\n")
    np.save(root / "numbers.npy", np.zeros((64, 64)))
    weights = next(iter(_shipped().values())).read_bytes()
    (root / "weights.safetensors").write_bytes(weights)
    damaged = weights[:-4] + bytes(4)
    (root / "damaged.safetensors").write_bytes(damaged)
    cut(root / "weights.safetensors", root / "truncated.safetensors")
    cut(root / "photo.png", root / "truncated.png")
    cut(root / "photo.jpg", root / "truncated.jpg")
    image(root / "bad/good.png", draw.random((64, 64, 3), np.float32))
    cut(root / "photo.png", root / "bad/truncated.png")
    np.savez(root / "arrays.npz", a=np.zeros(3))
    image(root / "done/photo.png", draw.random((64, 80, 3), np.float32))
    for name in ("done/photo_00.png", "done/out.png", "done/sheet.png", "done/out.npz"):
        (root / name).write_text("precious")
    for name in ("done/index.html", "done/out.safetensors", "done/table.md"):
        (root / name).write_text("precious")
    (root / "link.png").symlink_to("sharp.png")
    (root / "to_set").symlink_to("set")
    (root / "loop.png").symlink_to("loop.png")
    os.link(root / "photo.png", root / "hard.png")
    image(root / "locked.png", draw.random((64, 64, 3), np.float32))
    (root / "locked.png").chmod(0)
    (root / "locked").chmod(0o500)


def image(path: Path, pixels: np.ndarray) -> None:
    ks.write(path, ks.Photo(pixels))


def cut(whole: Path, half: Path) -> None:
    data = whole.read_bytes()
    half.write_bytes(data[: len(data) // 2])


def _shipped() -> dict[str, Path]:
    from kernel_space_jax.weights import shipped

    return shipped()


def can_be_locked(root: Path) -> bool:
    """Whether permissions hold for this user; they do not for root."""
    return not os.access(root / "locked.png", os.R_OK)


def snapshot(root: Path) -> dict[str, str]:
    """Every file, folder and link below `root`, and what it holds."""
    seen = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            seen[name] = f"to {os.readlink(path)}"
        elif path.is_dir():
            seen[name] = "folder"
        elif os.access(path, os.R_OK):
            seen[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            seen[name] = "locked"
    return seen
