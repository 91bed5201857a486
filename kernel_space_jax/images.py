"""Image files in and out, and channel matching."""

import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from kernel_space_jax.errors import UserError
from kernel_space_jax.files import write_whole

SMALLEST_SIDE = 16
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
KNOWN = "PNG, JPEG, TIFF, WebP or BMP"
ORIENTATION_TAG = 274

# A damaged file is reported once, by UserError, not by the codecs as well.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")


class Photo(NamedTuple):
    """Float32 pixels (H, W, 1 or 3) in [0, 1], alpha (H, W) or None, bits 8 or 16."""

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    bits: int = 8


class _Format(NamedTuple):
    most_bits: int
    has_alpha: bool
    parameters: list[int]


_PNG = _Format(16, True, [])
_TIFF = _Format(16, True, [])
_BMP = _Format(8, True, [])
_JPEG = _Format(8, False, [cv2.IMWRITE_JPEG_QUALITY, 95])
# OpenCV takes a WebP quality above 100 to mean lossless.
_WEBP = _Format(8, True, [cv2.IMWRITE_WEBP_QUALITY, 101])
FORMATS = {
    ".png": _PNG,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": _BMP,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _WEBP,
}


class _Header(NamedTuple):
    """What a file says of itself: format, grey, alpha, EXIF orientation."""

    format: str | None
    is_grey: bool
    has_alpha: bool
    orientation: int


def read(path: str | Path) -> Photo:
    """Read an image file, upright, as a Photo with pixels (H, W, 1) or (H, W, 3)."""
    stored = read_stored(Path(path))
    bits = 8 * stored.dtype.itemsize
    values = stored.astype(np.float32) / np.float32(2**bits - 1)
    if values.shape[-1] in (2, 4):
        return Photo(values[..., :-1], values[..., -1], bits)
    return Photo(values, None, bits)


def read_stored(path: Path) -> np.ndarray:
    """Read an image file, upright, in its own integers: (H, W, 1 to 4), alpha last."""
    data = _read_bytes(path)
    header = _read_header(path, data)
    decoded = _decode(path, data, header)
    # OpenCV and Pillow both turn a TIFF upright while decoding, and nothing else.
    if header is not None and header.format != "TIFF":
        decoded = _upright(decoded, header.orientation)
    height, width = decoded.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(
            f"{path} is {width} x {height} pixels; give an image of at least "
            f"{SMALLEST_SIDE} pixels on each side."
        )
    return decoded


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the path of one image file.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({_reason(error)}); check the path and permissions."
        ) from None
    if not data:
        raise UserError(f"{path} is empty (0 bytes); copy or download it again.")
    return data


def _read_header(path: Path, data: bytes) -> _Header | None:
    try:
        with Image.open(BytesIO(data)) as image:
            orientation = 1
            # A PNG's EXIF may follow the pixels, and Pillow decodes them to get there.
            if image.format != "PNG" or _png_may_turn(data):
                orientation = image.getexif().get(ORIENTATION_TAG, 1)
            # Pillow calls 16-bit grey with alpha "RGBA": ask the PNG's colour type.
            grey_alpha_png = image.format == "PNG" and data[25] == 4
            is_grey = image.mode in ("1", "L", "LA", "I;16") or grey_alpha_png
            has_alpha = image.has_transparency_data
            return _Header(image.format, is_grey, has_alpha, orientation)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError:
        raise UserError(
            f"{path} has too many pixels to open safely; crop or shrink it first."
        ) from None
    except (OSError, SyntaxError, ValueError):
        raise _damaged(path) from None


def count_pages(path: str | Path) -> int:
    """How many images a file holds, of which `read` takes the first."""
    try:
        with Image.open(path) as image:
            return getattr(image, "n_frames", 1)
    # `read` says what is wrong with a file.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 1


def _png_may_turn(data: bytes) -> bool:
    """Whether a PNG holds metadata; a `SyntaxError` if a chunk of it is damaged.

    OpenCV fills up what a damaged PNG does not hold, so somebody has to look.
    """
    metadata, at, kind = False, 8, b""
    while kind != b"IEND":
        length = int.from_bytes(data[at : at + 4])
        kind, end = data[at + 4 : at + 8], at + 8 + length
        checksum = int.from_bytes(data[end : end + 4])
        if end + 4 > len(data) or zlib.crc32(data[at + 4 : end]) != checksum:
            raise SyntaxError("damaged chunk")
        metadata |= kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
        at = end + 4
    return metadata


def _decode(path: Path, data: bytes, header: _Header | None) -> np.ndarray:
    """Decode to uint8 or uint16 (H, W, C), RGB order, alpha last: C is 1 to 4."""
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        decoded = None
    if decoded is None:
        if header is None:
            raise UserError(
                f"{path} is not an image, or is damaged; give a whole {KNOWN} file."
            )
        raise _damaged(path)
    if decoded.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"{path} holds {decoded.dtype} pixels; save it with 8 or 16 bits a channel."
        )
    if decoded.ndim == 2:
        decoded = decoded[..., None]
    elif decoded.shape[-1] == 3:
        decoded = decoded[..., ::-1]
    else:
        decoded = decoded[..., [2, 1, 0, 3]]
    return decoded if header is None else _with_true_channels(decoded, data, header)


def _with_true_channels(
    decoded: np.ndarray, data: bytes, header: _Header
) -> np.ndarray:
    """Undo what OpenCV does to channels: (H, W, C) with grey and alpha as stored."""
    if not header.has_alpha:
        # OpenCV gives a CMYK TIFF an alpha channel that the file does not have.
        return decoded[..., :3]
    # OpenCV multiplies 8-bit TIFF colour by alpha, and drops alpha beside grey.
    loses_alpha = decoded.shape[-1] < 4 or header.format == "TIFF"
    if loses_alpha and decoded.dtype == np.uint8:
        with Image.open(BytesIO(data)) as image:
            return np.asarray(image.convert("LA" if header.is_grey else "RGBA"))
    if header.is_grey and decoded.shape[-1] == 4:
        return decoded[..., [0, 3]]
    return decoded


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (H, W, C) as its EXIF orientation, 1 to 8, asks."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _damaged(path: Path) -> UserError:
    return UserError(
        f"{path} is truncated or damaged; copy, download or export it again."
    )


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def write(path: str | Path, photo: Photo) -> None:
    """Write a Photo in the format of the suffix, whole or not at all.

    Grey with alpha is stored as RGB with alpha. JPEG, WebP and BMP hold 8 bits, and
    JPEG no alpha; WebP drops the colour of pixels that are wholly transparent.
    """
    path = Path(path)
    check_suffix(path)
    kind = FORMATS[path.suffix.lower()]
    encoded = _encode(path.suffix, _stored(photo, kind), kind.parameters)
    if encoded is None:
        height, width = photo.pixels.shape[:2]
        raise UserError(
            f"{path} cannot hold an image of {width} x {height} pixels; "
            "choose another format such as .png."
        )
    write_whole(path, encoded)


def check_suffix(path: Path) -> None:
    """A `UserError` unless `write` knows the format that the path asks for."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(
            f"{path} has an unknown image suffix; end it in {', '.join(FORMATS)}."
        )


def _encode(suffix: str, stored: np.ndarray, parameters: list[int]) -> bytes | None:
    """The file's bytes, or None: OpenCV refuses in two ways, both for the size."""
    try:
        done, encoded = cv2.imencode(suffix, stored, parameters)
    except cv2.error:
        return None
    return encoded.tobytes() if done else None


def _stored(photo: Photo, kind: _Format) -> np.ndarray:
    """Integers as OpenCV encodes them: (H, W), (H, W, 3) BGR or (H, W, 4) BGRA."""
    bits = min(photo.bits, kind.most_bits)
    values = np.asarray(photo.pixels)
    if photo.alpha is not None and kind.has_alpha:
        alpha = np.asarray(photo.alpha)[..., None]
        values = np.concatenate([match_channels(values, 3)[..., ::-1], alpha], axis=-1)
    else:
        values = values[..., ::-1]
    whole = np.rint(np.clip(values, 0, 1) * np.float32(2**bits - 1))
    return np.ascontiguousarray(whole.astype(np.uint8 if bits == 8 else np.uint16))


def match_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Turn (..., 1) or (..., 3) into (..., channels): grey repeated, or RGB's luma."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 1:
        return (pixels * LUMA).sum(axis=-1, keepdims=True)
    return pixels.repeat(channels, axis=-1)


def resized(pixels: np.ndarray, size: tuple[int, int] | int) -> np.ndarray:
    """Pixels with the shorter side `size`, or of exactly (width, height)."""
    height, width = pixels.shape[:2]
    if isinstance(size, int):
        scale = size / min(height, width)
        size = (round(width * scale), round(height * scale))
    # "area" averages what a smaller picture cannot hold; bicubic enlarges.
    shrinks = size[0] <= width and size[1] <= height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized = cv2.resize(pixels, size, interpolation=how)
    return np.clip(resized, 0, 1).reshape(size[1], size[0], -1)
