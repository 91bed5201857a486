"""Tiles: all pixels, one shape, no seam."""

import numpy as np
import pytest

from kernel_space_jax.solvers.tiles import blend, tiles


@pytest.mark.parametrize("size", [(50, 40), (64, 64), (65, 200), (333, 127)])
def test_tiles_cover_a_photo_and_overlap(size):
    seen = np.zeros(size, int)
    shapes = set()
    for tile in tiles(size, 64, 16):
        part = seen[tile.rows, tile.columns]
        part += 1
        shapes.add(part.shape)
    assert seen.min() == 1
    assert shapes == {tuple(min(n, 64) for n in size)}
    for axis in (0, 1):
        spans = {(t[axis].start, t[axis].stop) for t in tiles(size, 64, 16)}
        for (_, stop), (start, _) in zip(
            sorted(spans), sorted(spans)[1:], strict=False
        ):
            assert stop - start >= 16


def test_blending_what_is_linear_changes_nothing():
    photo = np.random.default_rng(0).random((150, 97, 3), np.float32)
    heard = []
    found = blend(
        lambda part: 2 * part,
        photo,
        side=64,
        overlap=16,
        tell=lambda done, total: heard.append((done, total)),
    )
    np.testing.assert_allclose(found, 2 * photo, rtol=1e-6)
    assert heard == [(i + 1, len(heard)) for i in range(len(heard))]


def test_tiles_that_disagree_meet_without_a_seam():
    level = iter(range(100))
    found = blend(
        lambda part: np.full_like(part, next(level)),
        np.zeros((64, 300, 1), np.float32),
        side=64,
        overlap=32,
    )
    assert np.abs(np.diff(found[..., 0], axis=1)).max() < 0.07
