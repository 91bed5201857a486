"""The search of `map`: all photos and all starts in one batch, or each by itself."""

from statistics import median
from typing import Annotated

import jax
import numpy as np
import typer
from benchmarks.blind import counts_of
from benchmarks.common import JsonFile, Positive, Report, Write, machine
from benchmarks.rows import OURS
from benchmarks.timing import race
from jax import Array

from kernel_space_jax.operators import uniform
from kernel_space_jax.solvers import blind_map
from kernel_space_jax.solvers.uniform.starts import PRESETS, Preset, search
from kernel_space_jax.synthesis import dead_leaves, shake_kernel

# Of the scores of all that is found, relative.
ALLOWED = 1e-2
# The same work in both ways: every start goes on to the end.
BALANCED = PRESETS["balanced"]
ALL = BALANCED._replace(kept=BALANCED.count, refined=BALANCED.count)
EACH = [
    Preset((strength,), (box,), kept=1, refined=1)
    for strength in ALL.strengths
    for box in ALL.boxes
]


def _photos(count: int, side: int, size: int) -> Array:
    """Grey dead leaves under camera shakes: (count, side, side)."""

    def one(key: Array) -> Array:
        scene, shake = jax.random.split(key)
        wide = side + size - 1
        x = dead_leaves(scene, (wide, wide))[None].mean(-1, keepdims=True)
        h = shake_kernel(shake, size)
        return uniform.convolve(x, h, border="valid")[0, ..., 0]

    return jax.vmap(one)(jax.random.split(jax.random.key(0), count))


def starts(
    batches: Annotated[
        str, typer.Option(help="Photos searched at once, such as 1,8,32.")
    ] = "1,8,32",
    side: Annotated[int, typer.Option(min=32, help="Pixels a side of a photo.")] = 96,
    size: Annotated[int, typer.Option(min=5, help="Pixels a side of a kernel.")] = 13,
    whole: Annotated[
        int, typer.Option(min=32, help="Pixels a side of the presets' photo.")
    ] = 256,
    rounds: Positive = 1,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """The starts of `map` as one batch, and one after the other."""
    say = Report("starts")
    say(
        f"{machine()}\n\n{ALL.count} starts for each photo of {side}x{side} pixels, "
        f"kernels of {size}x{size}, {rounds} rounds\n"
    )
    for count in counts_of(batches):
        light = _photos(count, side, size)

        def together(light: Array = light) -> np.ndarray:
            return np.sort(search(light, ALL, size)[1])

        def apart(light: Array = light) -> np.ndarray:
            scores = [
                [search(photo, preset, size)[1].item() for preset in EACH]
                for photo in light[:, None]
            ]
            return np.sort(scores)

        ours, other = together(), apart()
        say.compare(
            f"starts of {count} photos in one batch",
            {OURS: together, "each by itself": apart},
            rounds,
            difference=float(np.max(np.abs(ours - other) / np.abs(other))),
            allowed=ALLOWED,
        )
    y = _photos(1, whole, size)[..., None]
    calls = {
        name: lambda name=name: jax.block_until_ready(blind_map(y, preset=name))
        for name in PRESETS
    }
    seconds = {name: median(ms) / 1e3 for name, ms in race(calls, rounds).items()}
    say(f"\n| preset | s a photo of {whole}x{whole} |\n|---|---:|")
    for name, taken in seconds.items():
        say(f"| {name} | {taken:.1f} |")
    say.close(json_file, write, {"seconds": seconds})
