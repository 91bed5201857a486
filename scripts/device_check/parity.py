"""F and G on this device against the numbers of the original program."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from device_check.record import Record
from device_check.sides import FULL, precision, relative
from golden import Golden
from jax import Array

from kernel_space_jax.weights import from_torch

F32 = 1e-4  # the largest difference of an output
# bfloat16 keeps 8 bits: eight roundings of the whole answer, of which F's is what it
# adds to x.
BF16 = 8 * 2**-8
NARROW = "kw_wovae_nf4"
# Of each file the image and the code that F is recorded for.
RECORDED = {
    NARROW: ("_256x256", "in/sharp_128x128", "in/kin_128x128", "out/adapt_128x128"),
    FULL: ("", "in/sharp", "out/kmean", "out/adapt"),
}


def parity(record: Record, quick: bool) -> None:
    for name in (NARROW,) if quick else (FULL,):
        golden = Golden(name)
        module, variables = from_torch("kernel_space", golden.weights())
        size, *keys = RECORDED[name]
        x, y = (golden.image(f"in/{key}{size}") for key in ("sharp", "blur"))
        sharp, code, blurry = map(golden.image, keys)
        expected = golden.image(f"out/kmean{size}")
        for dtype in ("float32", "bfloat16"):
            both = partial(_both, module.clone(dtype=jnp.dtype(dtype)))
            with precision(dtype):
                g, f = map(np.asarray, jax.jit(both)(variables, x, y, sharp, code))
            _compare(record, f"G, {name}, {dtype}", dtype, g, expected, 0)
            _compare(record, f"F, {name}, {dtype}", dtype, f, blurry, sharp)


def _both(module: Any, variables: Any, x: Array, y: Array, sharp: Array, code: Array):
    """G(x, y) and F(sharp, code), in one program."""
    found, _ = module.apply(variables, x, y, method="extract")
    return found, module.apply(variables, sharp, code, method="blur")


def _compare(
    record: Record, name: str, dtype: str, found: np.ndarray, expected: Array, base
) -> None:
    """The difference of an answer, and whether it is small enough."""
    if dtype == "float32":
        apart, allowed = float(np.abs(found - np.asarray(expected)).max()), F32
        words = "largest difference"
    else:
        apart, allowed = relative(found - base, expected - base), BF16
        words = "relative difference"
    # NaN agrees with nothing.
    agrees = apart <= allowed
    verdict = "agrees" if agrees else "DIFFERS"
    record.add(
        name,
        f"{verdict}, {words} {apart:.1e}",
        f"at most {allowed:.1e}",
        difference=apart,
        agrees=agrees,
    )
