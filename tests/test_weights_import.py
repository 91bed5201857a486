"""`import-weights`: real files of each kind, their wrappers, and what is refused."""

import re
import sys

import jax
import ml_dtypes
import numpy as np
import pytest
from commands import assert_one_sentence, kernel_space, kernel_space_here
from golden import Golden
from safetensors.numpy import save_file

from kernel_space_jax import UserError, weights
from kernel_space_jax.weights.options import parsed


@pytest.fixture(scope="module")
def state_dict():
    return Golden("nafnet_w8").weights()


@pytest.fixture(scope="module")
def expected(state_dict):
    return weights.from_torch("nafnet", state_dict)


def torch_file(path, content):
    torch = pytest.importorskip("torch")
    tensors = lambda x: torch.tensor(x) if isinstance(x, np.ndarray) else x
    torch.save(jax.tree.map(tensors, content), path)
    return path


def assert_imported(expected, path, wrapper=""):
    (module, variables), found = weights.import_file("nafnet", path)
    assert (module, found) == (expected.module, wrapper)
    jax.tree.map(np.testing.assert_array_equal, variables, expected.variables)


def below(prefix, tensors):
    return {prefix + key: value for key, value in tensors.items()}


def flat_file(path, content):
    """The same as .npz, which needs no PyTorch: "params.intro.weight" and so on."""
    paths = jax.tree_util.tree_leaves_with_path(content)
    named = [(".".join(str(key.key) for key in keys), leaf) for keys, leaf in paths]
    np.savez(path, **dict(named))
    return path


@pytest.mark.parametrize(
    ("write", "name"), [(torch_file, "a.pth"), (flat_file, "a.npz")]
)
@pytest.mark.parametrize(
    ("wrap", "wrapper"),
    [
        (lambda sd: sd, ""),
        (lambda sd: {"params": sd}, "params"),
        (lambda sd: {"params_ema": sd}, "params_ema"),
        (
            lambda sd: {"params": {k: v + 1 for k, v in sd.items()}, "params_ema": sd},
            "params_ema",
        ),
        (
            lambda sd: {"state_dict": sd, "epoch": 3, "optimizer": {"state": {0: sd}}},
            "state_dict",
        ),
        (lambda sd: {"generator": sd, "critic": below("main.", sd)}, "generator"),
        (lambda sd: {"g_ema": sd, "generator": {}}, "g_ema"),
        (lambda sd: below("module.", sd), ""),
        (lambda sd: {"model": below("module.module.", sd)}, "model"),
        (lambda sd: {"state_dict": below("module.net.", sd)}, "state_dict.net"),
    ],
)
def test_wrappers_are_seen_through(
    tmp_path, state_dict, expected, wrap, wrapper, write, name
):
    assert_imported(expected, write(tmp_path / name, wrap(state_dict)), wrapper)


def test_layers_that_are_called_model_are_no_wrapper():
    tensors = Golden("kerneldip_nf4").weights()
    _, expected = weights.from_torch("kernel_prior", tensors)
    for wrapped in (below("model.", tensors), below("module.net.", tensors)):
        _, variables = weights.from_torch("kernel_prior", wrapped)
        jax.tree.map(np.testing.assert_array_equal, variables, expected)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_half_numbers_are_read(tmp_path, state_dict, expected, name):
    file = tmp_path / name
    if file.suffix == ".pth":
        torch = pytest.importorskip("torch")
        torch.save({k: torch.tensor(v).bfloat16() for k, v in state_dict.items()}, file)
    else:
        halves = {k: v.astype(ml_dtypes.bfloat16) for k, v in state_dict.items()}
        save_file(halves, file)
    (_, variables), _ = weights.import_file("nafnet", file)
    jax.tree.map(
        lambda leaf, whole: np.testing.assert_array_equal(
            leaf, whole.astype(ml_dtypes.bfloat16).astype(np.float32)
        ),
        variables,
        expected.variables,
    )


@pytest.mark.parametrize(
    ("library", "file", "extra"),
    [("torch", "a.pth", "torch"), ("tensorflow", "a.index", "tf")],
)
def test_a_library_that_is_not_installed(tmp_path, monkeypatch, library, file, extra):
    monkeypatch.setitem(sys.modules, library, None)
    (tmp_path / file).touch()
    verb = ("import-weights", "nafnet", tmp_path / file, "-o", tmp_path / "o")
    says = f"pip install '.[{extra}]'"
    assert_one_sentence(kernel_space_here(*verb), says)


def test_files_that_need_no_pytorch(tmp_path, state_dict, expected):
    save_file(state_dict, tmp_path / "a.safetensors", {"format": "pt"})
    assert_imported(expected, tmp_path / "a.safetensors")
    both = below("params.", {k: v + 1 for k, v in state_dict.items()})
    np.savez(tmp_path / "a.npz", **both, **below("params_ema.", state_dict))
    assert_imported(expected, tmp_path / "a.npz", "params_ema")


def damaged(file):
    file.write_bytes(file.read_bytes()[:-2000])
    return file


def test_files_that_are_none(tmp_path, state_dict):
    def refused(file, says):
        with pytest.raises(UserError, match=says):
            weights.import_file("nafnet", file)

    refused(tmp_path / "none.pth", "none.pth does not exist")
    refused(tmp_path, "is a folder; give the checkpoint file")
    for name in ("text.pth", "text.safetensors", "text.npz"):
        (tmp_path / name).write_text("hello")
    refused(tmp_path / "text.safetensors", "is not a whole safetensors file")
    refused(tmp_path / "text.npz", "is not a whole .npz file")
    save_file(state_dict, tmp_path / "short.safetensors")
    refused(damaged(tmp_path / "short.safetensors"), "is not a whole safetensors file")
    np.savez(tmp_path / "short.npz", **state_dict)
    refused(damaged(tmp_path / "short.npz"), "is not a whole .npz file")
    np.savez(tmp_path / "objects.npz", a=np.array([{"a": 1}]))
    refused(tmp_path / "objects.npz", "is not a whole .npz file of plain arrays")
    ours = tmp_path / "ours.safetensors"
    made = weights.from_torch("nafnet", state_dict)
    weights.write(ours, *made, origin="", licence="")
    refused(ours, "is one of our weight files already")

    torch = pytest.importorskip("torch")
    refused(tmp_path / "text.pth", "is not a PyTorch weight file")
    short = damaged(torch_file(tmp_path / "short.pth", state_dict))
    refused(short, "is not a PyTorch weight file")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    refused(tmp_path / "module.pth", "holds more than tensors, which could run code")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    refused(tmp_path / "empty.pth", "holds no state dict")


def test_the_verb(tmp_path, state_dict, expected):
    np.savez(tmp_path / "a.npz", **below("params_ema.", state_dict))
    file = tmp_path / "a.safetensors"
    verb = ("import-weights", "nafnet", tmp_path / "a.npz", "-o", file)
    result = kernel_space(*verb, "--option", "train_size=0", "--licence", "MIT")
    assert result.returncode == 0, result.stderr
    count = sum(leaf.size for leaf in jax.tree.leaves(expected.variables))
    assert f"nafnet, {count:,} parameters of 'params_ema', sha256" in result.stdout
    module, variables = weights.load(file)
    assert module == expected.module.clone(train_size=0)
    jax.tree.map(np.testing.assert_array_equal, variables, expected.variables)


@pytest.mark.parametrize(
    ("arch", "options", "says"),
    [
        ("nafnet-32", (), "the weights say width=8, and nafnet-32 has 32; import"),
        ("nafnet", ("train_size",), "--option train_size is not NAME=VALUE"),
        ("nafnet", ("train_size=x",), "train_size='x' does not fit"),
        ("nafnet", ("train_size=-1",), "train_size=-1 does not fit"),
        ("nafnet", ("train_size=1", "train_size=2"), "'train_size' is given twice"),
        ("nafnet", ("depth=3",), "nafnet has no option 'depth'; it has decoder_"),
        ("nafnet", ("path=3",), "nafnet has no option 'path'"),
        ("nafnet", ("dtype=bfloat16",), "nafnet has no option 'dtype'"),
        ("nafnet", ("encoder_blocks=1,1",), "the weights say encoder_blocks=(1, 1, 2)"),
        ("nafnet", ("encoder_blocks=1,a",), "takes values with commas between"),
        ("compact", (), "compact is the project's own"),
        ("mender", (), "mender is the project's own"),
    ],
)
def test_the_verb_refuses(tmp_path, state_dict, arch, options, says):
    np.savez(tmp_path / "a.npz", **state_dict)
    file = tmp_path / "a.safetensors"
    more = [word for option in options for word in ("--option", option)]
    result = kernel_space_here(
        "import-weights", arch, tmp_path / "a.npz", "-o", file, *more
    )
    assert_one_sentence(result, says)
    assert not file.exists()


def test_options_as_they_are_typed():
    texts = {
        "padding=zero": "zero", "gamma=2.2": 2.2, "even=true": True, "width=8": 8,
        "blocks=1,1,28": (1, 1, 28), "layers=relu1_1,relu2_2": ("relu1_1", "relu2_2"),
        "layers=relu2_2,": ("relu2_2",), "sizes=[2, 3]": [2, 3],
    }  # fmt: skip
    for text, value in texts.items():
        assert parsed([text]) == {text.partition("=")[0]: value}


def test_the_verb_keeps_its_input(tmp_path, state_dict):
    file = tmp_path / "a.safetensors"
    save_file(state_dict, file)
    (tmp_path / "b.safetensors").symlink_to(file)
    for output in (file, tmp_path / "b.safetensors"):
        result = kernel_space_here("import-weights", "nafnet", file, "-o", output)
        assert_one_sentence(result, "would overwrite its own input; give another")
    (tmp_path / "model.index").write_bytes(b"")
    index = tmp_path / "model.index"
    result = kernel_space_here("import-weights", "nafnet", index, "-o", index)
    assert_one_sentence(result, "would overwrite its own input")


def test_its_help_lists_the_networks():
    text = kernel_space_here("import-weights", "--help").stdout
    words = re.findall(r"[\w-]+", text)
    assert {"kernel_space", "lpips", "nafnet", "nafnet-32", "nafnet-64"} <= set(words)
    assert "mender" not in words
