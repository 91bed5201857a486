"""A training step of the kernel space, beside PyTorch, eager and compiled."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from benchmarks.timing import (
    Call,
    compiled,
    gigabytes,
    gigaflops,
    peak,
    their_device,
    theirs,
)
from device_check import sides
from device_check.record import Record, reason
from device_check.sides import Space, precision
from jax import Array

from kernel_space_jax.losses import charbonnier
from kernel_space_jax.weights import from_torch

SIDE, RATE = 256, 1e-4
DTYPES = ("float32", "bfloat16")
# In bfloat16 both sides round: they may differ by so many times our own rounding.
ROUNDINGS = 4
FASTER = {"eager": 3.0, "torch.compile": 1.3}
SHARE = 40  # percent of the peak


class Ours(NamedTuple):
    """Our step in one precision: a call, its first loss and gradient, its costs."""

    call: Call
    loss: float
    gradient: Any
    gigaflops: float
    gigabytes: float
    compile_s: float


class Race(NamedTuple):
    """What the races of a run share; PyTorch compiles with `backend`."""

    record: Record
    space: Space
    rounds: int
    backend: str
    missing: str  # why there is no PyTorch, or ""


def train(record: Record, quick: bool) -> None:
    space = sides.kernel_space(quick)
    _, why = sides.pytorch()
    # Inductor compiles for minutes on a CPU: a quick run leaves its last stage out.
    race = Race(record, space, *((1, "aot_eager") if quick else (10, "inductor")), why)
    peaks = {dtype: _peak(record, dtype, quick) for dtype in DTYPES}
    batch, ours = 1 if quick else 16, dict[str, Ours]()
    for dtype in DTYPES:
        sizes = tuple(batch >> i for i in range(batch.bit_length()))
        batch, ours[dtype] = sides.largest(sizes, partial(_ours, space, dtype))
        _alone(record, dtype, batch, ours[dtype], peaks[dtype], race.rounds)
        _beside(race, dtype, "eager", batch, ours)
    for dtype in DTYPES:
        _beside(race, dtype, "torch.compile", batch, ours)


def _peak(record: Record, dtype: str, quick: bool) -> float:
    side = 512 if quick else 8192 if dtype == "float32" else 16384
    with precision(dtype):
        found = peak(dtype, side)
    record.add(
        f"matrix product, {side}, {dtype}",
        f"{found / 1e3:.3g} Tflop/s",
        gigaflops_a_second=found,
    )
    return found


def _ours(space: Space, dtype: str, batch: int) -> Ours:
    """A step of Adam on the Charbonnier loss, and one step made."""
    module: Any = space.module.clone(dtype=jnp.dtype(dtype))
    optimiser = optax.adam(RATE)

    def loss(variables, x: Array, y: Array) -> Array:
        fake, _, _ = module.apply(variables, x, y, method="reconstruct")
        return charbonnier(fake, y)

    def update(state, x: Array, y: Array):
        variables, moments = state
        value, gradient = jax.value_and_grad(loss)(variables, x, y)
        updates, moments = optimiser.update(gradient, moments)
        return (optax.apply_updates(variables, updates), moments), value

    x, y = map(jnp.asarray, sides.images(2, batch, SIDE, SIDE))
    state = (space.variables, optimiser.init(space.variables))
    with precision(dtype):
        flops = gigaflops(update, state, x, y)
        step, seconds = compiled(update, state, x, y, donate_argnums=0)
    # The donated state is a copy: PyTorch starts from the same weights later.
    state, value = step(jax.tree.map(jnp.copy, state), x, y)
    # Adam's first moment after one step is a tenth of the gradient.
    gradient = jax.tree.map(lambda m: np.asarray(m) / 0.1, state[1][0].mu)

    def advance() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(step(state, x, y))

    held = gigabytes(step)
    return Ours(advance, float(value), gradient, flops, held, seconds)


def _alone(
    record: Record, dtype: str, batch: int, ours: Ours, peak: float, rounds: int
) -> None:
    ms = sides.milliseconds({"ours": ours.call}, rounds)["ours"]
    share = 100 * ours.gigaflops / (ms / 1e3) / peak
    record.add(
        f"step, {batch} x {SIDE}x{SIDE}, {dtype}",
        f"{1e3 * batch / ms:.3g} images/s, {share:.3g} % of the peak, "
        f"compiled in {ours.compile_s:.0f} s",
        f"{SHARE} % of the peak",
        gigabytes=ours.gigabytes,
        batch=batch,
        ms=ms,
        images_a_second=1e3 * batch / ms,
        share_of_peak=share,
        gigaflops=ours.gigaflops,
        compile_s=ours.compile_s,
    )


def _beside(
    race: Race, dtype: str, how: str, batch: int, both: dict[str, Ours]
) -> None:
    """The same step in PyTorch: checked against ours, then raced with it."""
    name, aim = f"beside PyTorch, {how}, {dtype}", f"{FASTER[how]:g} x"
    say = partial(race.record.add, name)
    if race.missing:
        say(f"not measured: {race.missing}", aim)
        return
    ours, full = both[dtype], both["float32"]
    allowed = sides.ALLOWED
    if dtype == "bfloat16":
        allowed = ROUNDINGS * _apart(ours, full.loss, full.gradient)
    backend = None if how == "eager" else race.backend
    try:
        call, loss, gradient = _theirs(race.space, dtype, backend, batch)
        apart = _apart(ours, loss, gradient)
        if not sides.alike(apart, allowed):
            say(sides.unequal(apart, allowed), aim, equal=False)
            return
        ms = sides.milliseconds({"ours": ours.call, "torch": call}, race.rounds)
        held = sides.their_gigabytes(call)
    except Exception as error:
        # One that cannot compile or has too little memory leaves the others.
        say(f"not measured: {reason(error)}", aim)
        return
    speeds = {who: 1e3 * batch / time for who, time in ms.items()}
    ratio = ms["torch"] / ms["ours"]
    say(
        f"{ratio:.2f} x: {speeds['ours']:.3g} images/s to {speeds['torch']:.3g}",
        aim,
        gigabytes=held,
        ms=ms,
        ratio=ratio,
        difference=apart,
        allowed=allowed,
        backend=backend or "eager",
    )


def _apart(ours: Ours, loss: float, gradient: Any) -> float:
    """How far the first loss and its gradient are from others, relative to these."""
    return max(abs(ours.loss / loss - 1), sides.relative(ours.gradient, gradient))


def _theirs(
    space: Space, dtype: str, backend: str | None, batch: int
) -> tuple[Call, float, Any]:
    """PyTorch's step, its first loss, and the gradient as ours is laid out."""
    import torch
    from benchmarks.torch_kernel_space import reconstruction_loss, training_step

    layout = "channels_last"
    model = sides.their_space(space, layout)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    x, y = (
        sides.their_image(image, layout) for image in sides.images(2, batch, SIDE, SIDE)
    )
    place, half = their_device(), dtype == "bfloat16"

    def loss(model: Any, x: Any, y: Any) -> Any:
        with torch.autocast(place, dtype=torch.bfloat16, enabled=half):
            return reconstruction_loss(model, x, y)

    loss_fn = torch.compile(loss, backend=backend, dynamic=False) if backend else loss
    call = theirs(lambda: training_step(model, optimiser, x, y, loss_fn))
    value: Any = call()
    moments = {
        name: (optimiser.state[tensor]["exp_avg"] / 0.1).cpu().numpy()
        for name, tensor in model.named_parameters()
    }
    _, gradient = from_torch("kernel_space", moments)
    return call, float(value), gradient
