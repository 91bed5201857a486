"""Shared settings: CPU, full f32 precision, compiled programs kept between runs.

They are not optimised, and the older of XLA's two ways to compile a fusion makes them:
most tests run a program once, and compile a quarter as long.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
flags = os.environ.get("XLA_FLAGS", "")
older = "--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters"
os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=0 {older}"
# Weights that the user of this machine has installed are not the tests'.
os.environ["KERNEL_SPACE_HOME"] = str(Path(__file__).parent / "no-home")
sys.path.insert(0, str(Path(__file__).parent))

import jax  # noqa: E402
import pytest  # noqa: E402

CACHE = Path(__file__).parent.parent / ".cache" / "jax"
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
jax.config.update("jax_default_matmul_precision", "highest")

# Each compiled program holds maps of memory, of which Linux gives a process 65530; one
# that asks for more is killed.
MAPS, MOST_MAPS = Path("/proc/self/maps"), 30_000


@pytest.fixture(autouse=True, scope="module")
def few_programs():
    """Programs of earlier files are dropped where there are too many."""
    yield
    if MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()
