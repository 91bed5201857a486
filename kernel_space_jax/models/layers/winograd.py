"""3x3 convolutions by a quarter of the products, for wide layers on CPU.

Winograd's F(4x4, 3x3) (Lavin and Gray 2016): a convolution is a product of polynomials,
and that is a product of their values at each of enough points. A tile of 4x4 outputs
takes 36 of these instead of 144,

    y  = A^T [(G w G^T) . (B^T x B)] A           x of 6x6, the tile and what it sees
    dw = G^T [(B^T x B) . (A dy A^T)] G          its adjoint in w, summed over tiles

and over channels and tiles each of the 36 is one matrix product. The change of basis
costs a digit of single precision. `scripts/benchmark.py conv` measures the gain.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

TILE = 4
SEEN = TILE + 2
# Infinity is the sixth. They lose half of what the usual 0, 1, -1, 2 and -2 lose.
POINTS = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)
# Tiles taken together, those of 512x512 outputs: the other basis takes three times the
# memory of an image, and many more are no faster.
TOGETHER = 16384
# Layers narrower than WIDE gain only while all of theirs stay in the cache, in 4096
# tiles; narrower than NARROW, or with so few tiles that changing the weights' basis
# is most of the work, none does.
NARROW, WIDE = 32, 64
FEWEST, CACHED = 32, 4096


def _basis() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B^T (6, 6), G (6, 3) and A^T (4, 6); at infinity the highest power counts."""
    powers = lambda n: np.vstack(  # noqa: E731
        [np.vander(POINTS, n, increasing=True), np.eye(n)[-1]]
    )
    others = [[q for q in POINTS if q != p] for p in POINTS]
    # The polynomials that are zero at all other points, from the lowest power on.
    seen = [[*np.poly(roots)[::-1], 0] for roots in others] + [np.poly(POINTS)[::-1]]
    values = [np.prod(np.subtract(p, q)) for p, q in zip(POINTS, others, strict=True)]
    weights = powers(SEEN - TILE + 1) / np.array([*values, 1])[:, None]
    # Half of the entries are zero but for rounding.
    return np.round(seen, 12), weights, powers(TILE).T


INPUT, WEIGHTS, OUTPUT = _basis()


def pays(
    x: Array, kernel: tuple[int, int], features: int, size: tuple[int, int]
) -> bool:
    """Whether it is faster than the sum written out, for outputs of that size.

    Measured on two cores. An exported program's batch, any number, is not known.
    """
    if kernel != (3, 3) or x.dtype != jnp.float32:
        return False
    if not all(isinstance(n, int) for n in (x.shape[0], *size)):
        return False
    tiles = x.shape[0] * -(-size[0] // TILE) * -(-size[1] // TILE)
    narrower = min(x.shape[-1], features)
    return tiles >= FEWEST and narrower >= (NARROW if tiles <= CACHED else WIDE)


def correlate(x: Array, w: Array, pads: tuple) -> Array:
    """w * x: (N, H, W, C) with (3, 3, C, O) -> (N, H', W', O), `pads` zeros around."""
    (rows, columns), (down, across), strip = _plan(x, pads)
    x = _padded(x, pads, down, across)
    factors = jnp.tensordot(_both(WEIGHTS), w.reshape(9, -1), 1)
    factors = factors.reshape(SEEN, SEEN, *w.shape[2:])

    def solve(seen: Array) -> Array:
        n, tiles = seen.shape[0], _tiles(seen)
        found = [
            lax.dot_general(v, u, (((2,), (1,)), ((0,), (0,))))
            for v, u in zip(_seen(seen), factors, strict=True)
        ]
        y = [
            [row.reshape(n, *tiles, -1) for row in _mix(OUTPUT, list(column))]
            for column in _mix(OUTPUT, found)
        ]
        y = jnp.stack([jnp.stack(row, 3) for row in zip(*y, strict=True)], 2)
        return y.reshape(n, tiles[0] * TILE, tiles[1] * TILE, -1)

    if strip == down:
        return solve(x)[:, :rows, :columns]
    # The barriers keep the strips from being cut out anew wherever they are read.
    y = lax.map(
        lambda first: lax.optimization_barrier(solve(_strip(x, first, strip, 2))),
        jnp.arange(0, down, strip),
    )
    y = jnp.moveaxis(y, 0, 1).reshape(x.shape[0], down * TILE, across * TILE, -1)
    return y[:, :rows, :columns]


def weight_gradient(x: Array, y: Array, pad: int) -> Array:
    """The gradient of <y, w * x> in w: (N, H, W, C), (N, H', W', O) -> (3, 3, C, O)."""
    pads = ((pad, pad), (pad, pad))
    (rows, columns), (down, across), strip = _plan(x, pads)
    x = _padded(x, pads, down, across)
    spare = (down * TILE - rows, across * TILE - columns)
    y = jnp.pad(y, ((0, 0), (0, spare[0]), (0, spare[1]), (0, 0)))

    def products(seen: Array, out: Array) -> Array:
        """(6, 6, C, O): columns of the basis, then rows."""
        n, tiles, features = out.shape[0], _tiles(seen), out.shape[-1]
        out = out.reshape(n, tiles[0], TILE, tiles[1] * TILE, features)
        shown = jnp.stack(_mix(OUTPUT.T, [out[:, :, a] for a in range(TILE)]))
        shown = shown.reshape(SEEN, -1, TILE, features)
        shown = _mix(OUTPUT.T, [shown[:, :, b] for b in range(TILE)])
        return jnp.stack(
            [
                lax.dot_general(v, d, (((1,), (1,)), ((0,), (0,))))
                for v, d in zip(_seen(seen), shown, strict=True)
            ]
        )

    if strip == down:
        total = products(x, y)
    else:
        zero = jnp.zeros((SEEN, SEEN, x.shape[-1], y.shape[-1]), x.dtype)
        total, _ = lax.scan(
            lambda total, first: (
                total + products(_strip(x, first, strip, 2), _strip(y, first, strip)),
                None,
            ),
            zero,
            jnp.arange(0, down, strip),
        )
    w = jnp.tensordot(_both(WEIGHTS).T, total.reshape(SEEN**2, -1), 1)
    return w.reshape(3, 3, *total.shape[2:])


def _plan(x: Array, pads: tuple) -> tuple[tuple, tuple, int]:
    """The output's size, its tiles down and across, and the rows of these at a time."""
    rows, columns = (
        n + sum(sides) - 2 for n, sides in zip(x.shape[1:3], pads, strict=True)
    )
    down, across = -(-rows // TILE), -(-columns // TILE)
    strips = max(1, round(x.shape[0] * down * across / TOGETHER))
    strip = -(-down // strips)
    return (rows, columns), (-(-down // strip) * strip, across), strip


def _padded(x: Array, pads: tuple, down: int, across: int) -> Array:
    """x with zeros around it, as many as its tiles see."""
    ends = [
        (low, TILE * tiles + 2 - n - low, 0)
        for n, (low, _), tiles in zip(x.shape[1:3], pads, (down, across), strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *ends, (0, 0, 0)))


def _strip(x: Array, first: Array, tiles: int, more: int = 0) -> Array:
    """That many rows of tiles, and the rows that they see below."""
    rows = tiles * TILE + more
    return lax.optimization_barrier(
        lax.dynamic_slice_in_dim(x, first * TILE, rows, axis=1)
    )


def _tiles(x: Array) -> tuple[int, int]:
    """How many tiles see x: down and across."""
    return (x.shape[1] - 2) // TILE, (x.shape[2] - 2) // TILE


def _seen(x: Array) -> list[Array]:
    """B^T x B of all tiles, for each of its 6 columns the rows: 6 of (6, tiles, C)."""
    down, across = _tiles(x)
    last_row, last_column = TILE * (down - 1) + 1, TILE * (across - 1) + 1
    rows = jnp.stack(_mix(INPUT, [x[:, a : a + last_row : TILE] for a in range(SEEN)]))
    columns = [rows[..., b : b + last_column : TILE, :] for b in range(SEEN)]
    return [v.reshape(SEEN, -1, x.shape[-1]) for v in _mix(INPUT, columns)]


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
