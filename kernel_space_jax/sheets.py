"""Pages of pictures with captions, readable on a screen without zooming."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kernel_space_jax.images import match_channels

# Pixels: of a page, of the tallest picture on it, between pictures, of a caption.
PAGE_WIDTH, MOST_HEIGHT = 1400, 900
GAP = 12
CAPTION_HEIGHT, FONT_SIZE = 30, 19
MOST_COLUMNS = 4


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
    columns = columns or min(len(images), MOST_COLUMNS)
    side = (width + GAP) // columns - GAP
    shown = [fitted(image, side) for image in images]
    cells = [
        _cell(image, caption, side)
        for image, caption in zip(shown, captions, strict=True)
    ]
    rows = [
        _beside(cells[start : start + columns])
        for start in range(0, len(cells), columns)
    ]
    return stack(rows)


def stack(pages: Sequence[np.ndarray]) -> np.ndarray:
    """Set (H, W, 3) pages above one another, white beside the narrower ones."""
    width = max(page.shape[1] for page in pages)
    parts = [
        np.pad(
            page, ((0, GAP), (0, width - page.shape[1]), (0, 0)), constant_values=1.0
        )
        for page in pages
    ]
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
    font = ImageFont.load_default(FONT_SIZE)
    middle = (width // 2, CAPTION_HEIGHT // 2)
    text = _shortened(caption, font, width)
    ImageDraw.Draw(strip).text(middle, text, fill=0, font=font, anchor="mm")
    cell[height:] = np.asarray(strip, np.float32)[..., None] / 255
    return cell


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, with dots for its middle where it is wider than that."""
    shown, kept = text, len(text)
    while kept > 2 and font.getlength(shown) > width:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}...{text[len(text) - kept // 2 :]}"
    return shown
