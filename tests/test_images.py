"""Image files, padding and contact sheets."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageOps

from kernel_space_jax import images
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import Photo
from kernel_space_jax.models import layers

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)
# Fully transparent WebP pixels may lose their colour, so alpha starts at 1.
ALPHA = RNG.integers(1, 256, (20, 24), dtype=np.uint8)


def photo(channels: int, has_alpha: bool, bits: int) -> Photo:
    top = 2**bits - 1
    pixels = RNG.integers(0, top + 1, (20, 24, channels)) / top
    alpha = RNG.integers(top // 255, top + 1, (20, 24)) / top if has_alpha else None
    return Photo(
        pixels.astype(np.float32),
        None if alpha is None else alpha.astype(np.float32),
        bits,
    )


def smooth(channels: int, bits: int) -> Photo:
    y, x = np.mgrid[:32, :40].astype(np.float32)
    planes = [x / 39, y / 31, (x + y) / 70][:channels]
    return Photo(np.stack(planes, -1), np.ones((32, 40), np.float32), bits)


def assert_same(ours: Photo, theirs: Photo) -> None:
    assert ours.bits == theirs.bits
    assert ours.pixels.dtype == np.float32
    np.testing.assert_array_equal(ours.pixels, theirs.pixels)
    assert (ours.alpha is None) == (theirs.alpha is None)
    if ours.alpha is not None and theirs.alpha is not None:
        np.testing.assert_array_equal(ours.alpha, theirs.alpha)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("has_alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".webp", ".bmp", ".PNG"])
def test_lossless_round_trip(tmp_path, suffix, channels, has_alpha, bits):
    given = photo(channels, has_alpha, bits)
    images.write(tmp_path / f"new/folder/x{suffix}", given)
    back = images.read(tmp_path / f"new/folder/x{suffix}")
    if suffix in (".webp", ".bmp"):
        rounded = lambda x: np.rint(x * 255).astype(np.float32) / np.float32(255)
        alpha = None if given.alpha is None else rounded(given.alpha)
        given = Photo(rounded(given.pixels), alpha, 8)
    if has_alpha or suffix == ".webp":
        given = given._replace(pixels=images.match_channels(given.pixels, 3))
    assert_same(back, given)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_jpeg_round_trip(tmp_path, suffix, channels, bits):
    given = smooth(channels, bits)
    images.write(tmp_path / f"x{suffix}", given)
    back = images.read(tmp_path / f"x{suffix}")
    assert back.bits == 8 and back.alpha is None
    assert back.pixels.shape == given.pixels.shape
    assert np.abs(back.pixels - given.pixels).max() < 0.03


def test_write_clips_and_rounds(tmp_path):
    row = np.array([-1, 0, 0.6 / 255, 1.4 / 255, 1, 2], np.float32)
    pixels = np.tile(row, (16, 4))[..., None]
    images.write(tmp_path / "x.png", Photo(pixels))
    stored = np.asarray(Image.open(tmp_path / "x.png"))
    assert stored[0, :6].tolist() == [0, 0, 1, 1, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_exif_orientation(tmp_path, suffix, orientation, mode):
    if suffix == "jpg" and mode == "RGBA":
        pytest.skip("JPEG has no alpha")
    path = tmp_path / f"x.{suffix}"
    image = Image.fromarray(np.dstack([COLOUR, ALPHA])).convert(mode)
    exif = Image.Exif()
    exif[images.ORIENTATION_TAG] = orientation
    options: dict[str, Any] = {"lossless": True, "exact": True}
    image.save(path, exif=exif, **(options if suffix == "webp" else {}))
    # From memory: Pillow 13 opens some TIFF paths by mmap and leaves those unturned.
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(path.read_bytes())))
    assert upright.size == ((24, 20) if orientation < 5 else (20, 24))
    back = images.read(path)
    wanted = np.asarray(upright.convert(mode)).reshape(*upright.size[::-1], -1)
    colour = images.match_channels(wanted[..., :3] / np.float32(255), 3)
    ours = images.match_channels(back.pixels, 3)
    np.testing.assert_allclose(ours, colour, atol=1.5 / 255 if suffix == "jpg" else 0)
    if mode == "RGBA":
        assert back.alpha is not None
        np.testing.assert_array_equal(back.alpha, wanted[..., 3] / np.float32(255))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_16_bit_tiff(tmp_path, orientation):
    grey = COLOUR[..., 0].astype(np.uint16) * 257
    exif = Image.Exif()
    exif[images.ORIENTATION_TAG] = orientation
    Image.fromarray(grey).save(tmp_path / "x.tiff", exif=exif)
    Image.fromarray(COLOUR[..., 0]).save(tmp_path / "y.png", exif=exif)
    wide = images.read(tmp_path / "x.tiff")
    assert wide.bits == 16
    np.testing.assert_array_equal(wide.pixels, images.read(tmp_path / "y.png").pixels)


PALETTE = Image.fromarray(COLOUR).quantize(8)
GREY = Image.fromarray(COLOUR[..., 0])
ONE_BIT = Image.fromarray(COLOUR[..., 0] > 127)
CMYK = Image.fromarray(COLOUR).convert("CMYK")


@pytest.mark.parametrize(
    ("name", "image", "options", "mode"),
    [
        ("one-bit.png", ONE_BIT, {}, "L"),
        ("one-bit.tiff", ONE_BIT, {"compression": "group4"}, "L"),
        ("palette.png", PALETTE, {}, "RGB"),
        ("palette.bmp", PALETTE, {}, "RGB"),
        ("palette.tiff", PALETTE, {}, "RGB"),
        ("palette-key.png", PALETTE, {"transparency": 3}, "RGBA"),
        ("palette-table.png", PALETTE, {"transparency": bytes(range(8))}, "RGBA"),
        ("grey-key.png", GREY, {"transparency": int(COLOUR[0, 0, 0])}, "LA"),
        ("grey-alpha.png", Image.merge("LA", [GREY, GREY]), {}, "LA"),
        ("grey-alpha.tiff", Image.merge("LA", [GREY, GREY]), {}, "LA"),
        ("cmyk.tiff", CMYK, {}, "RGB"),
        ("cmyk.jpg", CMYK, {"quality": 95}, "RGB"),
        ("ycbcr.jpg", Image.fromarray(COLOUR), {"progressive": True}, "RGB"),
    ],
)
def test_unusual_modes_read_as_pillow_does(tmp_path, name, image, options, mode):
    path = tmp_path / name
    image.save(path, **options)
    wanted = np.asarray(Image.open(path).convert(mode)) / np.float32(255)
    wanted = wanted.reshape(20, 24, -1)
    back = images.read(path)
    tolerance = 2.5 / 255 if name.endswith("jpg") else 0
    count = 1 if mode in ("L", "LA") else 3
    np.testing.assert_allclose(back.pixels, wanted[..., :count], atol=tolerance)
    assert (back.alpha is not None) == mode.endswith("A")
    if back.alpha is not None:
        np.testing.assert_array_equal(back.alpha, wanted[..., -1])


def png_chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def test_grey_and_alpha_of_16_bits(tmp_path):
    # Written by hand: neither OpenCV nor Pillow writes this kind of PNG.
    stored = RNG.integers(0, 65536, (20, 24, 2)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in stored)
    header = struct.pack(">IIBBBBB", 24, 20, 16, 4, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)
    (tmp_path / "x.png").write_bytes(data)
    values = stored.astype(np.float32) / np.float32(65535)
    wanted = Photo(values[..., :1], values[..., 1], 16)
    assert_same(images.read(tmp_path / "x.png"), wanted)


def encoded(suffix: str, shape: tuple[int, ...] = (200, 200, 3)) -> bytes:
    noise = RNG.integers(0, 256, shape, dtype=np.uint8)
    return cv2.imencode(suffix, noise)[1].tobytes()


def float_tiff() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ones((20, 20), np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.png", b"", "empty"),
        ("text.png", b"hello, I am a text file\n" * 20, "not an image"),
        ("small.png", encoded(".png", (15, 40, 3)), "40 x 15 pixels"),
        ("float.tiff", float_tiff(), "float32"),
    ],
)
def test_bad_file(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    assert_error(tmp_path / name, says)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("kept", [0.1, 0.6, 0.98])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".webp", ".bmp"])
def test_truncated_file(tmp_path, capfd, suffix, kept):
    data = encoded(suffix)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(len(data) * kept)])
    assert_error(path, "damaged")
    assert capfd.readouterr().err == ""


def test_missing_file_and_folder(tmp_path):
    assert_error(tmp_path / "none.png", "does not exist")
    assert_error(tmp_path, "folder")


def assert_error(path: Path, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        images.read(path)
    message = str(caught.value)
    assert str(path) in message and message.endswith(".") and "\n" not in message


def test_write_refuses_an_unknown_suffix(tmp_path):
    with pytest.raises(UserError, match="suffix"):
        images.write(tmp_path / "x.xyz", photo(3, False, 8))
    assert not list(tmp_path.iterdir())


def test_write_where_it_cannot(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file/x.png", tmp_path / "folder.png"):
        with pytest.raises(UserError, match="cannot be written"):
            images.write(path, photo(3, False, 8))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]


def test_write_refuses_a_size_the_format_lacks(tmp_path):
    with pytest.raises(UserError, match="cannot hold"):
        images.write(tmp_path / "x.webp", Photo(np.zeros((16, 17000, 3), np.float32)))


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "x.png"
    old = photo(3, False, 8)
    images.write(path, old)

    def half(self, data):
        with open(self, "wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    def refuse(*_):
        raise OSError(13, "Permission denied")

    if step == "write_bytes":
        monkeypatch.setattr(Path, "write_bytes", half)
    else:
        monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(UserError, match="cannot be written"):
        images.write(path, photo(3, False, 8))
    assert_same(images.read(path), old)
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_match_channels():
    grey = RNG.random((4, 5, 1), np.float32)
    rgb = images.match_channels(grey, 3)
    assert rgb.shape == (4, 5, 3)
    np.testing.assert_allclose(images.match_channels(rgb, 1), grey, rtol=1e-6)
    green = images.match_channels(np.array([[[0, 1, 0]]], np.float32), 1)
    np.testing.assert_allclose(green, [[[0.587]]])
    assert images.match_channels(rgb, 3) is rgb


@pytest.mark.parametrize(
    ("size", "multiple", "minimum", "padded_size"),
    [
        ((16, 16), 16, 0, (16, 16)),
        ((17, 30), 16, 0, (32, 32)),
        ((16, 16), 16, 256, (256, 256)),
        ((16, 300), 16, 256, (256, 304)),
        ((20, 33), 32, 50, (64, 64)),
    ],
)
def test_padding_reflects_and_crops_back(size, multiple, minimum, padded_size):
    given = RNG.random((2, *size, 3), np.float32)
    padded, kept = layers.pad_to_multiple(given, multiple, minimum)
    assert kept == size and padded.shape == (2, *padded_size, 3)
    np.testing.assert_array_equal(layers.crop(padded, kept), given)
    rows, columns = (reflected(n, m) for n, m in zip(size, padded_size, strict=True))
    np.testing.assert_array_equal(padded, given[:, rows][:, :, columns])


def reflected(size: int, padded: int) -> np.ndarray:
    """Index of the source pixel of each padded one: 0 1 2 1 0 1 2 ... for size 3."""
    period = 2 * (size - 1)
    place = np.arange(padded) % period
    return np.minimum(place, period - place)


def test_padding_under_jit():
    given = jnp.asarray(RNG.random((1, 16, 20, 1), np.float32))

    @jax.jit
    def there_and_back(x):
        padded, size = layers.pad_to_multiple(x, 64, 256)
        return padded, layers.crop(padded, size)

    padded, back = there_and_back(given)
    assert padded.shape == (1, 256, 256, 1)
    np.testing.assert_array_equal(back, given)
