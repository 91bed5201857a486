"""Weights: every tensor accounted for, files that know what they hold."""

from pathlib import Path

import jax
import numpy as np
import pytest
from golden import Golden
from safetensors.numpy import load_file, save_file

from kernel_space_jax import UserError, weights

ROOT = Path(__file__).parents[1]


@pytest.fixture
def state_dict():
    return Golden("kw_vae_nf4").weights()


@pytest.fixture
def file(tmp_path, state_dict):
    module, variables = weights.from_torch("kernel_space", state_dict)
    path = tmp_path / "space.safetensors"
    weights.write(path, module, variables, origin="a test", licence="CC0-1.0")
    return path


def test_options_are_read_off_the_tensors(state_dict):
    module, _ = weights.from_torch("kernel_space", state_dict)
    assert (module.width, module.code_width, module.variational) == (4, 32, True)
    assert (module.front_blocks, module.back_blocks, module.code_blocks) == (2, 2, 1)
    assert (module.padding, module.norm) == ("reflect", "none")


def test_a_file_gives_back_what_was_written(file, state_dict):
    module, variables = weights.from_torch("kernel_space", state_dict)
    read = weights.load(file)
    assert read.module == module
    jax.tree.map(np.testing.assert_array_equal, read.variables, variables)
    header = weights.read_header(file)
    assert header["architecture"] == "kernel_space"
    assert (header["origin"], header["licence"]) == ("a test", "CC0-1.0")


def test_what_is_shipped_is_whole_and_named():
    names = weights.shipped()
    assert "kernel-space" in names
    cards = (ROOT / "docs" / "weights.md").read_text()
    for name, path in names.items():
        module, _ = weights.load(name)
        header = weights.read_header(name)
        assert header["sha256"] in cards and header["licence"] == "Apache-2.0"
        assert path.stat().st_size < 12e6
        assert type(module).__name__ in cards


def test_half_the_size(file, state_dict, tmp_path):
    module, variables = weights.from_torch("kernel_space", state_dict)
    small = tmp_path / "half.safetensors"
    weights.write(small, module, variables, origin="", licence="", half=True)
    assert small.stat().st_size < 0.6 * file.stat().st_size
    read = weights.load(small)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(read.variables)} == {"float32"}
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6),
        read.variables,
        variables,
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("wrap", ["plain", "params", "module."])
def test_real_pytorch_files_are_read(tmp_path, state_dict, wrap, dtype):
    torch = pytest.importorskip("torch")
    tensors = {
        k: torch.tensor(v).to(getattr(torch, dtype)) for k, v in state_dict.items()
    }
    if wrap == "params":
        tensors = {"params": tensors}
    elif wrap == "module.":
        tensors = {f"module.{key}": value for key, value in tensors.items()}
    torch.save(tensors, tmp_path / "a.pth")
    read = weights.read_torch_file(tmp_path / "a.pth")
    assert read.keys() == state_dict.keys()
    tolerance = 0 if dtype == "float32" else 0.01
    for key, value in state_dict.items():
        np.testing.assert_allclose(read[key], value, rtol=tolerance)


def expect(says, call, *arguments, **options):
    with pytest.raises(UserError, match=says):
        call(*arguments, **options)


def test_state_dicts_that_do_not_fit(state_dict):
    convert = weights.from_torch
    expect("no architecture 'nafnet'; choose one of", convert, "nafnet", {})
    expect("has no 'model.3.0.weight'|no 'model", convert, "image_prior", state_dict)
    missing = dict(state_dict)
    del missing["recon_trunk.0.conv2.bias"]
    expect("no 'recon_trunk.0.conv2.bias'", convert, "kernel_space", missing)
    spare = {**state_dict, "extra.weight": np.zeros(3)}
    expect(
        "'extra.weight', which kernel_space has no use", convert, "kernel_space", spare
    )
    wrong = {**state_dict, "feature_extractor.0.bias": np.zeros(5)}
    expect(
        r"'feature_extractor.0.bias' has the shape \(5,\)",
        convert,
        "kernel_space",
        wrong,
    )
    expect("the weights say width=4", convert, "kernel_space", state_dict, width=8)
    expect("has no option 'depth'", convert, "kernel_space", state_dict, depth=8)
    expect(
        "padding='mirror' is none of zero, reflect, replicate",
        convert,
        "kernel_space",
        state_dict,
        padding="mirror",
    )
    expect(
        "no 'kernel_extractor.model.19.conv_block.0.weight'",
        convert,
        "kernel_space",
        state_dict,
        padding="zero",
    )


def test_damaged_files(tmp_path, file):
    expect("does not exist", weights.load, tmp_path / "none.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_text("not weights")
    expect("is not a weight file", weights.load, text)
    bare = tmp_path / "bare.safetensors"
    save_file(load_file(file), bare)
    expect("does not say its", weights.load, bare)
    changed = tmp_path / "changed.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    expect("is damaged", weights.load, changed)
