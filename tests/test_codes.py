"""Codes of the learned space: drawn, interpolated, shown; data sets swapped."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import (
    BLURRY,
    SHAPES,
    SHARP,
    assert_one_sentence,
    kernel_space_here,
)
from golden import Golden

import kernel_space_jax as ks
from kernel_space_jax import sheets, weights
from kernel_space_jax.datasets import open_source
from kernel_space_jax.operators import Uniform
from kernel_space_jax.synthesis import codes
from kernel_space_jax.synthesis.augment import LOG, augment


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    """Weight files of a small plain and a small variational space."""
    folder, files = tmp_path_factory.mktemp("spaces"), {}
    for name in ("wovae", "vae"):
        golden = Golden(f"kw_{name}_nf4")
        files[name] = folder / f"{name}.safetensors"
        weights.write(
            files[name],
            *weights.from_torch("kernel_space", golden.weights()),
            origin="a golden",
            licence="CC0-1.0",
        )
    return files


def test_codes_between_two_are_on_the_line():
    first, last = jnp.zeros((1, 2, 3, 4)), jnp.ones((1, 2, 3, 4))
    found = [float(k.mean()) for k in codes.between(first, last, 5)]
    np.testing.assert_allclose(found, [0, 0.25, 0.5, 0.75, 1])
    (*_, end) = codes.between(first, jnp.ones((1, 1, 1, 4)), 2)
    assert end.shape == first.shape


def test_only_a_variational_space_draws(spaces):
    drawn = codes.random_codes(jax.random.key(0), weights.load(spaces["vae"]), 3)
    assert drawn.shape == (3, 1, 1, 32)
    with pytest.raises(ks.UserError, match="variational"):
        codes.random_codes(jax.random.key(0), weights.load(spaces["wovae"]), 3)


def test_local_kernels_of_a_convolution_are_its_kernel():
    h = jnp.zeros((1, 9, 9)).at[0, 4, 1:8].set(1 / 7)
    found = codes.local_kernels(Uniform(), h, (128, 192), side=9)
    assert found.shape == (1, 2, 9, 9)
    np.testing.assert_allclose(found, jnp.broadcast_to(h, found.shape), atol=5e-3)


def test_the_blur_of_pairs_on_other_images(tmp_path):
    pairs = tmp_path / "pairs"
    x, y = ks.read(SHARP), ks.read(BLURRY)
    ks.write(pairs / "sharp" / "a.png", x)
    ks.write(pairs / "blurry" / "a.png", y)
    ks.write(tmp_path / "sharp" / "shapes.png", ks.read(SHAPES))
    sources = open_source(f"pairs:{pairs}"), open_source(f"images:{tmp_path}/sharp")
    out = tmp_path / "out"
    assert augment(*sources, out, 1) == 1
    assert augment(*sources, out, 3) == 2
    header, *lines = map(json.loads, (out / LOG).read_text().splitlines())
    assert header["seed"] == 0 and len(lines) == 3
    assert all(line["blur of"] == "a" for line in lines)
    # One kernel explains this pair, but for what lies beyond its border.
    assert all(line["reconstruction"] > 28 for line in lines)
    made = open_source(f"pairs:{out}")
    assert len(made) == 3
    record = made[0]
    (again,) = ks.transfer(
        *ks.extract_blur(x.pixels, y.pixels), [ks.read(SHAPES).pixels]
    )
    np.testing.assert_allclose(record.blurry, again, atol=0.6 / 255)
    with pytest.raises(ks.UserError, match="other weights or another seed"):
        augment(*sources, out, 3, seed=1)
    with pytest.raises(ks.UserError, match="other weights or another seed"):
        augment(*sources, out, 3, weights=weights.load("kernel-space"))


@pytest.mark.slow
def test_the_verbs_on_files(tmp_path, spaces):
    out = tmp_path / "drawn"
    done = kernel_space_here(
        "sample", SHAPES, "-o", out, "-n", 2, "--weights", spaces["vae"]
    )
    assert done.returncode == 0, done.stderr
    names = {path.name for path in out.iterdir()}
    assert names == {"shapes_sharp_00.png", "shapes_sharp_01.png"}
    first, second = (ks.read(path).pixels for path in sorted(out.iterdir()))
    assert np.abs(first - second).max() > 0
    again = kernel_space_here(
        "sample", SHAPES, "-o", out, "-n", 2, "--weights", spaces["vae"]
    )
    assert_one_sentence(again, "shapes_sharp_00.png exists already")
    plain = ["-o", tmp_path / "new", "--weights", spaces["wovae"]]
    assert_one_sentence(kernel_space_here("sample", SHAPES, *plain), "variational")
    picture = tmp_path / "points.png"
    pair = ["--sharp", SHARP, "--blurry", BLURRY, "--weights", spaces["wovae"]]
    done = kernel_space_here("show-kernel", *pair, "-o", picture)
    assert done.returncode == 0, done.stderr
    # 2 x 3 windows over 192x256 pixels, kernels of 33 pixels and a line between them,
    # enlarged 9 times, over a caption.
    drawn = ks.read(picture).pixels[: -sheets.CAPTION_HEIGHT, :, 0]
    height, width = 9 * (2 * 34 - 1), 9 * (3 * 34 - 1)
    left = (drawn.shape[1] - width) // 2
    grid = drawn[-height:, left : left + width]
    lines = np.isclose(grid, 0.3, atol=0.51 / 255)
    assert np.flatnonzero(lines.all(0))[::9].tolist() == [9 * n for n in (33, 67)]
    assert np.flatnonzero(lines.all(1))[::9].tolist() == [9 * 33]
    assert (drawn[-height:, :left] == 1).all()


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """Inputs by what is wrong with them: small.png, tiny/, unequal/, full/."""
    folder = tmp_path_factory.mktemp("bad")
    ks.write(folder / "small.png", ks.Photo(np.zeros((64, 48, 3), np.float32)))
    ks.write(folder / "tiny" / "a.png", ks.Photo(np.zeros((12, 40, 3), np.float32)))
    for half, width in (("sharp", 64), ("blurry", 48)):
        pixels = np.zeros((64, width, 3), np.float32)
        ks.write(folder / "unequal" / half / "a.png", ks.Photo(pixels))
        ks.write(folder / "pairs" / half / "a.png", ks.Photo(pixels[:48, :48]))
    (folder / "full").mkdir()
    (folder / "full" / "a.txt").write_text("precious")
    return folder


PAIR = f"{SHARP} {BLURRY}"
ENDS = f"--first {PAIR} --last {PAIR}"
TWO_SIZES = "the sharp image is 256x192 and the blurry one 48x64"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"show-kernel --sharp {SHARP} --blurry small.png -o new.png", TWO_SIZES),
        (
            f"interpolate {SHAPES} --first {SHARP} small.png --last {PAIR} -o new",
            TWO_SIZES,
        ),
        (
            "augment --source pairs:unequal --target images:pairs -o un -n 1",
            "a pair must have one size",
        ),
        (f"interpolate tiny/a.png {ENDS} -o new", "at least 16 pixels"),
        ("sample tiny/a.png --weights VAE -o new", "at least 16 pixels"),
        (
            "augment --source pairs:pairs --target images:tiny -o ti -n 1",
            "at least 16 pixels",
        ),
        (f"sample {SHAPES} --weights kernel-space -o new", "plain kernel space"),
        (f"sample {SHAPES} --weights VAE -o new -n 0", "-n is 0; give a number from 1"),
        (f"interpolate {SHAPES} {ENDS} -o new -n 0", "-n is 0; give a number from 1"),
        (
            f"augment --source pairs:pairs --target images:{SHAPES.parent} -o new -n 0",
            "-n is 0; give a number from 1",
        ),
        (f"interpolate {SHAPES} {ENDS} -o full/a.txt", "a.txt is a file"),
        (
            f"augment --source pairs:pairs --target images:{SHAPES.parent} "
            "-o full -n 1",
            "full has files in it",
        ),
    ],
)
def test_bad_input_is_one_sentence(bad, spaces, monkeypatch, command, says):
    monkeypatch.chdir(bad)
    words = command.replace("VAE", str(spaces["vae"])).split()
    assert_one_sentence(kernel_space_here(*words), says)
    assert not (bad / "new").exists() and not (bad / "new.png").exists()
    assert [path.name for path in (bad / "full").iterdir()] == ["a.txt"]


def test_a_set_gives_no_image_its_own_blur(tmp_path):
    random = np.random.default_rng(0)
    for name in "abc":
        x = random.random((64, 64, 3), np.float32)
        ks.write(tmp_path / "pairs" / "sharp" / f"{name}.png", ks.Photo(x))
        ks.write(tmp_path / "pairs" / "blurry" / f"{name}.png", ks.Photo(x))
    source = open_source(f"pairs:{tmp_path}/pairs")
    augment(source, source, tmp_path / "out", 12)
    _, *lines = map(json.loads, (tmp_path / "out" / LOG).read_text().splitlines())
    taken = {(line["name"][-1], line["blur of"]) for line in lines}
    # Each of the others comes to its turn.
    assert taken == {(a, b) for a in "abc" for b in "abc" if a != b}
    for half in ("sharp", "blurry"):
        (tmp_path / "pairs" / half / "b.png").unlink()
        (tmp_path / "pairs" / half / "c.png").unlink()
    alone = open_source(f"pairs:{tmp_path}/pairs")
    with pytest.raises(ks.UserError, match="swapping blur takes two"):
        augment(alone, alone, tmp_path / "new", 1)
