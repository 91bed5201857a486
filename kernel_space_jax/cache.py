"""Compiled programs kept on disk, so that a second run starts at once."""

import os
import sys
from pathlib import Path

FOLDER = __name__.partition(".")[0]
VARIABLE, SETTING = "JAX_COMPILATION_CACHE_DIR", "jax_compilation_cache_dir"


def keep_compiled() -> None:
    """Sets JAX's compilation cache, unless the user has, or no folder can be written.

    JAX reads the variable when it is imported; importing it here would take a second.
    """
    if VARIABLE in os.environ:
        return
    jax = sys.modules.get("jax")
    if jax is not None and getattr(jax.config, SETTING) is not None:
        return
    folder = _folder()
    if folder is None:
        return
    if jax is None:
        os.environ[VARIABLE] = str(folder)
    else:
        jax.config.update(SETTING, str(folder))


def _folder() -> Path | None:
    """The folder for programs, made if need be; None if it cannot be written."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(home) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None
