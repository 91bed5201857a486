"""Dead leaves: an endless source of sharp pictures that no data set has to hold.

Shapes whose radii have density r^-exponent fall over each other until nothing else is
seen; what stays in sight has the edges and the spectrum of natural images (Lee,
Mumford and Huang, "Occlusion Models for Natural Images", 2001). Textures, shading,
and colours spread as those of photos come on top.

Everything is dense. A layer is a grid, thrown down at random, with one leaf within
each cell, so that a pixel looks at one leaf a layer. First the layers are asked which
leaf is in front at each pixel and which is next behind its edge, and only then are
the colours of these two worked out.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kernel_space_jax.synthesis.shapes import DRAWS, ROWS, coverage, shapes

PALETTE = 10
# Textures: two clouds, two brushed ones, and grain.
FIELDS = 5
# Numbers from U(0, 1) that a leaf is made of, beside its shape.
LOOKS = 16 + FIELDS
EACH_BEHIND = ((0, 0), (0, 0), (1, 0))


def dead_leaves(
    key: Array,
    size: tuple[int, int],
    *,
    smallest: float = 2.0,
    largest: float | None = None,
    exponent: float = 2.5,
    layers: int = 5,
    texture: float = 0.08,
    colour: float = 1.0,
) -> Array:
    """A photo of leaves that have fallen over each other: (H, W, 3) in [0, 1].

    Radii go from `smallest` to about `largest` pixels (half the shorter side), with
    density r^-exponent; every octave of them has so many `layers`. `texture` is the
    mean contrast within a leaf, `colour` the saturation, 0 for grey.
    """
    grids = _Grids(size, smallest, largest or min(size) / 2, layers)
    draw, shift, crowd, palette, weave = jax.random.bits(key, (5, 2))
    cells = np.tile(grids.cells, layers)
    shifts = jnp.floor(cells[:, None] * _uniform(shift, (len(cells), 2)))
    # Some pictures are full of small things, and others of large.
    share = (grids.cells / grids.cells.max()) ** (3 - exponent)
    crowded = 0.2 + 0.8 * _uniform(crowd, share.shape)
    share = jnp.tile(share * crowded, layers)
    draws = _uniform(draw, (DRAWS + LOOKS, grids.leaves + 1))
    shape_draws, own = draws[:DRAWS], draws[DRAWS:]
    (y, x), radius = grids.places(own, share, exponent)
    shape = shapes(shape_draws, (y, x), radius)
    front, behind, edge = _in_sight(size, grids, shape, shifts.astype(jnp.int32))
    corners = jnp.pad(grids.each(shifts), ((0, 1), (0, 0)))
    centre = jnp.stack([y - corners[:, 0], x - corners[:, 1]])
    tint = _tints(palette, own[4:8], colour)
    relief = _reliefs(own[8:], centre, radius, texture)
    fields = _fields(weave, size)
    leaves = jnp.stack([front, behind])
    # One after the other, so that XLA keeps the result: it would else work it out
    # again for each of the three colours.
    shade = lax.map(lambda leaf: _shade([row[leaf] for row in relief], fields), leaves)
    near, far = jnp.moveaxis(tint[:, leaves] * shade, 0, 1)
    return jnp.clip(jnp.moveaxis(far + edge * (near - far), 0, -1), 0, 1)


def random_masks(key: Array, size: tuple[int, int], objects: int) -> Array:
    """Objects before a background: (H, W, 1 + objects), summing to 1.

    The first mask is the background's; each object lies in front of those after it.
    """
    draws = jax.random.uniform(key, (DRAWS + 3, objects))
    height, width = size
    radius = min(size) * (0.15 + 0.4 * draws[-3])
    shape = shapes(draws[:DRAWS], (height * draws[-2], width * draws[-1]), radius)
    y, x = jnp.mgrid[:height, :width].astype(jnp.float32)[..., None]
    alpha = coverage(shape[:, None, None], y, x)
    # What is left of a pixel behind none, one, two ... of the objects.
    through = jnp.cumprod(jnp.pad(1 - alpha, EACH_BEHIND, constant_values=1), -1)
    # Each takes what is less behind it, so that the sum is 1 however alpha is rounded.
    return jnp.concatenate([through[..., -1:], -jnp.diff(through)], -1)


class _Grids:
    """The layers from front to back: `rounds` times a grid of each octave's cells."""

    def __init__(
        self, size: tuple[int, int], smallest: float, largest: float, rounds: int
    ):
        octaves = max(1, round(math.log2(largest / smallest)))
        # A leaf is at most as wide as its cell, and at least half as wide.
        cells = [math.ceil(4 * smallest * 2**octave) for octave in range(octaves)]
        # Neither the small nor the large ones first.
        self.cells = np.random.default_rng(0).permutation(cells)
        self.rounds = rounds
        self.widest = max(size)
        # One cell more than fits, for a grid does not begin at the picture's corner.
        self.shapes = [tuple(-(-side // c) + 1 for side in size) for c in self.cells]
        self.counts = [rows * columns for rows, columns in self.shapes]
        self.leaves = rounds * sum(self.counts)

    def each(self, values: Array) -> Array:
        """What is a layer's, for each of its leaves: (layers, ...) -> (leaves, ...)."""
        counts = np.tile(self.counts, self.rounds)
        return values[np.repeat(np.arange(len(counts)), counts)]

    def places(
        self, own: Array, share: Array, exponent: float
    ) -> tuple[tuple[Array, Array], Array]:
        """Centres (row, column), from the grid's corner, and radii of all leaves.

        The background is one more leaf, the last.
        """
        corners = [
            np.mgrid[:rows, :columns].reshape(2, -1) * cell
            for (rows, columns), cell in zip(self.shapes, self.cells, strict=True)
        ]
        corners = np.tile(np.concatenate(corners, 1), self.rounds)
        cell = np.tile(np.repeat(self.cells, self.counts), self.rounds)
        # The background lies about the middle, and is wider than the picture.
        cell = np.append(cell, 4 * self.widest).astype(np.float32)
        corners = np.pad(corners, ((0, 0), (0, 1)), constant_values=-1.5 * self.widest)
        corners = corners.astype(np.float32)
        power = 1 - exponent
        low, high = (cell / 4) ** power, (cell / 2) ** power
        radius = (low + own[0] * (high - low)) ** (1 / power)
        y, x = corners + cell / 2 + (2 * own[1:3] - 1) * (cell / 2 - radius)
        # A leaf that is not there is where the pixels of its cell never are.
        there = own[3] < jnp.append(self.each(share), 1)
        return (jnp.where(there, y, -1e5), x), jnp.asarray(radius)


def _in_sight(
    size: tuple[int, int], grids: _Grids, shape: Array, shifts: Array
) -> tuple[Array, Array, Array]:
    """The leaf in front, the next behind it, and how much of the pixel is the first's.

    Three (H, W).
    """
    count = sum(grids.counts)
    background = grids.leaves
    rounds = shape[:, :background].reshape(ROWS, grids.rounds, count)

    def look(state: tuple[Array, ...], round_: tuple[Array, ...]):
        front, behind, edge = state
        shape, shifts, first = round_
        parts = jnp.split(shape, np.cumsum(grids.counts)[:-1], axis=1)
        for cell, (rows, columns), part, (down, right) in zip(
            grids.cells, grids.shapes, parts, shifts, strict=True
        ):
            pixels = np.arange(cell, dtype=np.float32)
            y = (pixels + cell * np.arange(rows)[:, None]).astype(np.float32)
            x = (pixels + cell * np.arange(columns)[:, None]).astype(np.float32)
            part = part.reshape(ROWS, rows, 1, columns, 1)
            alpha = coverage(part, y[:, :, None, None], x)
            alpha = alpha.reshape(rows * cell, columns * cell)
            alpha = lax.dynamic_slice(alpha, (down, right), size)
            row = (jnp.arange(size[0]) + down) // cell
            leaf = (
                first + columns * row[:, None] + (jnp.arange(size[1]) + right) // cell
            )
            first = first + rows * columns
            seen = front < background
            behind = jnp.where(
                seen & (behind == background) & (alpha >= 0.5), leaf, behind
            )
            front, edge = (
                jnp.where(~seen & (alpha > 0), new, old)
                for new, old in ((leaf, front), (alpha, edge))
            )
        return (front, behind, edge), None

    nothing = jnp.full(size, background)
    state, _ = lax.scan(
        look,
        (nothing, nothing, jnp.zeros(size)),
        (
            jnp.moveaxis(rounds, 1, 0),
            shifts.reshape(grids.rounds, -1, 2),
            count * jnp.arange(grids.rounds),
        ),
    )
    return state


def _tints(seed: Array, own: Array, colour: float) -> Array:
    """The colours of all leaves, close to ten that the picture has: (3, leaves)."""
    normal = math.sqrt(2) * lax.erf_inv(2 * _uniform(seed, (3, PALETTE + 1)) - 1)
    spread = jnp.array([[0.8], [1.0], [1.0]]) * normal[:, 1:]
    lightness, *hues = jnp.array([[0.4], [0.7], [0.4]]) * normal[:, :1] + spread
    pick = (own[0] * PALETTE).astype(jnp.int32)
    lightness = jax.nn.sigmoid(lightness[pick] - 0.2 + 1.2 * (own[1] - 0.5))
    # Photos differ far more from blue to yellow than from green to red.
    yellow, red = (
        hue[pick] + shift - 0.5 for hue, shift in zip(hues, own[2:4], strict=True)
    )
    yellow, red = colour * (0.12 * yellow + 0.1), colour * 0.06 * red
    return lightness * jnp.exp(jnp.stack([yellow / 2 + red, yellow / 2 - red, -yellow]))


def _reliefs(own: Array, centre: Array, radius: Array, texture: float) -> Array:
    """How light falls on all leaves: (9 + FIELDS, leaves)."""
    lean = (own[:2] - 0.5) / radius
    bulge = 0.5 * jnp.square(own[2]) / radius**2
    # Few are rough, most nearly smooth.
    rough = texture * jnp.minimum(-jnp.log(own[3]), 3)
    mix = own[4 : 4 + FIELDS] - 0.5
    mix = rough * mix / jnp.sqrt(jnp.sum(mix**2, 0) + 1e-3)
    turn, pitch, phase, striped = own[4 + FIELDS : 8 + FIELDS]
    # Stripes 3 to 24 pixels apart.
    wave = 2 * jnp.pi / (3 * 8**pitch)
    turn = 2 * jnp.pi * turn
    stripes = jnp.where(striped < 0.2, 1.5 * rough, 0)
    rows = [*centre, *lean, bulge, *mix, wave * jnp.sin(turn), wave * jnp.cos(turn)]
    return jnp.stack([*rows, 2 * jnp.pi * phase, stripes])


def _shade(relief: Sequence[Array], fields: Array) -> Array:
    """The brightness of each pixel in its leaf: 9 + FIELDS of (H, W) -> (H, W)."""
    down, right, lean_y, lean_x, bulge = relief[:5]
    wave_y, wave_x, phase, stripes = relief[-4:]
    height, width = fields.shape[1:]
    y = jnp.arange(height, dtype=jnp.float32)[:, None]
    x = jnp.arange(width, dtype=jnp.float32)
    dy, dx = y - down, x - right
    shade = 1 + lean_y * dy + lean_x * dx - bulge * (dy * dy + dx * dx)
    shade += stripes * jnp.sin(wave_y * y + wave_x * x + phase)
    # A sum in Python, for XLA does not fuse a reduction with what it reads.
    weave = sum(
        share * field for share, field in zip(relief[5:-4], fields, strict=True)
    )
    return jnp.maximum(shade + weave, 0)


def _fields(seed: Array, size: tuple[int, int]) -> Array:
    """Textures of unit variance: (FIELDS, H, W)."""
    noise = _uniform(seed, (FIELDS, *size)) - 0.5
    angle = jnp.pi * _uniform(seed[::-1], ())
    v = np.fft.fftfreq(size[0])[:, None].astype(np.float32)
    u = np.fft.fftfreq(size[1]).astype(np.float32)
    along = jnp.cos(angle) * u + jnp.sin(angle) * v
    across = jnp.cos(angle) * v - jnp.sin(angle) * u
    # 1/f in amplitude, the same in all directions, and along one.
    fields = []
    for i, square in (0, jnp.asarray(v * v + u * u)), (2, 20 * along**2 + across**2):
        spectrum = lax.rsqrt(square + 1 / max(size) ** 2)
        spectrum *= lax.rsqrt(jnp.mean(spectrum**2) / (12 * math.prod(size)))
        # A complex noise without symmetry is two real ones.
        field = jnp.fft.ifft2(spectrum * lax.complex(noise[i], noise[i + 1]))
        fields += [field.real, field.imag]
    return jnp.stack([*fields, math.sqrt(12) * noise[4]])


def _uniform(seed: Array, shape: tuple[int, ...]) -> Array:
    """U(0, 1) by hashing a counter with a seed of two words.

    `jax.random` would take as long as all the rest, to compile and to run. This is
    the "lowbias32" of Wellons, ample for a picture.
    """
    x = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    x = x * np.uint32(0x9E3779B9) + seed[0]
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> 15) ^ seed[1]) * np.uint32(0x846CA68B)
    x = x ^ (x >> 16)
    return ((x >> 8).astype(jnp.float32) + 0.5) * np.float32(2**-24)
