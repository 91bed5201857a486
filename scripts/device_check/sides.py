"""The two sides of a comparison: the same weights, precision and images."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from statistics import median
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from benchmarks.timing import Call, race, their_device
from golden import Golden
from jax import Array

from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.weights import from_torch

# Recorded weights: as published, and narrow ones for a quick run.
FULL, NARROW = "kw_wovae_full_detweights", "kw_trainstep_wovae_nf4"
# Both sides compute the same where they differ by less than this part, in float32.
ALLOWED = 1e-3
LAYOUTS = ("contiguous_format", "channels_last")

T = TypeVar("T")


class Space(NamedTuple):
    """A kernel space in JAX, and its weights by PyTorch's names."""

    module: KernelSpace
    variables: Any
    tensors: dict[str, np.ndarray]


def kernel_space(quick: bool) -> Space:
    """The published kernel space with recorded weights, or a narrow one."""
    tensors = Golden(NARROW if quick else FULL).weights()
    module, variables = from_torch("kernel_space", tensors)
    assert isinstance(module, KernelSpace)
    return Space(module, variables, tensors)


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Within, float32 is computed in full; by default GPUs and TPUs round it."""
    with jax.default_matmul_precision("highest" if dtype == "float32" else "default"):
        yield


def pytorch() -> tuple[Any, str]:
    """PyTorch set up for the device of JAX; or None, and why there is none."""
    if not find_spec("torch"):
        return None, "PyTorch is not installed"
    if jax.default_backend() not in ("cpu", "gpu"):
        return None, f"PyTorch does not run on a {jax.default_backend()}"
    # Read at the import. Threads that wait by spinning are slow on shared cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    if jax.default_backend() == "gpu" and not torch.cuda.is_available():
        return None, "this PyTorch sees no GPU"
    torch.set_num_threads(os.cpu_count() or 1)
    # Full single precision, and the fastest convolutions, as XLA looks for them too.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return torch, ""


def their_space(space: Space, layout: str) -> Any:
    """The kernel space in PyTorch on its device, in one memory layout."""
    import torch
    from benchmarks import torch_kernel_space

    module = space.module
    model: Any = torch_kernel_space.KernelSpace(
        module.width,
        module.code_width,
        module.front_blocks,
        module.back_blocks,
        module.code_blocks,
        tail_width=module.tail_width,
    )
    tensors = {name: torch.tensor(value) for name, value in space.tensors.items()}
    model.load_state_dict(tensors)
    return model.to(their_device(), memory_format=getattr(torch, layout))


def their_image(image: Any, layout: str = LAYOUTS[0]) -> Any:
    """An image (N, H, W, C) as PyTorch's (N, C, H, W) on its device."""
    import torch

    tensor = torch.tensor(np.asarray(image), device=their_device()).permute(0, 3, 1, 2)
    return tensor.contiguous(memory_format=getattr(torch, layout))


def images(count: int, number: int, height: int, width: int) -> list[np.ndarray]:
    """`count` stacks of `number` images of noise."""
    draw = np.random.default_rng(0)
    return [draw.random((number, height, width, 3), np.float32) for _ in range(count)]


def relative(ours: Any, theirs: Any) -> float:
    """|ours - theirs| / |theirs| over all arrays of two trees of one shape."""
    pairs = zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
    apart = whole = 0.0
    for a, b in pairs:
        a, b = (np.asarray(side, np.float64) for side in (a, b))
        if a.shape != b.shape:
            raise ValueError(f"ours has the shape {a.shape}, theirs {b.shape}")
        apart, whole = apart + np.sum((a - b) ** 2), whole + np.sum(b**2)
    return float(np.sqrt(apart / whole))


def alike(difference: float, allowed: float = ALLOWED) -> bool:
    """Whether there is a comparison to time; NaN is no agreement."""
    return difference <= allowed


def unequal(difference: float, allowed: float = ALLOWED) -> str:
    """The sentence of a row that was not timed."""
    return f"not timed: the two differ by {difference:.1e}, more than {allowed:.0e}"


def milliseconds(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """The median of each call; they take turns."""
    return {name: median(times) for name, times in race(calls, rounds).items()}


def their_gigabytes(call: Call) -> float:
    """The most GB that PyTorch held on a GPU during a call; NaN on a CPU."""
    import torch

    if their_device() == "cpu":
        return float("nan")
    torch.cuda.reset_peak_memory_stats()
    call()
    return torch.cuda.max_memory_allocated() / 1e9


def largest(sizes: tuple[int, ...], attempt: Callable[[int], T]) -> tuple[int, T]:
    """The first of the sizes that the memory holds, and what the attempt returned."""
    for size in sizes:
        try:
            return size, attempt(size)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error) or size == sizes[-1]:
                raise
            print(f"{size} at once need more memory than there is", flush=True)
    raise ValueError("no size given")


def ready(program: Callable[..., Array], *arguments: Any) -> Call:
    """A call of a program that returns when its answer is there."""
    return lambda: jax.block_until_ready(program(*arguments))
