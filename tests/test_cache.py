"""The folder of compiled programs: whose it is, that it is bounded and shared."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from kernel_space_jax import cache

# Three programs of some kilobytes each; what JAX warns of is an error.
COMPILES = """
import warnings
warnings.simplefilter("error", UserWarning)
import kernel_space_jax, jax
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
for n in (1, 2, 3):
    assert jax.jit(lambda x: x**n + n)(2.0) == 2**n + n
"""


@pytest.mark.parametrize(
    ("variables", "own", "expected"),
    [
        ({"XDG_CACHE_HOME": "{}/cache"}, None, "{}/cache/kernel_space_jax"),
        ({"HOME": "{}", "XDG_CACHE_HOME": ""}, None, "{}/.cache/kernel_space_jax"),
        ({"JAX_COMPILATION_CACHE_DIR": "{}/own"}, None, None),
        ({"XDG_CACHE_HOME": "{}/cache"}, "/of/the/user", "/of/the/user"),
        ({"XDG_CACHE_HOME": "{}/file"}, None, None),
    ],
)
@pytest.mark.parametrize("jax_is_there", [True, False])
def test_python_keeps_compiled_programs_too(
    tmp_path, monkeypatch, variables, own, expected, jax_is_there
):
    """As the command line does; the user's own setting stays."""
    place = lambda text: text and text.replace("{}", str(tmp_path))
    (tmp_path / "file").touch()
    for name in (cache.VARIABLE, cache.MOST_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, place(value))
    settings: dict = {cache.SETTING: own, cache.MOST_SETTING: cache.UNBOUNDED}
    config = SimpleNamespace(update=settings.__setitem__, **settings)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(config=config))
    if not jax_is_there:
        if own:
            return  # nobody has set anything yet
        monkeypatch.delitem(sys.modules, "jax")
    cache.keep_compiled()
    found = os.environ.get(cache.VARIABLE)
    if jax_is_there:
        assert settings[cache.SETTING] == place(expected)
        ours = expected is not None and own is None
        assert settings[cache.MOST_SETTING] == (cache.MOST if ours else cache.UNBOUNDED)
    elif cache.VARIABLE in variables:
        assert found == place(variables[cache.VARIABLE])
    else:
        assert found == place(expected)
        most = os.environ.get(cache.MOST_VARIABLE)
        assert most == (expected and str(cache.MOST))
    for name in (cache.VARIABLE, cache.MOST_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_runs_share_the_folder_and_keep_it_small(tmp_path):
    """A program of a run that was killed is no hindrance."""
    folder = tmp_path / cache.FOLDER
    folder.mkdir()
    torn = folder / f"jit_torn{cache.PROGRAM}"
    torn.write_bytes(b"half of a prog")
    kept = {cache.VARIABLE, cache.MOST_VARIABLE}
    env = {name: value for name, value in os.environ.items() if name not in kept}
    env["XDG_CACHE_HOME"] = str(tmp_path)

    def run(**more: str) -> None:
        runs = [
            subprocess.Popen([sys.executable, "-c", COMPILES], env=env | more)
            for _ in range(2)
        ]
        assert [one.wait() for one in runs] == [0, 0]

    run()
    sizes = [program.stat().st_size for program in folder.glob(f"*{cache.PROGRAM}")]
    assert len(sizes) >= 3 and not torn.exists()
    # With room for two the least used is dropped when a new one comes.
    most = sum(sizes) - min(sizes) // 2
    env["JAX_PLATFORMS"], env["XLA_FLAGS"] = "cpu", "--xla_cpu_enable_fast_math=true"
    run(**{cache.MOST_VARIABLE: str(most)})
    after = [program.stat().st_size for program in folder.glob(f"*{cache.PROGRAM}")]
    assert 0 < sum(after) <= most
