"""3x3 and 5x5 convolutions by fewer products, for wide layers on CPU.

Winograd's F(4x4, k x k) (Lavin and Gray 2016): a convolution is a product of
polynomials, and that is a product of their values at each of enough points. A tile of
4x4 outputs takes 36 of these instead of 144 where k is 3, and 64 instead of 400 at 5,

    y  = A^T [(G w G^T) . (B^T x B)] A           x is the tile and what it sees
    dw = G^T [(B^T x B) . (A dy A^T)] G          its adjoint in w, summed over tiles

and over channels and tiles each of these is one matrix product. The change of basis
costs a digit of single precision. `scripts/benchmark.py conv` measures the gain.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

TILE = 4
# By the side of the kernel; infinity is one more. Those of 3 lose half of what the
# usual 0, 1, -1, 2 and -2 lose.
POINTS = {
    3: (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2),
    5: (0, 1 / 2, -1 / 2, 1, -1, 2, -2),
}
# Tiles taken together, those of 512x512 outputs: the other basis takes three times the
# memory of an image, and many more are no faster.
TOGETHER = 16384
# Layers narrower than WIDE gain only while all of theirs stay in the cache, in 4096
# tiles; narrower than NARROW, or with so few tiles that changing the weights' basis
# is most of the work, none does.
NARROW, WIDE = 32, 64
FEWEST, CACHED = 32, 4096


class Basis(NamedTuple):
    """B^T (s, s), G (s, k) and A^T (4, s), s = k + 3 the pixels that a tile sees."""

    input: np.ndarray
    weights: np.ndarray
    output: np.ndarray


def _basis(points: tuple[float, ...]) -> Basis:
    """The values at these points; at infinity the highest power counts."""
    powers = lambda n: np.vstack(  # noqa: E731
        [np.vander(points, n, increasing=True), np.eye(n)[-1]]
    )
    others = [[q for q in points if q != p] for p in points]
    # The polynomials that are zero at all other points, from the lowest power on.
    seen = [[*np.poly(roots)[::-1], 0] for roots in others] + [np.poly(points)[::-1]]
    values = [np.prod(np.subtract(p, q)) for p, q in zip(points, others, strict=True)]
    weights = powers(len(points) + 2 - TILE) / np.array([*values, 1])[:, None]
    # Half of the entries are zero but for rounding.
    return Basis(np.round(seen, 12), weights, powers(TILE).T)


BASES = {side: _basis(points) for side, points in POINTS.items()}


def pays(
    x: Array, kernel: tuple[int, int], features: int, size: tuple[int, int]
) -> bool:
    """Whether it is faster than the sum written out, for outputs of that size.

    Measured on two cores. An exported program's batch, any number, is not known.
    """
    side = kernel[0]
    if kernel not in ((3, 3), (5, 5)) or x.dtype != jnp.float32:
        return False
    if not all(isinstance(n, int) for n in (x.shape[0], *size)):
        return False
    tiles = x.shape[0] * -(-size[0] // TILE) * -(-size[1] // TILE)
    narrower = min(x.shape[-1], features)
    cached = side == 3 and tiles <= CACHED
    return tiles >= FEWEST and narrower >= (NARROW if cached else WIDE)


def correlate(x: Array, w: Array, pads: tuple) -> Array:
    """w * x: (N, H, W, C) with (k, k, C, O) -> (N, H', W', O), `pads` zeros around."""
    k = w.shape[0]
    basis = BASES[k]
    (rows, columns), (down, across), strip = _plan(x, k, pads)
    x = _padded(x, k, pads, down, across)
    factors = jnp.tensordot(_both(basis.weights), w.reshape(k**2, -1), 1)
    factors = factors.reshape(*basis.input.shape, *w.shape[2:])

    def solve(seen: Array) -> Array:
        n, tiles = seen.shape[0], _tiles(seen, k)
        found = [
            lax.dot_general(v, u, (((2,), (1,)), ((0,), (0,))))
            for v, u in zip(_seen(seen, k), factors, strict=True)
        ]
        y = [
            [row.reshape(n, *tiles, -1) for row in _mix(basis.output, list(column))]
            for column in _mix(basis.output, found)
        ]
        y = jnp.stack([jnp.stack(row, 3) for row in zip(*y, strict=True)], 2)
        return y.reshape(n, tiles[0] * TILE, tiles[1] * TILE, -1)

    if strip == down:
        return solve(x)[:, :rows, :columns]
    # The barriers keep the strips from being cut out anew wherever they are read.
    y = lax.map(
        lambda first: lax.optimization_barrier(solve(_strip(x, first, strip, k - 1))),
        jnp.arange(0, down, strip),
    )
    y = jnp.moveaxis(y, 0, 1).reshape(x.shape[0], down * TILE, across * TILE, -1)
    return y[:, :rows, :columns]


def weight_gradient(x: Array, y: Array, k: int, pad: int) -> Array:
    """The gradient of <y, w * x> in w: (N, H, W, C), (N, H', W', O) -> (k, k, C, O)."""
    pads, basis = ((pad, pad), (pad, pad)), BASES[k]
    (rows, columns), (down, across), strip = _plan(x, k, pads)
    x = _padded(x, k, pads, down, across)
    spare = (down * TILE - rows, across * TILE - columns)
    y = jnp.pad(y, ((0, 0), (0, spare[0]), (0, spare[1]), (0, 0)))

    def products(seen: Array, out: Array) -> Array:
        """(s, s, C, O): columns of the basis, then rows."""
        n, tiles, features = out.shape[0], _tiles(seen, k), out.shape[-1]
        out = out.reshape(n, tiles[0], TILE, tiles[1] * TILE, features)
        shown = jnp.stack(_mix(basis.output.T, [out[:, :, a] for a in range(TILE)]))
        shown = shown.reshape(len(shown), -1, TILE, features)
        shown = _mix(basis.output.T, [shown[:, :, b] for b in range(TILE)])
        return jnp.stack(
            [
                lax.dot_general(v, d, (((1,), (1,)), ((0,), (0,))))
                for v, d in zip(_seen(seen, k), shown, strict=True)
            ]
        )

    if strip == down:
        total = products(x, y)
    else:
        shape = (*basis.input.shape, x.shape[-1], y.shape[-1])
        zero = jnp.zeros(shape, x.dtype)
        total, _ = lax.scan(
            lambda total, first: (
                total
                + products(_strip(x, first, strip, k - 1), _strip(y, first, strip)),
                None,
            ),
            zero,
            jnp.arange(0, down, strip),
        )
    both = _both(basis.weights).T
    w = jnp.tensordot(both, total.reshape(both.shape[1], -1), 1)
    return w.reshape(k, k, *total.shape[2:])


def _plan(x: Array, k: int, pads: tuple) -> tuple[tuple, tuple, int]:
    """The output's size, its tiles down and across, and the rows of these at a time."""
    rows, columns = (
        n + sum(sides) - k + 1 for n, sides in zip(x.shape[1:3], pads, strict=True)
    )
    down, across = -(-rows // TILE), -(-columns // TILE)
    strips = max(1, round(x.shape[0] * down * across / TOGETHER))
    strip = -(-down // strips)
    return (rows, columns), (-(-down // strip) * strip, across), strip


def _padded(x: Array, k: int, pads: tuple, down: int, across: int) -> Array:
    """x with zeros around it, as many as its tiles see."""
    ends = [
        (low, TILE * tiles + k - 1 - n - low, 0)
        for n, (low, _), tiles in zip(x.shape[1:3], pads, (down, across), strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *ends, (0, 0, 0)))


def _strip(x: Array, first: Array, tiles: int, more: int = 0) -> Array:
    """That many rows of tiles, and the rows that they see below."""
    rows = tiles * TILE + more
    return lax.optimization_barrier(
        lax.dynamic_slice_in_dim(x, first * TILE, rows, axis=1)
    )


def _tiles(x: Array, k: int) -> tuple[int, int]:
    """How many tiles see x: down and across."""
    return (x.shape[1] - k + 1) // TILE, (x.shape[2] - k + 1) // TILE


def _seen(x: Array, k: int) -> list[Array]:
    """B^T x B of all tiles, for each of its s columns the rows: s of (s, tiles, C)."""
    down, across = _tiles(x, k)
    matrix = BASES[k].input
    seen = range(len(matrix))
    last_row, last_column = TILE * (down - 1) + 1, TILE * (across - 1) + 1
    rows = jnp.stack(_mix(matrix, [x[:, a : a + last_row : TILE] for a in seen]))
    columns = [rows[..., b : b + last_column : TILE, :] for b in seen]
    return [v.reshape(len(matrix), -1, x.shape[-1]) for v in _mix(matrix, columns)]


def _both(matrix: np.ndarray) -> Array:
    """For all columns of the first basis its rows, of the second rows, then columns."""
    first, second = matrix.shape
    both = np.einsum("ia,jb->jiab", matrix, matrix)
    return jnp.asarray(both.reshape(first**2, second**2), jnp.float32)


def _mix(matrix: np.ndarray, parts: list[Array]) -> list[Array]:
    """The product of a small matrix with parts, written out: most of it is zero."""
    mixed = []
    for row in matrix:
        terms = [
            part if share == 1 else float(share) * part
            for share, part in zip(row, parts, strict=True)
            if share
        ]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        mixed.append(total)
    return mixed
