"""Pages of pictures with captions, readable on a screen without zooming."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kernel_space_jax.images import match_channels

# Pixels: of a page, of the tallest picture on it, between pictures, of a caption.
PAGE_WIDTH, MOST_HEIGHT = 1600, 900
GAP = 12
CAPTION_HEIGHT, FONT_SIZE = 34, 22
FONT = ImageFont.load_default(FONT_SIZE)
# Wide pictures want large columns.
MOST_COLUMNS, COLUMNS_OF_WIDE, WIDE = 4, 2, 640


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    *,
    columns: int | None = None,
    width: int = PAGE_WIDTH,
) -> np.ndarray:
    """(H, W, 1 or 3) images in rows, each over its caption: (H, W, 3) in [0, 1].

    Each fits a column of a page of that `width`: small ones are enlarged by a whole
    factor, so that their pixels look like what they are, and large ones reduced.
    """
    widest = max(image.shape[1] for image in images)
    most_columns = COLUMNS_OF_WIDE if widest > WIDE else MOST_COLUMNS
    columns = columns or min(len(images), most_columns)
    side = (width + GAP) // columns - GAP
    starts = range(0, len(images), columns)
    shown = [
        picture for start in starts for picture in _row(images[start:][:columns], side)
    ]
    # As wide as its pictures and captions need, for a screen has no room to spare.
    most = max(picture.shape[1] for picture in shown)
    longest = max(int(FONT.getlength(caption)) + 1 for caption in captions)
    wide = max(most, min(side, longest))
    cells = [
        _cell(image, caption, wide)
        for image, caption in zip(shown, captions, strict=True)
    ]
    return stack([_beside(cells[start : start + columns]) for start in starts])


def stack(pages: Sequence[np.ndarray]) -> np.ndarray:
    """Set (H, W, 3) pages above one another, white beside the narrower ones."""
    width = max(page.shape[1] for page in pages)
    parts = []
    for page in pages:
        left = (width - page.shape[1]) // 2
        sides = (0, GAP), (left, width - page.shape[1] - left), (0, 0)
        parts.append(np.pad(page, sides, constant_values=1.0))
    return np.concatenate(parts)[:-GAP]


def fitted(image: np.ndarray, width: int, height: int = MOST_HEIGHT) -> np.ndarray:
    """An image (H, W, 1 or 3) as large as fits these: (H, W, 3) in [0, 1]."""
    rgb = np.clip(match_channels(np.asarray(image, np.float32), 3), 0, 1)
    factor = min(width // rgb.shape[1], height // rgb.shape[0])
    if factor >= 1:
        return rgb.repeat(factor, 0).repeat(factor, 1)
    scale = min(width / rgb.shape[1], height / rgb.shape[0])
    size = [max(1, round(scale * n)) for n in (rgb.shape[1], rgb.shape[0])]
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _row(images: Sequence[np.ndarray], side: int) -> list[np.ndarray]:
    """Images fitted to columns of that side, no kernel higher than the photo beside."""
    largest = max(images, key=lambda image: image.shape[0] * image.shape[1])
    height = fitted(largest, side).shape[0]
    return [fitted(image, side, height) for image in images]


def _beside(cells: Sequence[np.ndarray]) -> np.ndarray:
    """Cells (H, W, 3) of one width in a row, white above the lower ones."""
    height = max(cell.shape[0] for cell in cells)
    parts = [
        np.pad(
            cell, ((height - cell.shape[0], 0), (0, GAP), (0, 0)), constant_values=1.0
        )
        for cell in cells
    ]
    return np.concatenate(parts, axis=1)[:, :-GAP]


def _cell(image: np.ndarray, caption: str, width: int) -> np.ndarray:
    """An image (H, W, 3) in the middle of a column, over its caption."""
    height = image.shape[0]
    cell = np.ones((height + CAPTION_HEIGHT, width, 3), np.float32)
    left = (width - image.shape[1]) // 2
    cell[:height, left : left + image.shape[1]] = image
    strip = Image.new("L", (width, CAPTION_HEIGHT), 255)
    middle = (width // 2, CAPTION_HEIGHT // 2)
    text = _shortened(caption, width)
    ImageDraw.Draw(strip).text(middle, text, fill=0, font=FONT, anchor="mm")
    cell[height:] = np.asarray(strip, np.float32)[..., None] / 255
    return cell


def _shortened(text: str, width: int) -> str:
    """The text, with dots for its middle where it is wider than that."""
    shown, kept = text, len(text)
    while kept > 2 and FONT.getlength(shown) > width:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
    return shown
