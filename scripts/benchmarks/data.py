"""How fast images come, from disk and from the device, beside what a step eats."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine, refuse
from benchmarks.rows import OURS, Row
from benchmarks.timing import Times, compiled, race
from jax import Array

from kernel_space_jax import images
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.pipeline import Batches, batches
from kernel_space_jax.datasets.prepare import Storage, prepare
from kernel_space_jax.synthesis import blur_uniform, dead_leaves, shake_kernel
from kernel_space_jax.training.config import build_task, load_config

CONFIG = Path(__file__).parents[2] / "configs" / "kernel_space_synthetic.py"
NETWORKS = {size: f"{CONFIG}:{size}" for size in ("compact", "full")}
KERNEL, TILE = 33, 512
DEFAULT = "files, Grain"
ALLOWED = 1e-3  # of a pixel
Pixels = Annotated[int, typer.Option(min=16)]


def _shaken(key: Array, shape: tuple[int, int]) -> dict[str, Array]:
    """A pair made on the device: dead leaves, and the same under a camera shake."""
    leaves, shake = jax.random.split(key)
    x = dead_leaves(leaves, shape)
    return {"sharp": x, "blurry": blur_uniform(x, shake_kernel(shake, KERNEL))}


def _draw_files(folder: Path, count: int, shape: tuple[int, int]) -> str:
    """Writes pairs as PNG files of the size that the field's sets have."""
    pair = jax.jit(_shaken, static_argnums=1)
    for number in range(count):
        for part, image in pair(jax.random.key(number), shape).items():
            pixels = jnp.clip(image, 0, 1)
            path = folder / part / f"{number:03d}.png"
            images.write(path, images.Photo(jax.device_get(pixels)))
    return f"pairs:{folder}"


def _prepared(spec: str, folder: Path, storage: Storage) -> str:
    source: Any = open_source(spec)
    prepare(source, folder, storage)
    return f"prepared:{folder}"


def _seconds(take: Callable[[], object], count: int) -> float:
    """Seconds of `count` batches, those that were waiting not counted."""
    for _ in range(count):
        take()
    start = time.perf_counter()
    for _ in range(count):
        take()
    return time.perf_counter() - start


def _rate(feed: Batches, count: int, batch: int) -> float:
    """Pairs a second."""
    with feed:
        return count * batch / _seconds(feed.stored, count)


def _beside_torch(
    say: Report, folder: Path, crop: int, batch: int, count: int, rounds: int
) -> None:
    """Pairs from files: ours, and PyTorch's loader with and without processes."""
    from benchmarks.torch_data import loader, read

    file = next((folder / "sharp").iterdir())
    ours, other = images.read(file).pixels, read(file).permute(1, 2, 0).numpy() / 255
    difference = float(np.abs(ours - other).max())
    if not difference < ALLOWED:
        refuse(f"the two read {difference:.1e} apart: nothing to time")
    times: Times = {OURS: []}
    for _ in range(rounds):
        with batches(f"pairs:{folder}", batch_size=batch, crop=crop) as feed:
            times[OURS].append(1e3 * _seconds(feed.stored, count))
        for workers in (0, 2):
            each = iter(loader(folder, crop, batch, workers))
            taken = 1e3 * _seconds(partial(next, each), count)
            del each  # Its processes end.
            times.setdefault(f"torch, {workers} workers", []).append(taken)
    say.add(Row(f"{count} batches of {batch} pairs from files", times, difference))


def _step_alone_and_fed(network: str, feed: Batches, steps: int) -> dict[str, float]:
    """Milliseconds of a training step, alone and fed, and the share spent waiting."""
    config = load_config(NETWORKS[network])
    task = build_task(config)
    state = jax.jit(task.init)(jax.random.key(0))
    fed = feed.on_device()
    batch = next(fed)
    numbers = {"number": jnp.arange(len(batch["sharp"]), dtype=jnp.int32)}
    batch |= numbers
    key = jax.random.key(1)
    step, _ = compiled(task.step, state, batch, key, task.frozen, donate_argnums=0)

    def run(batch: Any) -> None:
        nonlocal state
        state, metrics = step(state, batch, key, task.frozen)
        jax.block_until_ready(metrics)

    alone = median(race({"": lambda: run(batch)}, steps)[""])
    waited, start = 0.0, time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = jax.block_until_ready(next(fed)) | numbers
        waited += time.perf_counter() - asked
        run(batch)
    total = time.perf_counter() - start
    fed.close()
    return {
        "alone_ms": alone,
        "fed_ms": 1e3 * total / steps,
        "waiting": waited / total,
    }


def data(
    spec: Annotated[
        str, typer.Option("--data", help="Pairs to read; by default drawn ones.")
    ] = "",
    pictures: Positive = 12,
    height: Pixels = 720,
    width: Pixels = 1280,
    batch: Positive = 4,
    crop: Annotated[int, typer.Option(min=16)] = 256,
    count: Annotated[int, typer.Option(min=1, help="Batches a measurement.")] = 8,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes.")] = 2,
    steps: Annotated[int, typer.Option(min=1, help="Training steps timed.")] = 3,
    rounds: Positive = 3,
    network: Annotated[
        list[str], typer.Option(help="Whose steps: compact, full; may be repeated.")
    ] = [*NETWORKS],  # noqa: B006
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """Images a second from files, prepared folders and the device; training steps."""
    if unknown := {*network} - {*NETWORKS}:
        raise typer.BadParameter(f"--network {unknown.pop()} is not compact or full")
    say = Report("data")
    draw = partial(_shaken, shape=(crop, crop))
    make, _ = compiled(jax.vmap(draw), jax.random.split(jax.random.key(0), batch))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = spec or _draw_files(folder / "files", pictures, (height, width))
        whole = _prepared(files, folder / "whole", Storage())
        tiles = _prepared(files, folder / "tiles", Storage(tile=TILE))
        feed = partial(batches, batch_size=batch, crop=crop)
        feeds = {
            DEFAULT: feed(files),
            "prepared, Grain": feed(whole),
            f"prepared in tiles of {TILE}, Grain": feed(tiles),
        }
        if workers:
            name = f"Grain, {workers} workers"
            feeds[f"files, {name}"] = feed(files, workers=workers)
            feeds[f"prepared, {name}"] = feed(whole, workers=workers)
        if find_spec("tensorflow"):
            feeds["files, tf.data"] = feed(files, backend="tf")
            feeds["prepared, tf.data"] = feed(whole, backend="tf")
        rates = {name: _rate(one, count, batch) for name, one in feeds.items()}
        keys = jax.random.split(jax.random.key(1), batch)
        ms = race({"": lambda: jax.block_until_ready(make(keys))}, count)[""]
        rates["made on the device"] = 1e3 * batch / median(ms)
        step = {name: _step_alone_and_fed(name, feed(files), steps) for name in network}
        say(f"{machine()}\n\nbatches of {batch} pairs, {crop}x{crop}\n")
        if find_spec("torch") and not spec:
            _beside_torch(say, folder / "files", crop, batch, count, rounds)
            say("")
    say("| pairs from | images/s |\n|---|---:|")
    for name, rate in rates.items():
        say(f"| {name} | {2 * rate:.1f} |")
    say(
        "\n| step of the kernel space | ms | images/s it eats | ms fed from "
        f"{DEFAULT} | waiting |\n|---|---:|---:|---:|---:|"
    )
    for name, one in step.items():
        eats = 2e3 * batch / one["alone_ms"]
        say(
            f"| {name} | {one['alone_ms']:.0f} | {eats:.1f} | {one['fed_ms']:.0f} | "
            f"{100 * one['waiting']:.1f} % |"
        )
    say.close(json_file, write, {"pairs_per_s": rates, "step": step})
