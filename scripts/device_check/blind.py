"""32 blind searches of 256x256 at once, as published: a part measured, then scaled."""

import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.timing import compiled, gigabytes
from device_check import sides
from device_check.record import Record, reason
from device_check.sides import precision

from kernel_space_jax.models.vgg import VGG19
from kernel_space_jax.solvers.batch import Way, spread
from kernel_space_jax.solvers.search import blind_search, presets
from kernel_space_jax.solvers.search.blind_search import Search
from kernel_space_jax.weights import Weights

SIDE, PHOTOS, STEPS = 256, 32, 5000
AIM = 160.0  # seconds for all
MEASURED, PATIENCE = 200, 40.0  # steps, fewer if they took longer than these seconds
WIDTHS = (4, 8, 16, 32, 32)  # of VGG19 in a quick run
NARROW = presets.Preset(STEPS, 8, 4, 4, 1, 0)


class Case(NamedTuple):
    """A way to solve many photos: so many, mapped or together, in that precision."""

    name: str
    photos: int
    way: Way
    precision: str


def blind(record: Record, quick: bool) -> None:
    search = _search(quick)
    photos = 2 if quick else PHOTOS
    cases = [
        # The first compiles fastest, so that a figure is there.
        Case("one after the other, full float32", 1, "map", "float32"),
        Case("together, full float32", photos, "vmap", "float32"),
    ]
    if jax.default_backend() != "cpu":
        # Others round by default, a CPU never does.
        cases.append(Case("together, default precision", photos, "vmap", "default"))
    steps, patience = (2, 5.0) if quick else (MEASURED, PATIENCE)
    for case in cases:
        most = tuple(case.photos >> i for i in range(case.photos.bit_length()))
        solve = partial(_solve, search, case.way, steps, patience)
        try:
            with precision(case.precision):
                count, figures = sides.largest(most, solve)
        except Exception as error:
            # One way that fails leaves the others.
            name = f"{PHOTOS} searches, {case.name}"
            record.add(name, f"not measured: {reason(error)}", f"{AIM:.0f} s")
            continue
        # Fewer photos at once come again until all are done.
        seconds = figures.pop("seconds") * PHOTOS / count
        record.add(
            f"{PHOTOS} searches, {count} at once, {case.name}",
            f"{seconds:.0f} s for {STEPS} steps (measured: {figures['steps']}), "
            f"{1e3 * figures['step_s']:.3g} ms a step of {count}, "
            f"compiled in {figures['compile_s']:.0f} s",
            f"{AIM:.0f} s",
            seconds=seconds,
            photos=count,
            **figures,
        )


def _search(quick: bool) -> Search:
    """The search of Tran et al. 2021 with a VGG19 of fresh weights."""
    space = sides.kernel_space(quick)
    vgg = VGG19(WIDTHS) if quick else VGG19()
    weights: Any = jax.jit(vgg.init)(jax.random.key(1), jnp.zeros((1, 32, 32, 3)))
    return presets.kernel_space(
        Weights(space.module, space.variables),
        (1, SIDE, SIDE, 3),
        NARROW if quick else presets.PRESETS["full"],
        vgg=Weights(vgg, weights),
    )


def _advance(shared: Any, *one: Any) -> Any:
    """A piece of one search, as `deblur` runs it."""
    search, until = shared
    return blind_search.advance(search, *one, until=until)


def _solve(
    search: Search, way: Way, most: int, patience: float, count: int
) -> dict[str, Any]:
    """Some steps of `count` searches, and what all of them take."""
    (photos,) = sides.images(1, count, SIDE, SIDE)
    stack = jnp.asarray(photos)[:, None]
    keys = jax.random.split(jax.random.key(0), count)
    start = jax.jit(jax.vmap(partial(blind_search.begin, search)))(keys)
    shared = (search, jnp.int32(0))
    run, compile_s = compiled(spread(_advance, way), shared, stack, keys, start)

    def seconds(steps: int) -> tuple[float, Any]:
        began = time.perf_counter()
        state = run((search, jnp.int32(steps)), stack, keys, start)
        jax.block_until_ready(state)
        return time.perf_counter() - began, state

    seconds(1)  # to warm up
    none = seconds(0)[0]
    few = max(1, most // 100)
    step = (seconds(few)[0] - none) / few
    steps = min(most, max(few, int(patience / max(step, 1e-9))))
    took, state = seconds(steps)
    step = (took - none) / steps
    losses = np.asarray(state.loss)[:, :steps]
    if not np.isfinite(losses).all():
        raise ValueError(f"a loss of the {count} searches is not finite")
    return {
        "seconds": none + STEPS * step,
        "step_s": step,
        "steps": steps,
        "compile_s": compile_s,
        "gigabytes": gigabytes(run),
        "first_loss": float(losses[0, 0]),
        "last_loss": float(losses[0, -1]),
    }
