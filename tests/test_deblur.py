"""Deblurring: the command on files, methods, tiles, a search cut short, bad input."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import (
    BLURRY,
    SHAKEN,
    SHAPES,
    SHARP,
    WHOLE,
    assert_one_sentence,
    kernel_space_here,
)
from typer.testing import CliRunner

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.cli import app
from kernel_space_jax.datasets import Record
from kernel_space_jax.deblur import automatic
from kernel_space_jax.deblur.field import believed, share_of_map
from kernel_space_jax.evaluation.methods import from_weights
from kernel_space_jax.metrics import best_shift, psnr
from kernel_space_jax.models.per_pixel.two_heads import TwoHeads
from kernel_space_jax.operators import KernelField, uniform
from kernel_space_jax.solvers import half_quadratic
from kernel_space_jax.solvers.per_pixel.found import FOUND_NOISE, decided, likeliest
from kernel_space_jax.solvers.search import presets


@pytest.fixture(scope="module")
def network() -> weights.Weights:
    module = TwoHeads(width=2, basis=3, kernel_scales=3)
    key = jax.random.key(0, impl="rbg")
    variables = jax.jit(module.init)(key, jnp.zeros((1, 32, 32, 3)))
    return weights.Weights(module, variables)


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "small.safetensors"
    weights.write(path, *network, origin="a test", licence="CC0-1.0")
    return path


def test_it_is_the_network_and_then_the_solver(network):
    photo = ks.read(BLURRY).pixels[:70, :64]
    found = ks.deblur(photo, "basis", weights=network)
    field = likeliest(decided(ks.find_field(photo, network)))
    x = half_quadratic(
        jnp.asarray(photo)[None], field, noise=FOUND_NOISE, likely=True, steps=3
    ).x[0]
    np.testing.assert_allclose(found.image, jnp.clip(x, 0, 1), atol=5e-3)


def test_it_is_a_method_of_evaluations(network, file):
    photo = ks.read(BLURRY).pixels[:70, :64]
    found = from_weights(file).restore(Record("photo", photo, None, {})).image
    ours = ks.deblur(photo, "basis", weights=network).image
    np.testing.assert_allclose(found, ours, atol=1e-6)


def test_a_grey_photo_stays_grey_and_tiles_are_counted(network):
    photo = ks.read(BLURRY).pixels[:64, :100, :1]
    heard = []
    found = ks.deblur(
        photo,
        "basis",
        weights=network,
        tile=64,
        tell=lambda done, total: heard.append((done, total)),
    )
    assert found.image.shape == photo.shape
    assert heard == [(1, 2), (2, 2)]


@pytest.mark.slow
def test_the_verbs_write_what_they_say(tmp_path, file):
    done = kernel_space_here(
        *("deblur", BLURRY, "-o", tmp_path / "out", "--sheet"),
        *("--method", "basis", "--weights", file),
    )
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {BLURRY.name, f"{BLURRY.stem}_sheet.png"}
    before, after = ks.read(BLURRY), ks.read(tmp_path / "out" / BLURRY.name)
    assert before.pixels.shape == after.pixels.shape
    # Its kernels are 3 of 9x9. The mender that comes along knows 64 of 33x33, and looks
    # again at 8 variants of 12 of them, at none, and at that of `map`.
    for weights_of, kernels in (["--weights", file], (3, 9, 9)), ([], (98, 33, 33)):
        picture = tmp_path / f"field{kernels[0]}.png"
        done = kernel_space_here("kernels", BLURRY, "-o", picture, *weights_of)
        assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
        numbers = np.load(picture.with_suffix(".npz"))
        assert numbers["kernels"].shape == kernels
        assert numbers["masks"].shape == (*before.pixels.shape[:2], kernels[0])
        assert ks.read(picture).pixels.shape[1] >= before.pixels.shape[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (f"--method basis --weights {BLURRY}", "is not a weight file"),
        ("--kernel-size 24", "give an odd size from 3 to 96"),
        ("--method basis --weights FILE --solver magic", "no solver 'magic'"),
        ("--weights FILE --method guess", "no method 'guess'"),
        (f"-o {BLURRY.parent}", "would overwrite its own input"),
        ("--method map --weights FILE", "map uses no weights"),
        ("--weights FILE", "auto needs those of a Mender or Judge"),
        ("--method selfdeblur --preset slow", "no preset 'slow'"),
        ("--trace", "--trace shows a search"),
        ("--method selfdeblur --gamma 2.2", "selfdeblur has no such option"),
        ("--solver half-quadratic", "--solver is for the method basis"),
        ("--method kernel-space --weights FILE", "of a TwoHeads"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, file, options, says):
    out = tmp_path / "out"
    words = options.replace("FILE", str(file)).split()
    done = kernel_space_here("deblur", BLURRY, "-o", out, *words)
    assert_one_sentence(done, says)
    assert not out.exists()


def gain(y, z):
    """What z wins over y, dB, of the sample that both are of."""
    x = ks.read(SHARP).pixels
    x, y, z = (jnp.asarray(i).mean(-1, keepdims=True)[None] for i in (x, y, z))
    before, after = best_shift(x, y), best_shift(x, z)
    return float(psnr(after.x, after.z)[0] - psnr(before.x, before.z)[0])


@pytest.mark.slow
def test_one_kernel_for_all(tmp_path):
    """The sample's shake is found, and so is its size, well enough to win 6 dB."""
    out = tmp_path / "out"
    done = kernel_space_here("deblur", BLURRY, "-o", out, "--sheet", "--gamma", 1)
    assert done.returncode == 0, done.stderr
    assert gain(*(ks.read(p).pixels for p in (BLURRY, out / BLURRY.name))) > 6
    with pytest.raises(ks.UserError, match="odd size from 3 to 96"):
        ks.deblur(ks.read(BLURRY).pixels, kernel_size=24)


@pytest.fixture(scope="module")
def mapped():
    """What `map` makes of the sample whose light was blurred, told nothing."""
    return ks.deblur(ks.read(SHAKEN).pixels, "map")


@pytest.mark.slow
def test_a_camera_blurs_light(mapped):
    """A photo in colour is that of a camera unless one says that it is linear."""
    photo = ks.read(SHAKEN).pixels
    linear = ks.deblur(photo, "map", gamma=1.0)
    assert gain(photo, mapped.image) > max(5, gain(photo, linear.image) + 1)
    small = photo[:48, :48, :1]
    grey, said = (
        ks.deblur(small, "map", kernel_size=7, **how) for how in ({}, {"gamma": 1.0})
    )
    np.testing.assert_array_equal(grey.image, said.image)


@pytest.mark.slow
def test_two_kernels_are_not_taken_for_one(mapped):
    """What the judge says decides whether one kernel is asked to explain the photo."""
    photo = ks.read(SHAKEN).pixels
    one = ks.deblur(photo)
    assert float(psnr(one.image[None], mapped.image[None])[0]) > 45
    assert one.kernel.shape == (33, 33) and one.grid is None
    assert (one.method, one.blur) == ("map", "uniform")
    still = ks.read(SHARP).pixels
    half = photo.shape[1] // 2
    both = np.concatenate([photo[:, :half], still[:, half:]], 1)
    found = ks.deblur(both)
    cells = (both.shape[0] // 33, both.shape[1] // 33, 33, 33)
    assert found.kernel is None and found.grid.shape == cells
    assert (found.method, found.blur) == ("basis", "per pixel")
    # The half that stands still is left alone, the other is not made worse.
    assert (
        float(psnr(found.image[None, :, half + 16 :], still[None, :, half + 16 :])[0])
        > 38
    )
    before, after = (
        float(
            psnr(z[None, 16:-16, 16 : half - 16], still[None, 16:-16, 16 : half - 16])[
                0
            ]
        )
        for z in (both, found.image)
    )
    assert after > before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "answer", "taken"),
    [
        (1.0, lambda y, x: y, "map"),
        (1.0, lambda y, x: np.round(3 * x) / 3, "maxim"),
        (0.2, lambda y, x: x, "maxim"),
        (0.2, lambda y, x: y, "basis"),
    ],
)
def test_auto_takes_the_way_that_fits(mapped, monkeypatch, share, answer, taken):
    """The one with the sparsest edges, if map's kernel is a likely one; else a restorer
    that took out blur."""
    y, x = ks.read(SHAKEN).pixels, ks.read(SHARP).pixels
    z = answer(y, x).astype(np.float32)
    monkeypatch.setattr(automatic, "share_of_map", lambda field: share)
    monkeypatch.setattr(automatic, "named", lambda restorer: "maxim")
    monkeypatch.setattr(automatic, "_restorer", lambda name: None)
    monkeypatch.setattr(
        automatic, "deblur_by_network", lambda *_, **__: [ks.Deblurred(z)]
    )
    found = ks.deblur(y)
    assert found.method == taken
    if taken == "maxim":
        np.testing.assert_array_equal(found.image, z)


def test_installed_weights_that_are_no_restorer(monkeypatch, tmp_path):
    monkeypatch.setenv("KERNEL_SPACE_HOME", str(tmp_path))
    photo = ks.read(SHAKEN).pixels[:64, :64]
    with pytest.raises(ks.UserError, match="no weights are installed as 'maxin'"):
        ks.deblur(photo, restorer="maxin")
    place = weights.place("vgg19")
    place.parent.mkdir()
    place.write_bytes(weights.shipped()["judge"].read_bytes())
    with pytest.raises(ks.UserError, match="of a Judge, which is no restorer"):
        ks.deblur(photo, restorer="vgg19")


def test_the_part_of_a_photo_that_has_the_last_kernel():
    kernels = jnp.zeros((1, 3, 5, 5)).at[:, :, 2, 2].set(1).at[0, 2].set(1 / 25)
    masks = jnp.zeros((1, 4, 10, 3)).at[..., :3, 0].set(1).at[..., 3:, 2].set(1)
    assert share_of_map(KernelField(kernels, masks)) == pytest.approx(0.7)
    # Where map found nothing, no blur at all is twice among the candidates.
    kernels = kernels.at[0, 2].set(kernels[0, 0])
    assert share_of_map(KernelField(kernels, masks)) == 1


def test_a_kernel_that_is_the_likeliest_in_few_places_has_no_say():
    kernels = jnp.zeros((1, 3, 5, 5)).at[:, :, 2, :3].set(1 / 3)
    likely = jnp.array([0.1, 0.3, 0.6])
    masks = jnp.broadcast_to(likely, (1, 4, 10, 3))
    wide = KernelField(kernels, masks.at[:, :, :2].set(likely[::-1]))
    np.testing.assert_array_equal(believed(wide).masks, wide.masks)
    narrow = KernelField(kernels, masks.at[:, :, :6].set(likely[::-1]))
    kept = believed(narrow).masks
    np.testing.assert_array_equal(kept[..., 2], 0)
    np.testing.assert_allclose(kept[0, 0, 0], [2 / 3, 1 / 3, 0], rtol=1e-5)
    np.testing.assert_allclose(kept[0, 0, 9], [1 / 4, 3 / 4, 0], rtol=1e-5)


@pytest.mark.slow
def test_a_kernel_for_each_tile():
    """Halves of a photo that moved in other directions: no one kernel undoes both."""
    x = ks.read(WHOLE / SHAPES.name).pixels[64:192, 96:288]
    h = np.zeros((2, 9, 9), np.float32)
    h[0, 4, :] = h[1, :, 4] = 1 / 9
    left, right = uniform.convolve(jnp.stack([x, x]), jnp.asarray(h), border="reflect")
    middle = x.shape[1] // 2
    y = np.concatenate([left[:, :middle], right[:, middle:]], 1)
    noise = np.random.default_rng(0).standard_normal(y.shape, np.float32)
    y = np.clip(y + 0.003 * noise, 0, 1)
    inside = (slice(16, -16), slice(16, -16))
    score = lambda z: float(psnr(x[inside][None], z[inside][None])[0])
    one = ks.deblur(y, kernel_size=9, gamma=1.0)
    each = ks.deblur(y, "map-local", kernel_size=9, gamma=1.0, tile=96)
    assert each.kernel.shape == (2, 3, 9, 9) and each.blur == "per tile"
    assert score(each.image) > max(score(y), score(one.image)) + 1.5


@pytest.mark.slow
def test_a_sharp_photo_comes_back(tmp_path):
    """A search by itself finds some blur in any photo."""
    out = tmp_path / "out"
    done = kernel_space_here("deblur", SHAPES, SHARP, "-o", out)
    assert done.returncode == 0, done.stderr
    assert " ".join(done.stdout.split()).count("so the photo is unchanged") == 2
    for path in (SHAPES, SHARP):
        same = ks.read(out / path.name).pixels
        np.testing.assert_array_equal(same, ks.read(path).pixels)


@pytest.mark.slow
def test_where_map_finds_nothing_it_says_so_and_auto_goes_on(tmp_path, monkeypatch):
    """A photo that is sharp, or whose blur `map` cannot find: the judge knows."""
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    pixels = ks.read(SHAPES).pixels
    ks.write(photo, ks.Photo(pixels))
    done = kernel_space_here("deblur", photo, "-o", out, "--method", "map")
    said = " ".join(done.stdout.split())
    assert "no uniform blur found" in said and "--kernel-size N" in said
    np.testing.assert_array_equal(ks.read(out / photo.name).pixels, pixels)
    monkeypatch.setattr(automatic, "share_of_map", lambda field: 0.5)
    found = ks.deblur(pixels)
    assert (found.method, found.blur, found.kernel) == ("basis", "per pixel", None)
    assert psnr(found.image[None], pixels[None])[0] > 38


def test_weights_of_another_network_are_refused():
    other = weights.Weights(ks.KernelSpace(), {})
    with pytest.raises(ks.UserError, match="of a KernelSpace"):
        ks.deblur(np.zeros((32, 32, 3), np.float32), "basis", weights=other)


@pytest.fixture
def short(monkeypatch):
    """A search of three steps with networks that cannot do much."""
    tiny = presets.Preset(3, 2, 2, 2, 1, 0)
    monkeypatch.setitem(presets.PRESETS, "quick", tiny)
    # Five scales take a minute to compile.
    monkeypatch.setattr(presets, "ImagePrior", partial(presets.ImagePrior, scales=1))


@pytest.mark.slow
def test_a_search_writes_its_way(short, tmp_path):
    """Two photos of one size in one search, with the pictures of both."""
    pixels = ks.read(BLURRY).pixels
    for name, part in (("left", pixels[:64, :64]), ("right", pixels[:64, 64:128])):
        ks.write(tmp_path / f"{name}.png", ks.Photo(part))
    photos = [str(tmp_path / "left.png"), str(tmp_path / "right.png")]
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app,
        ["deblur", *photos, "-o", str(out), "--method", "pixel-kernel"]
        + ["--kernel-size", "7", "--trace", "--sheet"],
    )
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {
        f"{stem}{part}.png"
        for stem in ("left", "right")
        for part in ("", "_sheet", "_loss", "_frames")
    }
    assert ks.read(out / "left.png").pixels.shape == (64, 64, 3)


def test_a_search_that_is_interrupted_gives_the_best_so_far(short):
    photos = np.stack([ks.read(BLURRY).pixels[:64, :64]] * 2)
    seen = []

    def stop(glimpse):
        seen.append(glimpse.done)
        raise KeyboardInterrupt

    found = ks.deblur(photos, "pixel-kernel", kernel_size=7, watch=stop)
    assert len(seen) == 1
    assert found.image.shape == photos.shape
    np.testing.assert_allclose(found.kernel.sum((1, 2)), 1, atol=1e-5)
    assert np.isfinite(found.loss[:, : seen[0] + 1]).all()
    assert np.isnan(found.loss[:, seen[0] + 1 :]).all()
