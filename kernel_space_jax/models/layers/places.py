"""Sets of places of an image that are mixed: near ones, and far ones (MAXIM).

    near    the t x t pixels of each block of the image
    far     the pixels at one and the same place of each of t x t equal parts

Both are arranged as (N, t^2, M, C): t^2 places in each of M sets. On CPU a function of
them runs over some rows of sets at a time, so that what it computes on its way stays
in the cache; elsewhere over all sets at once.
"""

from collections.abc import Callable

from jax import Array, lax

from kernel_space_jax.backend import platform

# Numbers of a strip of the image: four bytes each, and a function makes a few of them.
STRIP = 1 << 19

Function = Callable[[Array], Array]


def over_far(f: Function, x: Array, side: int) -> Array:
    """f of the far sets of x (N, H, W, C), each by itself, put back."""
    n, h, w, c = x.shape
    rows, columns = h // side, w // side

    def run(strip: Array) -> Array:
        """Of (N, side, some rows, W, C)."""
        shape = (n, side, strip.shape[2], side, columns)
        sets = strip.reshape(*shape, c).swapaxes(2, 3)
        y = f(sets.reshape(n, side**2, -1, c))
        y = y.reshape(n, side, side, -1, columns, c).swapaxes(2, 3)
        return y.reshape(strip.shape)

    return _in_strips(run, x.reshape(n, side, rows, w, c), 2).reshape(x.shape)


def over_near(f: Function, x: Array, side: int) -> Array:
    """f of the near sets of x (N, H, W, C), each by itself, put back."""
    n, h, w, c = x.shape
    rows, columns = h // side, w // side

    def run(strip: Array) -> Array:
        """Of (N, some rows, side, W, C)."""
        sets = strip.reshape(n, -1, side, columns, side, c).transpose(0, 2, 4, 1, 3, 5)
        y = f(sets.reshape(n, side**2, -1, c))
        y = y.reshape(n, side, side, -1, columns, c)
        return y.transpose(0, 3, 1, 4, 2, 5).reshape(strip.shape)

    return _in_strips(run, x.reshape(n, rows, side, w, c), 1).reshape(x.shape)


def _in_strips(run: Function, x: Array, axis: int) -> Array:
    """run(x), some rows of `axis` at a time on CPU."""
    rows = x.shape[axis]
    if platform() != "cpu" or not isinstance(x.size, int):
        return run(x)
    fit = max(1, STRIP * rows // x.size)
    strip = max(s for s in range(1, rows + 1) if rows % s == 0 and s <= fit)
    if strip == rows:
        return run(x)

    def step(i: Array, y: Array) -> Array:
        # The barrier keeps the strip from being cut out anew wherever it is read.
        part = lax.dynamic_slice_in_dim(x, i * strip, strip, axis)
        found = run(lax.optimization_barrier(part))
        return lax.dynamic_update_slice_in_dim(y, found, i * strip, axis)

    # What x holds is overwritten. An empty image would do, but XLA on CPU makes those
    # of all layers before the first layer runs.
    return lax.fori_loop(0, rows // strip, step, x)
