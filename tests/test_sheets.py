"""Sheets fit a screen: what is small is enlarged, what is large reduced."""

import numpy as np
import pytest

from kernel_space_jax.drawing import grid_picture
from kernel_space_jax.sheets import (
    CAPTION_HEIGHT,
    GAP,
    MOST_HEIGHT,
    PAGE_WIDTH,
    contact_sheet,
    fitted,
)

CAPTIONS = ["photo", "kernel", "a caption that is much wider than its picture is"]


def test_small_pictures_are_enlarged_by_whole_factors():
    dots = np.random.default_rng(0).random((64, 48, 3)).astype(np.float32)
    parts = [dots, np.full((21, 21, 1), 0.5), np.ones((64, 90, 3))]
    sheet = contact_sheet(parts, CAPTIONS)
    assert sheet.dtype == np.float32 and sheet.shape[2] == 3
    assert sheet.min() >= 0 and sheet.max() <= 1
    height = sheet.shape[0] - CAPTION_HEIGHT
    factor = height // 64
    assert height == factor * 64 and factor >= 5
    large = fitted(dots, PAGE_WIDTH // 3, height)
    np.testing.assert_array_equal(large[::factor, ::factor], dots)
    column = (sheet.shape[1] + GAP) // 3 - GAP
    left = (column - large.shape[1]) // 2
    np.testing.assert_array_equal(sheet[:height, left : left + large.shape[1]], large)
    # Letters as high as those of this page: the darkest rows of a caption.
    rows = (sheet[height:].min((1, 2)) < 0.5).sum()
    assert rows >= 14
    with pytest.raises(ValueError):
        contact_sheet(parts, ["only one"])


@pytest.mark.parametrize("size", [(1500, 2000), (3000, 500), (16, 16), (720, 1280)])
def test_a_page_fits_a_screen(size):
    page = contact_sheet([np.zeros((*size, 3), np.float32)] * 3, CAPTIONS)
    assert page.shape[1] <= PAGE_WIDTH
    assert page.shape[0] <= 2 * (MOST_HEIGHT + CAPTION_HEIGHT) + 20


@pytest.mark.parametrize("rows_columns", [(1, 1), (2, 7), (5, 9)])
def test_kernels_over_a_large_photo_are_drawn_larger(rows_columns):
    """As many fewer as they are larger, whatever the grid."""
    rows, columns = rows_columns
    point = np.zeros((rows, columns, 9, 9), np.float32)
    point[..., 4, 4] = 1
    photo = np.zeros((rows * 9 + 3, columns * 9 + 5, 1), np.float32)
    step = min(3, rows, columns)
    drawn = grid_picture(point, photo, max(1, photo.shape[1] // 3))
    bright = (drawn[..., 0] > 0.9).sum()
    assert drawn.shape[:2] == photo.shape[:2]
    assert bright == (rows // step) * (columns // step) * step**2
