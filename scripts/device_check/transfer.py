"""Blur transfer, y' = F(x', G(x, y)), beside eager PyTorch."""

import jax.numpy as jnp
import numpy as np
from benchmarks.timing import Call, compiled, gigabytes, theirs
from device_check import sides
from device_check.record import Record
from device_check.sides import Space, precision
from jax import Array

from kernel_space_jax.operators import Learned

SIZES = ((256, 256), (1280, 720))  # width, height


def transfer(record: Record, quick: bool) -> None:
    space = sides.kernel_space(quick)
    torch, why = sides.pytorch()
    for width, height in ((256, 256), (320, 180)) if quick else SIZES:
        images = sides.images(3, 1, height, width)
        _one(record, space, images, 2 if quick else 10, torch is not None, why)


def _one(
    record: Record,
    space: Space,
    images: list[np.ndarray],
    rounds: int,
    torch: bool,
    why: str,
) -> None:
    """A pair and a target of one size: ours, and PyTorch in both layouts."""

    def program(variables, x: Array, y: Array, target: Array) -> Array:
        k = space.module.apply(variables, x, y, method="extract")[0]
        return jnp.clip(Learned(space.module, variables)(target, k), 0, 1)  # type: ignore[arg-type]

    height, width = images[0].shape[1:3]
    ours = [jnp.asarray(image) for image in images]
    with precision("float32"):
        run, seconds = compiled(program, space.variables, *ours)
    calls: dict[str, Call] = {"ours": sides.ready(run, space.variables, *ours)}
    found, notes, held, apart = np.asarray(calls["ours"]()), [], {}, {}
    for layout in sides.LAYOUTS if torch else ():
        call = _theirs(space, layout, images)
        answer: object = call()
        shown = answer.permute(0, 2, 3, 1).cpu().numpy()  # type: ignore[attr-defined]
        apart[layout] = sides.relative(found, shown)
        if sides.alike(apart[layout]):
            calls[layout], held[layout] = call, sides.their_gigabytes(call)
        else:
            notes.append(f"PyTorch, {layout}: {sides.unequal(apart[layout])}")
    ms = sides.milliseconds(calls, rounds)
    speeds = [f"{who} {1e3 / time:.3g} images/s" for who, time in ms.items()]
    figures = {}
    if len(ms) > 1:
        best = min(time for who, time in ms.items() if who != "ours")
        figures["ratio"] = best / ms["ours"]
        speeds.insert(0, f"{figures['ratio']:.2f} x the best of PyTorch")
    if not torch:
        notes.append(f"PyTorch not measured: {why}")
    record.add(
        f"transfer, {width}x{height}",
        f"{', '.join([*speeds, *notes])}, compiled in {seconds:.0f} s",
        gigabytes=gigabytes(run),
        their_gigabytes=held,
        ms=ms,
        difference=max(apart.values(), default=float("nan")),
        compile_s=seconds,
        **figures,
    )


def _theirs(space: Space, layout: str, images: list[np.ndarray]) -> Call:
    import torch

    model = sides.their_space(space, layout)
    tensors = [sides.their_image(image, layout) for image in images]
    return theirs(torch.no_grad()(lambda: model.transfer(*tensors)))
