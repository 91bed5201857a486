"""Shared settings: CPU, full f32 precision, compiled programs kept between runs.

LLVM does not optimise them: most tests run a program once, and compile half as long.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
flags = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=0"
sys.path.insert(0, str(Path(__file__).parent))

import jax  # noqa: E402

CACHE = Path(__file__).parent.parent / ".cache" / "jax"
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
jax.config.update("jax_default_matmul_precision", "highest")
