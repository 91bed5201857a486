"""MAXIM against the original program, and through the doors of its weights."""

import base64
import io
import json
import re
import tarfile
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import assert_one_sentence, kernel_space_here
from flax.traverse_util import unflatten_dict
from golden import Golden, largest_difference, relative_error
from goldens.det_flax import det_flax_params

from kernel_space_jax import UserError, weights
from kernel_space_jax.losses.pixel import charbonnier
from kernel_space_jax.models.layers import (
    downsample_bilinear,
    over_far,
    over_near,
    places,
    upsample_bilinear,
)
from kernel_space_jax.models.restorers import PRESETS, initial, restorer
from kernel_space_jax.models.restorers.maxim import MAXIM

FORWARD = 1e-4  # largest difference of an output, f32


def recorded(golden, stage, size):
    keys = [f"out/stage{stage}_scale{scale}_{size}" for scale in range(3)]
    return [golden[key] for key in keys]


@pytest.fixture(scope="module")
def params():
    return det_flax_params(str(Golden("maxim_small")["meta/det_flax"]))


@pytest.fixture(scope="module")
def small(params):
    """The recorded network of 4 features and two stages."""
    return Golden("maxim_small"), *weights.from_flax("maxim", params)


def test_options_are_read_off_the_arrays(small, params):
    _, module, variables = small
    assert module == MAXIM(
        features=4, stages=2, groups=2, bottlenecks=1, reduction=2, scales=3,
        blocks=(4, 4, 2, 2), grids=(4, 4, 2, 2),
    )  # fmt: skip
    nested = weights.from_flax("maxim", unflatten_dict(params, sep="/"))
    assert nested.module == module
    back = weights.to_tensors(module, variables)
    assert back.keys() == params.keys()
    assert all(np.array_equal(back[key], params[key]) for key in params)


def assert_agree(golden, stages, size):
    for stage, found in enumerate(stages):
        for x, wanted in zip(found, recorded(golden, stage, size), strict=True):
            assert largest_difference(x, wanted) < FORWARD


@pytest.mark.slow
def test_every_answer_agrees(small):
    golden, module, variables = small
    run = jax.jit(lambda variables, y: module.apply(variables, y, every=True))
    stages = run(variables, golden["in/x_64x32"])
    assert [len(found) for found in stages] == [3, 3]
    assert_agree(golden, stages, "64x32")


# A norm of four channels loses what it divides by: this recorded gradient is 1.1e-3
# from that of float64.
ROUNDED = (
    "stage_0_decoder_block_0/UNetEncoderBlock_0/SplitHeadMultiAxisGmlpLayer_0/"
    "GridGmlpLayer/GridGatingUnit/Dense_0/kernel"
)


@pytest.mark.slow
def test_gradients_agree(small):
    golden, module, variables = small
    y, target = golden["in/x_64x64"], golden["in/target"]

    def loss_fn(variables):
        stages = module.apply(variables, y, every=True)
        return charbonnier(stages[-1][-1], target) / target.size, stages

    run = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    with jax.enable_x64(True):
        exact, y, target = jax.tree.map(jnp.float64, (variables, y, target))
        (loss, stages), gradient = run(exact)
    assert_agree(golden, stages, "64x64")
    assert abs(loss / golden["out/charbonnier"] - 1) < 1e-5
    ours = weights.to_tensors(module, gradient)
    norms = [np.linalg.norm(ours[key]) for key in sorted(ours)]
    assert relative_error(norms, golden["out/grad_norms"]) < 1e-3
    wanted = golden.group("grad/")
    assert len(wanted) == 25
    for key, value in wanted.items():
        if value.any():
            allowed = 1.2e-3 if key == ROUNDED else 1e-3
            assert relative_error(ours[key], value) < allowed, key


@pytest.mark.slow
def test_published_size_agrees():
    golden = Golden("maxim_s3_full_detweights")
    params = det_flax_params(str(golden["meta/det_flax"]))
    module, variables = weights.from_flax("maxim-s3", params)
    assert module == restorer("maxim-s3")
    run = jax.jit(lambda variables, y: module.apply(variables, y, every=True))
    assert_agree(golden, run(variables, golden["in/x_64x64"]), "64x64")


@pytest.mark.parametrize("size", [(8, 12), (4, 4)])
@pytest.mark.parametrize("factor", [2, 4])
def test_other_sizes_are_those_of_jax(size, factor):
    x = noise(2, *size)
    resized = lambda sides: jax.image.resize(x, (2, *sides, 3), "linear")  # noqa: E731
    larger, smaller = [n * factor for n in size], [n // factor for n in size]
    assert largest_difference(upsample_bilinear(x, factor), resized(larger)) < 1e-6
    assert largest_difference(downsample_bilinear(x, factor), resized(smaller)) < 1e-6


@pytest.mark.parametrize("stages", [1, 2, 3])
@pytest.mark.parametrize(("size", "features"), [("s", 32), ("m", 64)])
def test_presets(size, features, stages):
    assert restorer(f"maxim-{size}{stages}") == MAXIM(features=features, stages=stages)
    says = f"MAXIM-{stages}{size.upper()} (Tu 2022)"
    assert PRESETS[f"maxim-{size}{stages}"].says == says


TINY = MAXIM(
    features=8, stages=1, groups=1, bottlenecks=1, reduction=1, scales=1,
    blocks=(2, 2), grids=(2, 4),
)  # fmt: skip


@pytest.fixture(scope="module")
def tiny():
    """x of y by one scale, whose sides must be multiples of 8."""
    variables = jax.jit(partial(initial, TINY))(jax.random.key(0))
    run = lambda y, dtype=None: TINY.clone(dtype=dtype).apply(variables, y)  # noqa: E731
    return jax.jit(run, static_argnames="dtype")


def noise(*size):
    return jnp.asarray(np.random.default_rng(0).random((*size, 3), np.float32))


def published(y):
    """y as the authors pad it, here to multiples of 8, and where it begins."""
    y = np.pad(y, ((0, 0), *[(0, n % 2) for n in y.shape[1:3]], (0, 0)), "reflect")
    spare = [-n % 8 // 2 for n in y.shape[1:3]]
    return np.pad(y, ((0, 0), *[(n, n) for n in spare], (0, 0)), "reflect"), spare


@pytest.mark.parametrize("size", [(13, 22), (1, 9)])
def test_any_size_is_padded_as_published(tiny, size):
    y = noise(2, *size)
    x = tiny(y)
    padded, (top, left) = published(y)
    assert padded.shape[1] % 8 == padded.shape[2] % 8 == 0
    whole = tiny(jnp.asarray(padded))
    wanted = whole[:, top : top + size[0], left : left + size[1]]
    assert largest_difference(x, wanted) < 1e-6


def test_a_batch_is_its_images(tiny):
    y = noise(2, 13, 22)
    both = tiny(y)
    for index in range(2):
        alone = tiny(y[index : index + 1])
        assert largest_difference(both[index : index + 1], alone) < 1e-5


@pytest.mark.parametrize("over", [over_far, over_near])
def test_strips_change_nothing(over, monkeypatch):
    """Neither the answer nor its gradient."""
    x, g = noise(2, 32, 48), noise(2, 32, 48)
    w = jax.random.normal(jax.random.key(0), (16, 16))

    def mixed(x, w):
        mix = lambda sets: jnp.tanh(jnp.einsum("ntmc,ts->nsmc", sets, w))  # noqa: E731
        return over(mix, x, 4)

    def found():
        y, back = jax.vjp(mixed, x, w)
        return y, *back(g)

    whole = found()
    monkeypatch.setattr(places, "STRIP", x.size // 4)
    assert "scan" in str(jax.make_jaxpr(mixed)(x, w))
    for strips, wanted in zip(found(), whole, strict=True):
        assert relative_error(strips, wanted) < 1e-5


def test_half_precision(tiny):
    y = noise(1, 16, 16)
    x = tiny(y, dtype=jnp.bfloat16)
    assert x.dtype == jnp.float32
    assert 1e-4 < largest_difference(x, tiny(y)) < 1


def test_options_that_do_not_fit():
    for wrong in ({"blocks": (2,)}, {"grids": (2,)}, {"scales": 4}, {"stages": 0}):
        with pytest.raises(UserError, match="has a block and a grid for each scale"):
            initial(restorer("maxim", **wrong), jax.random.key(0))


def test_the_authors_checkpoint(small, params, tmp_path):
    file = tmp_path / "checkpoint.npz"
    state = {"opt/state/step": np.int32(3)}
    np.savez(file, **state, **{f"opt/target/{k}": v for k, v in params.items()})
    found, wrapper = weights.import_file("maxim", file)
    assert (found.module, wrapper) == (small[1], "opt/target")
    jax.tree.map(np.testing.assert_array_equal, found.variables, small[2])


# A TensorFlow.js package as the registry has them, of the recorded parameters.

SCOPE = "StatefulPartitionedCall/jax2tf_apply_/Wrapper/backbone/"


def node(name, op, inputs, **attributes):
    return {"name": name, "op": op, "input": inputs, "attr": attributes}


def graph_model(params, packed=()):
    """model.json and its two shards, by name; `packed` arrays are quantised."""
    nodes, entries, data = [], [], b""
    equation = {"s": base64.b64encode(b"abcg,gf->abcf").decode()}
    for i, (key, value) in enumerate(params.items()):
        layer, _, leaf = key.rpartition("/")
        if re.match(r"stage_1_output_conv_[12]$", layer):
            continue
        start, name = SCOPE + layer, f"{SCOPE}{layer}/Reshape_{i}"
        if leaf == "kernel" and value.ndim == 2:
            name = f"StatefulPartitionedCall/jax2tf_arg_{i}/ReadVariableOp"
            use = node(
                f"{start}/einsum/Einsum", "Einsum", ["x", name], equation=equation
            )
        elif "ConvTranspose" in layer and leaf == "kernel":
            value = np.flip(value, (0, 1)).swapaxes(2, 3)
            op = "Conv2DBackpropInput"
            use = node(f"{start}/conv2d_transpose", op, ["sizes", name, "x"])
        elif leaf == "kernel":
            use = node(f"{start}/Conv2D", "Conv2D", ["x", name])
        else:
            value = value.reshape(1, 1, 1, -1)
            op = {"scale": "Mul", "bias": "AddV2"}[leaf]
            use = node(f"{start}/jit_fn_/{op}_1", op, ["x", name])
        nodes += [node(name, "Const", []), use]
        entry = {"name": name, "shape": list(value.shape), "dtype": "float32"}
        if key in packed:
            low, high = float(value.min()), float(value.max())
            scale = (high - low) / 255
            how = {"dtype": "uint8", "scale": scale, "min": low}
            entry["quantization"] = how
            value = np.round((value - low) / scale).astype(np.uint8)
        entries.append(entry)
        data += np.ascontiguousarray(value).tobytes()
    # Constants of the program, which are no parameters.
    for name, value in (("shape", np.array([1, 2], np.int32)), ("one", np.float32(1))):
        entries.append(
            {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
        )
        data += value.tobytes()
    paths = ["group1-shard1of2.bin", "group1-shard2of2.bin"]
    model = {
        "format": "graph-model",
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": paths, "weights": entries}],
    }
    half = len(data) // 2
    return {
        "model.json": json.dumps(model).encode(),
        **dict(zip(paths, (data[:half], data[half:]), strict=True)),
    }


def package(path, files, folder="package/models/"):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"../../evil": b"", **files}.items():
            member = tarfile.TarInfo(name if ".." in name else folder + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def unpacked(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / "model.json"


@pytest.mark.parametrize("make", [lambda t, f: package(t / "a.tgz", f), unpacked])
def test_a_registry_package(small, params, tmp_path, make):
    _, module, variables = small
    key = "stage_0_encoder_block_0/Conv_0/kernel"
    found, _ = weights.import_file("maxim", make(tmp_path, graph_model(params, [key])))
    assert found.module == module
    ours = weights.to_tensors(*found)
    for name, value in params.items():
        if name == key:
            step = np.ptp(value) / 255
            assert largest_difference(ours[name], value) < 0.51 * step
        elif "stage_1_output_conv_0" not in name and "stage_1_output_conv" in name:
            # No image depends on the smaller answers: graphs leave them out.
            assert not ours[name].any()
        else:
            np.testing.assert_array_equal(ours[name], value)
    assert list(tmp_path.parent.glob("**/evil")) == []


def changed(files, old, new):
    text = files["model.json"].decode()
    assert old in text
    return files | {"model.json": text.replace(old, new, 1).encode()}


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (
            lambda f: changed(f, '"Einsum"', '"MatMul"'),
            "into MatMul, which is no layer",
        ),
        (lambda f: changed(f, "group1-shard1of2", "../shard"), "is not the name of a"),
        (lambda f: changed(f, "group1-shard1of2", "none"), "is not a whole TensorFlow"),
        (
            lambda f: changed(f, '"dtype": "float32"', '"dtype": "string"'),
            "not a whole",
        ),
        (lambda f: f | {"group1-shard2of2.bin": b"ab"}, "is not a whole TensorFlow"),
        (lambda f: {"package.json": b"{}"}, "is not a whole TensorFlow.js graph model"),
        (
            lambda f: changed(f, "encoder_block_1/Conv_1/Conv2D", "other/Conv2D"),
            "the weights have no 'stage_0_encoder_block_1/Conv_1/kernel'",
        ),
    ],
)
def test_packages_that_are_refused(params, tmp_path, harm, says):
    file = package(tmp_path / "a.tgz", harm(graph_model(params)))
    output = tmp_path / "a.safetensors"
    result = kernel_space_here("import-weights", "maxim", file, "-o", output)
    assert_one_sentence(result, says)
    assert not output.exists()


def test_the_verb_stores_half_numbers(small, params, tmp_path):
    file = package(tmp_path / "a.tgz", graph_model(params))
    sizes = []
    for more in ((), ("--half",)):
        output = tmp_path / f"{len(more)}.safetensors"
        done = kernel_space_here("import-weights", "maxim", file, "-o", output, *more)
        assert done.returncode == 0, done.stderr
        sizes.append(output.stat().st_size)
    assert sizes[1] < 0.7 * sizes[0]
    module, variables = weights.load(tmp_path / "1.safetensors")
    assert module == small[1]
    kept = weights.to_tensors(module, variables)["stage_0_input_conv_0/kernel"]
    assert relative_error(kept, params["stage_0_input_conv_0/kernel"]) < 1e-3
