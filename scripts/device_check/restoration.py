"""Restoration under per-pixel blur by Richardson-Lucy, beside eager PyTorch.

The rival has no prior and no sensor's response. Without them ours is checked against it
and raced; then it is raced as it is.
"""

import jax.numpy as jnp
import numpy as np
from benchmarks.per_pixel import plain, random_field
from benchmarks.timing import Call, compiled, gigabytes, their_device, theirs
from device_check import sides
from device_check.record import Record
from device_check.sides import precision

from kernel_space_jax.operators import KernelField
from kernel_space_jax.solvers import richardson_lucy

KERNELS, REACH = 25, 33
SIZES = ((512, 512), (1280, 720))  # width, height
AIM = 10


def restoration(record: Record, quick: bool) -> None:
    torch, why = sides.pytorch()
    if quick:
        sizes, kernels, reach, steps, rounds = ((96, 64),), 5, 9, 3, 2
    else:
        sizes, kernels, reach, steps, rounds = SIZES, KERNELS, REACH, 10, 10
    for width, height in sizes:
        (y,) = sides.images(1, 1, height, width)
        field = random_field(kernels, reach, height, width)
        call = _theirs(y, field, steps) if torch else None
        _race(record, y, field, steps, rounds, call, why)


def _race(
    record: Record,
    y: np.ndarray,
    field: KernelField,
    steps: int,
    rounds: int,
    call: Call | None,
    why: str,
) -> None:
    """The rows of one size: the same work on both sides, and our solver as it is."""
    height, width = y.shape[1:3]
    solvers = {
        "the same steps": lambda y, field: plain(y, field, steps),
        "richardson_lucy, which does more": lambda y, field: (
            richardson_lucy(y, field, steps=steps).x
        ),
    }
    equal = True
    for what, solver in solvers.items():
        name, aim = f"{steps} steps, {width}x{height}, {what}", f"{AIM} x"
        with precision("float32"):
            run, seconds = compiled(solver, jnp.asarray(y), field)
        ours = sides.ready(run, jnp.asarray(y), field)
        note, figures = "", {}
        if call is None:
            note = f"PyTorch not measured: {why}"
        elif solver is solvers["the same steps"]:
            figures["difference"] = sides.relative(ours(), _answer(call))
            equal = sides.alike(figures["difference"])
            note = "" if equal else sides.unequal(figures["difference"])
        elif not equal:
            note = "PyTorch not timed: its steps differ from ours"
        calls = {"ours": ours}
        if call and equal:
            calls["torch"] = call
            figures["their_gigabytes"] = sides.their_gigabytes(call)
        ms = sides.milliseconds(calls, rounds)
        found = [f"{who} {time:.3g} ms" for who, time in ms.items()]
        if "torch" in ms:
            figures["ratio"] = ms["torch"] / ms["ours"]
            found.insert(0, f"{figures['ratio']:.2f} x")
        found += [note] if note else []
        record.add(
            name,
            f"{', '.join(found)}, compiled in {seconds:.0f} s",
            aim,
            ms=ms,
            gigabytes=gigabytes(run),
            compile_s=seconds,
            **figures,
        )


def _answer(call: Call) -> np.ndarray:
    answer: object = call()
    return answer.permute(0, 2, 3, 1).cpu().numpy()  # type: ignore[attr-defined]


def _theirs(y: np.ndarray, field: KernelField, steps: int) -> Call:
    import torch
    from benchmarks import torch_two_heads

    place = their_device()
    kernels = torch.tensor(np.asarray(field.kernels[0]), device=place)
    masks = torch.tensor(np.asarray(field.masks[0]), device=place)
    masks, photo = masks.permute(2, 0, 1).contiguous(), sides.their_image(y)
    solve = lambda: torch_two_heads.richardson_lucy(photo, kernels, masks, steps=steps)
    return theirs(torch.no_grad()(solve))
