"""Compiled programs kept on disk, so that a second run starts at once."""

import os
import sys
from pathlib import Path

FOLDER = __name__.partition(".")[0]
VARIABLE, SETTING = "JAX_COMPILATION_CACHE_DIR", "jax_compilation_cache_dir"
# The programs used longest ago go. With a bound JAX locks the folder, so that several
# runs can share it.
MOST_VARIABLE = "JAX_COMPILATION_CACHE_MAX_SIZE"
MOST_SETTING = "jax_compilation_cache_max_size"
MOST, UNBOUNDED = 2 * 2**30, -1  # bytes
LOCK, PROGRAM, USED = ".lockfile", "-cache", "-atime"  # JAX's names


def keep_compiled() -> None:
    """Sets JAX's compilation cache, unless the user has, or no folder can be written.

    JAX reads the variables when it is imported; importing it here would take a second.
    """
    if VARIABLE in os.environ:
        return
    jax = sys.modules.get("jax")
    if jax is not None and getattr(jax.config, SETTING) is not None:
        return
    folder = _folder()
    if folder is None:
        return
    _drop_torn(folder)
    if jax is None:
        os.environ[VARIABLE] = str(folder)
        os.environ.setdefault(MOST_VARIABLE, str(MOST))
    else:
        jax.config.update(SETTING, str(folder))
        if getattr(jax.config, MOST_SETTING) == UNBOUNDED:
            jax.config.update(MOST_SETTING, MOST)


def _folder() -> Path | None:
    """The folder for programs, made if need be; None if it cannot be written."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(home) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _drop_torn(folder: Path) -> None:
    """Deletes programs of runs that ended while they wrote: JAX would trip over them.

    A program is whole once the time of its use is written beside it.
    """
    torn = _torn(folder)
    if not torn:
        return
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, timeout=1):
            for program in torn & _torn(folder):
                program.unlink(missing_ok=True)
    except (OSError, Timeout):
        return  # The next run tries again.


def _torn(folder: Path) -> set[Path]:
    names = {path.name for path in folder.iterdir()}
    programs = {name for name in names if name.endswith(PROGRAM)}
    used = {name.removesuffix(USED) + PROGRAM for name in names}
    return {folder / name for name in programs - used}
