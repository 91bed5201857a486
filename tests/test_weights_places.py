"""Installed weights: where they go, who finds them, and what is said without them."""

import numpy as np
import pytest
from commands import BLURRY, assert_one_sentence, kernel_space_here
from golden import Golden

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.deblur import automatic
from kernel_space_jax.evaluation import methods
from kernel_space_jax.models import restorers


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("KERNEL_SPACE_HOME", str(folder))
    return folder


@pytest.fixture
def checkpoint(tmp_path):
    np.savez(tmp_path / "nafnet.npz", **Golden("nafnet_w8").weights())
    return tmp_path / "nafnet.npz"


def install(checkpoint, *more):
    return kernel_space_here("import-weights", "nafnet", checkpoint, "--install", *more)


def test_a_method_finds_installed_weights(home, checkpoint, tmp_path):
    y = ks.read(BLURRY).pixels[:64, :64]
    with pytest.raises(ks.UserError, match="no weights for nafnet are at hand"):
        ks.deblur(y, "nafnet")
    done = install(checkpoint, "--licence", "MIT")
    assert done.returncode == 0, done.stderr
    assert (home / "weights" / "nafnet.safetensors").is_file()
    given = weights.from_torch("nafnet", Golden("nafnet_w8").weights())
    found = ks.deblur(y, "nafnet").image
    np.testing.assert_array_equal(found, ks.deblur(y, "nafnet", weights=given).image)
    # The same by name, as `--weights nafnet`.
    named = ks.deblur(y, "nafnet", weights="nafnet").image
    np.testing.assert_array_equal(found, named)
    with pytest.raises(ks.UserError, match="nafnet-32 has"):
        ks.deblur(y, "nafnet-32")
    # Scores of a method are kept by its weights; auto may use them too.
    digest = weights.read_header("nafnet")["sha256"]
    for name in ("nafnet", "auto", "auto-balanced"):
        assert methods.named(name).identity == f"{name} {digest}"
    assert methods.named("auto-alone").identity == "auto-alone"


def test_auto_takes_any_installed_restorer(home):
    assert set(automatic.ORDER) == restorers.NETWORKS.keys()
    folder = weights.place("").parent
    folder.mkdir(parents=True)
    assert automatic.named("best") is None
    for name in ("compact", "nafnet-32", "nafnet-64"):
        (folder / f"{name}.safetensors").touch()
        assert automatic.named("best") == name


def test_weights_are_listed(home, checkpoint):
    assert "Installed" in (before := kernel_space_here("weights").stdout)
    assert install(checkpoint, "--licence", "MIT").returncode == 0
    after = kernel_space_here("weights").stdout
    assert f"Installed in {home / 'weights'}\n  nafnet: nafnet, " in after
    assert "MIT" in after and "MIT" not in before
    for text in (before, after):
        assert all(f"  {name}: " in text for name in weights.shipped())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-o", "x.safetensors"], "give -o FILE to write a weight file, or --install"),
        ([], "exists already"),
    ],
)
def test_what_cannot_be_installed(home, checkpoint, more, said):
    assert install(checkpoint).returncode == 0
    assert_one_sentence(install(checkpoint, *more), said)


def test_weights_of_xdg(tmp_path, monkeypatch):
    monkeypatch.delenv("KERNEL_SPACE_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert weights.home() == tmp_path / "kernel_space_jax"
