"""Weights: every tensor accounted for, files that know what they hold."""

import hashlib
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import pytest
from golden import Golden
from safetensors.numpy import load_file, save_file

from kernel_space_jax import UserError, weights
from kernel_space_jax.models.restorers import Compact

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


def expect(says, call, *arguments, **options):
    with pytest.raises(UserError, match=says):
        call(*arguments, **options)


def test_state_dicts_that_do_not_fit(state_dict):
    convert = weights.from_torch
    expect(
        "no architecture 'unet' .did you mean 'mimo_unet'.*; choose one of",
        convert,
        "unet",
        {},
    )
    expect("has no 'model.3.0.weight'|no 'model", convert, "image_prior", state_dict)
    missing = dict(state_dict)
    del missing["recon_trunk.0.conv2.bias"]
    expect("no 'recon_trunk.0.conv2.bias'", convert, "kernel_space", missing)
    spare = {**state_dict, "extra.weight": np.zeros(3)}
    expect(
        "'extra.weight', which kernel_space has no use", convert, "kernel_space", spare
    )
    # A bias of a layer that we know, but that has none here.
    spare = {**state_dict, "adapter.model.down.0.bias": np.zeros(4)}
    expect("'adapter.model.down.0.bias', which", convert, "kernel_space", spare)
    for bad in (np.nan, np.inf, 1e300):
        broken = {**state_dict, "feature_extractor.0.bias": np.full(4, bad)}
        says = "'feature_extractor.0.bias' holds NaN or infinite"
        expect(says, convert, "kernel_space", broken)
    words = {**state_dict, "feature_extractor.0.bias": np.array(list("abcd"))}
    expect("'feature_extractor.0.bias' holds <U1", convert, "kernel_space", words)
    wrong = {**state_dict, "feature_extractor.0.bias": np.zeros(5)}
    expect(
        r"'feature_extractor.0.bias' has the shape \(5,\)",
        convert,
        "kernel_space",
        wrong,
    )
    expect("the weights say width=4", convert, "kernel_space", state_dict, width=8)
    expect("has no option 'depth'", convert, "kernel_space", state_dict, depth=8)
    text = "tail_width='8' does not fit; tail_width takes a whole number"
    expect(text, convert, "kernel_space", state_dict, tail_width="8")
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


def rewritten(file, path, tensors=None, **header):
    """A copy of a weight file with other words in its header."""
    read = weights.read_header(file)
    save_file(tensors or load_file(file), path, read | header)
    return path


def test_the_sha256_covers_the_options(tmp_path, file):
    options = weights.read_header(file)["options"]
    other = options.replace("reflect", "replicate")
    changed = rewritten(file, tmp_path / "changed.safetensors", options=other)
    expect("is damaged", weights.load, changed)
    changed = rewritten(file, changed, architecture="kernel_prior")
    expect("is damaged", weights.load, changed)


def test_files_of_older_versions(tmp_path):
    """Their sha256 covers the tensors alone; the small restorer was "restorer"."""
    module = Compact(width=4, scales=2, blocks=1)
    variables = module.init(jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))
    file = tmp_path / "compact.safetensors"
    weights.write(file, module, variables, origin="a test", licence="CC0-1.0")
    assert weights.read_header(file)["architecture"] == "compact"

    tensors, digest = load_file(file), hashlib.sha256()
    for key in sorted(tensors):
        digest.update(f"{key} {tensors[key].dtype} {tensors[key].shape}".encode())
        digest.update(tensors[key].tobytes())
    old = {"architecture": "restorer", "sha256": digest.hexdigest()}
    path = rewritten(file, tmp_path / "old.safetensors", **old)
    read = weights.load(path)
    assert read.module == module
    jax.tree.map(np.testing.assert_array_equal, read.variables, variables)
    assert weights.read_header(path)["architecture"] == "compact"

    tensors["params/last/bias"] = tensors["params/last/bias"] + 1
    expect("is damaged", weights.load, rewritten(path, path, tensors, **old))
    for options in ('{"deep": 1}', '{"width": "x"}', '{"blocks": -1}', "[1]", "{"):
        more = rewritten(file, tmp_path / "a.safetensors", **old, options=options)
        expect("is no compact of this version: its options are", weights.load, more)


def test_a_module_of_no_table(tmp_path):
    says = "no weight file can hold a Dense"
    expect(says, weights.write, tmp_path / "a", nn.Dense(1), {}, origin="", licence="")
