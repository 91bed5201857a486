"""A training step of the kernel space through the engine, beside PyTorch.

Each contestant runs in a process of its own, so that its peak memory is its own; they
take turns, round by round.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from statistics import median
from typing import IO, Annotated

import jax
import numpy as np
import typer
from benchmarks.common import JsonFile, Positive, Report, Write, machine, pytorch
from benchmarks.timing import Call, their_device, theirs

from kernel_space_jax.training.config import defaults
from kernel_space_jax.training.engine import build
from kernel_space_jax.training.memory import keep_memory

ENTRANTS = {"ours f32": "float32", "ours bf16": "bfloat16", "torch": ""}


def train(
    width: Positive = 64,
    batch: Positive = 2,
    size: Annotated[int, typer.Option(min=256, help="A multiple of 128.")] = 256,
    rounds: Positive = 5,
    shallow: Annotated[bool, typer.Option("--shallow", help="One block.")] = False,
    json_file: JsonFile = None,
    write: Write = False,
) -> None:
    """Images a second and peak memory of whole processes that train: ours, PyTorch.

    `kernel-space` times the step and checks that both compute the same. Here ours goes
    through the engine, whose step also crops, turns and averages.
    """
    say = Report("train")
    names = [name for name in ENTRANTS if ENTRANTS[name] or find_spec("torch")]
    words = [width, batch, size, int(shallow)]
    times: dict[str, list[float]] = {name: [] for name in names}
    memory: dict[str, float] = {}
    with _processes(names, [str(word) for word in words]) as processes:
        for _ in range(rounds):
            for name, (ask, answer) in processes.items():
                ask.write("step\n")
                ask.flush()
                found = json.loads(answer.readline())
                times[name].append(found["seconds"])
                memory[name] = found["gigabytes"]
    seconds = {name: median(values) for name, values in times.items()}
    say(f"{machine()}\n\nwidth {width}, {batch} x {size}x{size}, {rounds} rounds\n")
    say("| | images/s | s/step | peak memory, GB |\n|---|---:|---:|---:|")
    for name, value in seconds.items():
        say(f"| {name} | {batch / value:.3f} | {value:.2f} | {memory[name]:.2f} |")
    say.close(json_file, write, {"seconds": seconds, "gigabytes": memory})


@contextmanager
def _processes(
    names: list[str], words: list[str]
) -> Iterator[dict[str, tuple[IO[str], IO[str]]]]:
    """Contestants that have compiled and stand ready: where to ask, where to read."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    started = []
    for name in names:
        command = [sys.executable, "-m", "benchmarks.train", name, *words]
        started.append(
            subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert started[-1].stdout and started[-1].stdout.readline() == "ready\n"
    pipes = [(run.stdin, run.stdout) for run in started]
    try:
        yield {
            name: (ask, answer)
            for name, (ask, answer) in zip(names, pipes, strict=True)
            if ask and answer
        }
    finally:
        for run in started:
            run.communicate()


def _ours(dtype: str, width: int, batch: int, size: int, shallow: bool) -> Call:
    config = defaults("kernel_space")
    config.dtype, config.batch_size, config.data.crop = dtype, batch, size
    config.b1, config.b2 = 0.9, 0.99
    model = config.model
    model.width = width
    if shallow:
        model.front_blocks = model.back_blocks = model.code_blocks = 1
    engine = build(config)
    if jax.default_backend() == "cpu":
        keep_memory()  # As `train` does.
    state, step = engine.start(), engine.program(engine.stages[0])
    images = _images(batch, size)
    numbers = {"number": np.arange(batch, dtype=np.int32)}
    placed = engine.place.batch(images | numbers)

    def advance() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(step(state, placed))

    return advance


def _torch(width: int, batch: int, size: int, shallow: bool) -> Call:
    torch = pytorch()
    from benchmarks.torch_kernel_space import KernelSpace, training_step

    front, back, blocks = (1, 1, 1) if shallow else (10, 20, 4)
    device = their_device()
    model = KernelSpace(width, 8 * width, front, back, blocks).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.99))
    images = _images(batch, size)
    x, y = (
        torch.tensor(images[name], device=device).permute(0, 3, 1, 2).contiguous()
        for name in ("sharp", "blurry")
    )

    return theirs(lambda: training_step(model, optimiser, x, y))


def _images(batch: int, size: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    shape = (batch, size, size, 3)
    return {name: draw.random(shape, np.float32) for name in ("sharp", "blurry")}


def _peak_gigabytes(ours: bool) -> float:
    """The most that the process held: of the GPU's memory where there is one."""
    if jax.default_backend() == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if ours:
        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"] / 2**30
    return pytorch().cuda.max_memory_allocated() / 2**30


def _serve(name: str, width: int, batch: int, size: int, shallow: bool) -> None:
    """One contestant: a line in, a step, a line out."""
    measures = (width, batch, size, shallow)
    step = _ours(ENTRANTS[name], *measures) if ENTRANTS[name] else _torch(*measures)
    step()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
        peak = _peak_gigabytes(bool(ENTRANTS[name]))
        sys.stdout.write(json.dumps({"seconds": seconds, "gigabytes": peak}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(sys.argv[1], *map(int, sys.argv[2:5]), shallow=sys.argv[5] == "1")
