"""Convolutions with weights of their own for each example: which form is fastest.

Such are those of many blind searches at once. x is (N, H, W, C), w (N, 3, 3, C, O).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from benchmarks.timing import compiled, gigabytes
from device_check import sides
from device_check.record import Record, reason
from device_check.sides import precision
from jax import Array, lax

from kernel_space_jax.models.layers.convolution import convolve

# Side and width of the image network's second scale, its fourth, and of the code's
# last blocks, of 32 searches.
SHAPES = ((128, 128), (32, 128), (4, 512))
EXAMPLES = 32


def one(pair: tuple[Array, Array]) -> Array:
    x, w = pair
    return convolve(x[None], w, 1, 1)[0]


def grouped(x: Array, w: Array) -> Array:
    """What vmap makes of a convolution: one with a group for each example."""
    return jax.vmap(lambda x, w: one((x, w)))(x, w)


def mapped(x: Array, w: Array) -> Array:
    """One example after the other."""
    return lax.map(one, (x, w))


def shifted_sums(x: Array, w: Array) -> Array:
    """A matrix product for each tap."""
    products = (
        jnp.einsum("nhwc,nco->nhwo", shift, w[:, i // 3, i % 3])
        for i, shift in enumerate(_shifts(x))
    )
    total = next(products)
    for product in products:
        total = total + product
    return total


def im2col(x: Array, w: Array) -> Array:
    """One matrix product of all patches."""
    patches = jnp.concatenate(_shifts(x), -1)
    return jnp.einsum("nhwk,nko->nhwo", patches, w.reshape(len(w), -1, w.shape[-1]))


# The first is what the others are compared with.
FORMS: dict[str, Callable[[Array, Array], Array]] = {
    "lax.map": mapped,
    "grouped": grouped,
    "shifted sums": shifted_sums,
    "im2col": im2col,
}


def _shifts(x: Array) -> list[Array]:
    """What each tap of a 3x3 kernel meets, row by row."""
    rows, columns = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return [x[:, a : a + rows, b : b + columns] for a in range(3) for b in range(3)]


def convolutions(record: Record, quick: bool) -> None:
    examples, rounds = (2, 2) if quick else (EXAMPLES, 10)
    for side, width in ((16, 8), (4, 32)) if quick else SHAPES:
        _race(record, examples, side, width, rounds)


def _race(record: Record, examples: int, side: int, width: int, rounds: int) -> None:
    """Both rows of a shape: the forms forward, and with both gradients."""
    keys = jax.random.split(jax.random.key(0), 3)
    x, g = (jax.random.normal(k, (examples, side, side, width)) for k in keys[:2])
    w = jax.random.normal(keys[2], (examples, 3, 3, width, width)) / (3 * width**0.5)
    kinds = {
        "forward": lambda form: lambda x, w, g: (form(x, w),),
        "with gradients": lambda form: (
            lambda x, w, g: jax.grad(lambda *a: jnp.vdot(form(*a), g), (0, 1))(x, w)
        ),
    }
    for kind, function_of in kinds.items():
        programs, apart, notes, expected = {}, {}, [], None
        for name, form in FORMS.items():
            try:
                with precision("float32"):
                    run, _ = compiled(function_of(form), x, w, g)
                answer = jax.block_until_ready(run(x, w, g))
            except Exception as error:
                # One that does not compile or fit leaves the others.
                notes.append(f"{name} not measured: {reason(error)}")
                continue
            expected = expected or answer
            apart[name] = sides.relative(answer, expected)
            if sides.alike(apart[name]):
                programs[name] = run
            else:
                notes.append(f"{name} {sides.unequal(apart[name])}")
        calls = {name: sides.ready(run, x, w, g) for name, run in programs.items()}
        ms = sides.milliseconds(calls, rounds)
        found = [f"{name} {time:.3g} ms" for name, time in ms.items()]
        best = min(ms, key=ms.__getitem__)
        record.add(
            f"{examples} x {side}x{side} x {width}, {kind}",
            f"{best} is fastest: {', '.join([*found, *notes])}",
            ms=ms,
            fastest=best,
            difference=max(apart.values()),
            gigabytes=max(map(gigabytes, programs.values())),
        )
