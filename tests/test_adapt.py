"""A restorer adapted to a camera: its blur, its noise, the pairs, and a short run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import kernel_space_here
from evaluation_data import picture, write

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.datasets import open_source
from kernel_space_jax.experiments.adapt import (
    FINDER,
    blur_like,
    camera_pairs,
    noise_of,
    with_noise,
)
from kernel_space_jax.metrics import psnr
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.training.data import open_feed
from kernel_space_jax.training.workdir import read_config


def path(angle: float, length: int = 11, side: int = 33) -> np.ndarray:
    """A straight path of light through the middle."""
    h, middle = np.zeros((side, side), np.float32), side // 2
    for t in np.linspace(-length / 2, length / 2, 200):
        row, column = middle + t * np.sin(angle), middle + t * np.cos(angle)
        h[round(row), round(column)] += 1
    return h / h.sum()


def blurred(x: np.ndarray, h: np.ndarray) -> np.ndarray:
    light = jnp.asarray(x[None]) ** GAMMA
    return np.asarray(ks.Uniform(border="reflect")(light, h[None]))[0] ** (1 / GAMMA)


def grainy(x: np.ndarray, deviation: np.ndarray | float) -> np.ndarray:
    n = np.random.default_rng(3).standard_normal(x.shape)
    return np.clip(x + deviation * n, 0, 1).astype(np.float32)


def test_noise_is_measured_at_each_brightness():
    ramp = np.linspace(0.2, 0.8, 320, dtype=np.float32)
    x = np.broadcast_to(ramp[None, :, None], (200, 320, 3))
    found = noise_of(grainy(x, 0.05 - 0.05 * x))
    for at in (0.3, 0.5, 0.7):
        measured = found.at(np.full((1, 1, 3), at))
        np.testing.assert_allclose(measured, 0.05 - 0.05 * at, rtol=0.1)


def test_a_photo_gets_the_noise_that_it_lacks():
    wall = np.full((128, 128, 3), 0.5, np.float32)
    noise = noise_of(grainy(wall, 0.04))
    for before in (0.0, 0.03):
        made = with_noise(grainy(wall, before), noise, [0])
        assert made.std() == pytest.approx(0.04, rel=0.1)
    assert with_noise(grainy(wall, 0.06), noise, [0]).std() < 0.063


def test_another_photo_gets_the_same_blur():
    """A field whose left half moved along rows, its right half along columns."""
    kernels = np.stack([path(angle) for angle in (0.0, np.pi / 2)])
    masks = np.zeros((1, 100, 208, 2), np.float32)
    masks[:, :, :104, 0] = masks[:, :, 104:, 1] = 1
    field = KernelField(jnp.asarray(kernels[None]), jnp.asarray(masks))
    x = picture(5, (200, 416))
    found = blur_like(x, field)
    for side, columns in enumerate((slice(16, 180), slice(-180, -16))):
        near, far = (
            psnr(
                jnp.asarray(found[None, :, columns]),
                jnp.asarray(blurred(x, kernel)[None, :, columns]),
            )
            for kernel in (kernels[side], kernels[1 - side])
        )
        assert near > 45 and near > far + 10


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


@pytest.mark.slow
def test_pairs_have_the_cameras_blur_and_are_made_once(camera, tmp_path):
    blurry, sharp = (
        open_source(f"images:{camera}/{kind}?kind={kind}")
        for kind in ("blurry", "sharp")
    )
    finder = weights.load(FINDER)
    camera_pairs(tmp_path, blurry, sharp, finder, 3)
    pairs = open_source(f"pairs:{tmp_path}")
    assert len(pairs) == 3
    for number, pair in enumerate(pairs):
        # The same photo with more light, as far as a file has it.
        x = sharp[number % 2].sharp
        inside = (pair.sharp > 0.2) & (pair.sharp < 0.99)
        times = (pair.sharp[inside] / x[inside]) ** GAMMA
        assert 1 <= np.median(times) <= 2 and times.std() < 0.05
        noise = noise_of(pair.blurry).deviation.mean()
        assert 0.012 < noise < 0.03
        # It moved along rows: edges across them are softer.
        along, across = (
            np.abs(np.diff(pair.blurry, axis=a)).mean()
            / np.abs(np.diff(pair.sharp, axis=a)).mean()
            for a in (1, 0)
        )
        assert along < across
    files = sorted(tmp_path.rglob("*.png"))
    before = {file: file.stat().st_mtime_ns for file in files}
    files[0].unlink()
    kept = {file: file.read_bytes() for file in files[1:]}
    camera_pairs(tmp_path, blurry, sharp, finder, 3)
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


def test_the_known_blur_is_seen_too(camera, tmp_path):
    """Half of the crops are of the pairs that are to be kept."""
    negatives = tmp_path / "negatives"
    for name, x in enumerate(np.random.default_rng(0).random((2, 64, 64, 3))):
        for part, image in (("sharp", x), ("blurry", 1 - x)):
            ks.write(negatives / part / f"{name}.png", ks.Photo(image))
    out = tmp_path / "camera.safetensors"
    words = f"adapt --blurry {camera}/blurry --sharp {camera}/sharp --pairs 2 -o {out}"
    words += f" --start {camera}/restorer.safetensors --config.steps=2"
    words += " --config.data.crop=32 --config.data.validation_size=2"
    words += f" --config.batch_size=2 --known pairs:{negatives}"
    done = kernel_space_here(*words.split())
    assert done.returncode == 0, done.stderr
    config = read_config(tmp_path / "camera-run" / "training" / "adapted")
    feed = open_feed(config)
    crops = [next(feed) for _ in range(16)]
    feed.close()
    kept = [
        np.allclose(x / 255 + y / 255, 1, atol=0.01)
        for crop in crops
        for x, y in zip(crop["sharp"], crop["blurry"], strict=True)
    ]
    assert 0.3 < np.mean(kept) < 0.7
    other = words.replace(f"-o {out}", f"-o {tmp_path}/other.safetensors")
    other = other.replace(f"pairs:{negatives}", f"images:{camera}/sharp")
    refused = kernel_space_here(*other.split())
    assert refused.returncode == 2 and "holds no pairs" in refused.stderr
