"""Trained networks taken out: as one weight file, or as one StableHLO program."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

from kernel_space_jax import weights
from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.files import write_whole
from kernel_space_jax.models.kernel_space import STRIDE, KernelSpace
from kernel_space_jax.models.restorers import applied
from kernel_space_jax.training.checkpoint import Checkpoints
from kernel_space_jax.training.config import build_task
from kernel_space_jax.training.engine import first_state
from kernel_space_jax.training.workdir import CHECKPOINTS, read_config
from kernel_space_jax.weights.files import ROLES


class Exported(NamedTuple):
    """Which checkpoint was written, and what its file hashes to."""

    step: int
    sha256: str


def export_weights(
    workdir: Path,
    output: Path,
    *,
    step: int | None = None,
    licence: str = "unknown",
    half: bool = False,
    network: str | None = None,
) -> Exported:
    """Writes one network of one checkpoint (the best by default) as a weight file.

    `network` is its name in the task; by default it is the task's first.
    """
    config = read_config(workdir)
    config.init_from = ""
    task = build_task(config)
    checkpoints = Checkpoints(workdir / CHECKPOINTS, keep=config.keep, best=config.best)
    try:
        steps = checkpoints.steps()
        if not steps:
            raise UserError(f"{workdir} holds no checkpoint yet")
        if step is not None and step not in steps:
            known = ", ".join(map(str, steps))
            raise UserError(f"{workdir} has no checkpoint {step}; it has {known}")
        like = jax.eval_shape(lambda: first_state(config, task))
        found = checkpoints.restore(like, step or checkpoints.best_step())
    finally:
        checkpoints.close()
    assert found is not None
    networks = task.networks(found.state.task)
    name = network or next(iter(networks))
    if name not in networks:
        raise UserError(
            f"{workdir} trains no network {name!r}; it has {', '.join(networks)}"
        )
    module, variables = networks[name]
    origin = f"kernel_space_jax, {workdir.name}, step {found.step}"
    role = name if name in ROLES else ""
    digest = weights.write(
        output, module, variables, origin=origin, licence=licence, half=half, role=role
    )
    return Exported(found.step, digest)


def export_stablehlo(
    file: Path,
    method: str | None,
    output: Path,
    *,
    size: int = 256,
    platforms: list[str],
) -> int:
    """Writes `method` of a weight file for images (n, size, size, 3), any n.

    Without a method it is the network's answer to images, as a restorer's.
    Load with `jax.export.deserialize(bytes).call(...)`. Returns the bytes written.
    """
    from jax import export

    module, variables = weights.load(file)
    n = export.symbolic_shape("n")[0]
    images = jax.ShapeDtypeStruct((n, size, size, 3), jnp.float32)
    arguments = [images]
    if isinstance(module, KernelSpace):
        grid = max(module.least_grid, -(-size // STRIDE))
        code = jax.ShapeDtypeStruct((n, grid, grid, module.code_width), jnp.float32)
        arguments.append(code if method == "blur" else images)
    if method is None and isinstance(module, KernelSpace):
        raise UserError("a kernel space has several methods; name blur or extract")
    own = [name for name, value in vars(type(module)).items() if callable(value)]
    public = [name for name in own if name[0] != "_" and name != "setup"]
    if method is not None and method not in public:
        raise unknown("method of the network", method, public)
    call = jax.jit(lambda *args: applied(module, variables, *args, method=method))
    try:
        program = export.export(call, platforms=platforms)(*arguments)
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        what = method or "the network"
        raise UserError(f"{what} cannot be exported: {reason}") from None
    data = program.serialize()
    write_whole(output, bytes(data))
    return len(data)
