"""A restorer adapted to a camera: its kernels, the pairs, and a short run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import kernel_space_here
from evaluation_data import picture, write

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.datasets import open_source
from kernel_space_jax.errors import UserError
from kernel_space_jax.experiments.adapt import blur_like, camera_pairs, tile_kernels
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.operators.camera import GAMMA


def path(angle: float, length: int = 11, side: int = 31) -> np.ndarray:
    """A straight path of light through the middle."""
    h, middle = np.zeros((side, side), np.float32), side // 2
    for t in np.linspace(-length / 2, length / 2, 200):
        row, column = middle + t * np.sin(angle), middle + t * np.cos(angle)
        h[round(row), round(column)] += 1
    return h / h.sum()


def blurred(x: np.ndarray, h: np.ndarray) -> np.ndarray:
    light = jnp.asarray(x[None]) ** GAMMA
    return np.asarray(ks.Uniform(border="reflect")(light, h[None]))[0] ** (1 / GAMMA)


@pytest.fixture(scope="module")
def halves():
    """A photo whose left half moved along rows, its right half along columns."""
    x = picture(0, (200, 416))
    left, right = (blurred(x, path(angle)) for angle in (0.0, np.pi / 2))
    y = np.concatenate([left[:, :208], right[:, 208:]], 1)
    return x, y


def test_the_truth_gives_the_kernels_of_each_side(halves):
    found = tile_kernels(*halves)
    for side, angle in ((0, 0.0), (-1, np.pi / 2)):
        h = found.kernels[side]
        assert abs(h.sum() - 1) < 1e-3
        assert (h * path(angle)).sum() > 0.8 * (path(angle) ** 2).sum()


def test_another_photo_gets_the_same_blur(halves):
    kernels = tile_kernels(*halves)
    x = picture(5, (200, 416))
    expected = [blurred(x, path(angle)) for angle in (0.0, np.pi / 2)]
    found = blur_like(x, kernels)
    for side, columns in enumerate((slice(16, 120), slice(-120, -16))):
        near, far = (
            psnr(jnp.asarray(found[None, :, columns]), jnp.asarray(y[None, :, columns]))
            for y in (expected[side], expected[1 - side])
        )
        assert near > 38 and near > far + 6


def test_a_flat_part_takes_the_kernel_beside_it(halves):
    x, y = (image.copy() for image in halves)
    x[:, -160:], y[:, -160:] = 0.5, 0.5
    kernels = tile_kernels(x, y).kernels
    np.testing.assert_array_equal(kernels[-1], kernels[-2])
    with pytest.raises(UserError, match="too small for kernels of 31 pixels"):
        tile_kernels(x[:50], y[:50])


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """Folders of a camera's photos, and a restorer that changes nothing much."""
    root = tmp_path_factory.mktemp("camera")
    rng = np.random.default_rng(0)
    for i in range(2):
        y = blurred(picture(i, (96, 112)), path(0.0, 7))
        noise = 0.02 * rng.standard_normal(y.shape)
        write(root / "blurry" / f"{i}.png", np.clip(y + noise, 0, 1))
        write(root / "sharp" / f"{i}.png", picture(10 + i, (96, 112)))
    module = Compact(width=4, scales=1, blocks=1)
    variables = module.init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    file = root / "restorer.safetensors"
    weights.write(file, module, variables, origin="a test", licence="CC0-1.0")
    return root


def test_pairs_have_the_cameras_noise_and_are_made_once(camera, tmp_path):
    blurry, sharp = (open_source(f"images:{camera}/{n}?kind={n}") for n in
                     ("blurry", "sharp"))  # fmt: skip
    restorer = weights.load(camera / "restorer.safetensors")
    camera_pairs(tmp_path, blurry, sharp, restorer, 3)
    pairs = open_source(f"pairs:{tmp_path}")
    assert len(pairs) == 3
    np.testing.assert_array_equal(pairs[0].sharp, sharp[0].sharp)
    apart = pairs[0].blurry[:, 1:] - pairs[0].blurry[:, :-1]
    assert 0.015 < np.median(np.abs(apart)) / 0.6745 / 2**0.5 < 0.05
    files = sorted(tmp_path.rglob("*.png"))
    before = {file: file.stat().st_mtime_ns for file in files}
    files[0].unlink()
    kept = {file: file.read_bytes() for file in files[1:]}
    camera_pairs(tmp_path, blurry, sharp, restorer, 3)
    assert all(file.read_bytes() == kept[file] for file in files[1:])
    assert sum(f.stat().st_mtime_ns == before[f] for f in files) >= 4


def test_the_verb(camera, tmp_path):
    out = tmp_path / "camera.safetensors"
    words = f"adapt --blurry {camera}/blurry --sharp {camera}/sharp --pairs 2 -o {out}"
    words += f" --start {camera}/restorer.safetensors --config.steps=2"
    words += " --config.data.crop=32 --config.data.validation_size=2"
    words += " --config.batch_size=2"
    done = kernel_space_here(*words.split())
    assert done.returncode == 0, done.stderr
    assert isinstance(weights.load(out).module, Compact)
    again = kernel_space_here(*words.split())
    assert again.returncode == 2 and "exists already" in again.stderr
