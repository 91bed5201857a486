"""The table of methods: options, help, methods and networks from outside."""

import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import BLURRY, WHOLE, assert_one_sentence, kernel_space_here

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.datasets import Record
from kernel_space_jax.deblur import METHODS, by_network, methods, network
from kernel_space_jax.deblur.by_network import check_preset
from kernel_space_jax.deblur.grid import cells_of, join_grid
from kernel_space_jax.deblur.view import prepare
from kernel_space_jax.drawing import draw_field, draw_grid
from kernel_space_jax.evaluation.methods import chosen, named
from kernel_space_jax.models.restorers import PRESETS
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.models.restorers.nafnet import NAFNet
from kernel_space_jax.operators import KernelField
from kernel_space_jax.solvers.tiles import tiles

PHOTO = ks.read(BLURRY).pixels[:64, :80]
# A value that each option may have.
VALUES = {
    "restorer": "none",
    "kernel_size": 7,
    "gamma": 2.0,
    "tile": 256,
    "solver": "half-quadratic",
    "saturates": False,
    "preset": "quick",
    "seed": 0,
    "vgg": None,
    "translator": None,
    "watch": print,
    "places": 2,
    "starts": 2,
    "space": None,
    "resize": True,
}
LACKED = [
    (row.name, option)
    for row in methods.table().values()
    for option in VALUES
    if not row.has(option)
]
# A method in one file: it needs no line of the package.
TOY = """
import sys
from kernel_space_jax.deblur import METHODS, Deblurred, Method, Option

def darken(photo, *, times, tell):
    tell(1, 1)
    return Deblurred(photo.y * 0.5**times)

times = Option("times", int, "How often.", 1)
METHODS["mine"] = Method("mine", "halves the light", darken, (times,))

import kernel_space_jax as ks
from kernel_space_jax.cli import main
from kernel_space_jax.datasets import Record
from kernel_space_jax.evaluation.methods import named

y = ks.read(sys.argv[2]).pixels
assert (ks.deblur(y, "mine", times=2).image == y / 4).all()
assert (named("mine").restore(Record("y", y, None, {})).image == y / 2).all()
main()
"""


def test_every_option_is_known_here():
    assert {o.name for row in methods.table().values() for o in row.options} == set(
        VALUES
    )


@pytest.mark.parametrize(("method", "option"), LACKED)
def test_an_option_that_a_method_lacks_is_refused_by_name(method, option):
    """Whatever its value, also the default, and who has it is said."""
    having = [row.name for row in methods.with_option(option)]
    with pytest.raises(ks.UserError, match=f"{option} is for .*{having[-1]}; {method}"):
        ks.deblur(PHOTO, method, **{option: VALUES[option]})


@pytest.mark.parametrize(("method", "option"), LACKED)
def test_the_command_line_agrees(tmp_path, method, option):
    typed = {
        "saturates": "--no-saturation",
        "vgg": "--vgg FILE",
        "space": "--space FILE",
        "watch": "--trace",
        "resize": "--resize",
    }
    spelled = f"--{option.replace('_', '-')} {VALUES[option]}"
    words = typed.get(option, spelled).split()
    done = kernel_space_here(
        "deblur", BLURRY, "-o", tmp_path / "out", "--method", method, *words
    )
    assert_one_sentence(done, words[0].replace("--no-", "--"))
    assert method in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_option_of_no_method():
    with pytest.raises(ks.UserError, match="no method has the option sharpness; map"):
        ks.deblur(PHOTO, "map", sharpness=1)


@pytest.mark.parametrize(
    ("method", "option", "value", "says"),
    [
        ("map", "kernel_size", 4, "give an odd size from 3 to 32"),
        ("auto", "gamma", 0.0, "gamma is 0.0; give a value from 0.1"),
        ("basis", "tile", 32, "tile is 32; give a value from 64"),
        ("basis", "solver", "magic", "no solver 'magic'"),
        ("nested", "preset", "slow", "no preset 'slow'"),
    ],
)
def test_a_value_that_cannot_be(tmp_path, method, option, value, says):
    with pytest.raises(ks.UserError, match=says):
        ks.deblur(PHOTO, method, **{option: value})
    small = tmp_path / "small.png"
    ks.write(small, ks.Photo(PHOTO))
    flag = f"--{option.replace('_', '-')}"
    words = ("-o", tmp_path / "out", "--method", method, flag, value)
    assert_one_sentence(kernel_space_here("deblur", small, *words), says)


def test_help_derives_from_the_table():
    named_there = kernel_space_here("evaluate", "--help").stdout
    # Lines break within long names too.
    named_there = "".join(named_there.replace("│", "").split())
    assert all(name in named_there for name in methods.table())
    text = " ".join(
        kernel_space_here("deblur", "--help").stdout.replace("│", "").split()
    )
    for row in methods.table().values():
        assert f"{row.name}: {row.says}" in text.replace("- ", "-"), row.name
        for option in row.options:
            if option.name != "watch":
                assert option.flags.split("/")[0] in text


def test_a_method_from_outside(tmp_path):
    """A function and a row: Python, the command line, its help and evaluations."""
    script = tmp_path / "toy.py"
    script.write_text(TOY)
    assert len(TOY.splitlines()) < 40
    run = lambda *words: subprocess.run(
        [sys.executable, script, *map(str, words)], capture_output=True, text=True
    )
    done = run("deblur", BLURRY, "-o", tmp_path, "--method", "mine", "--times", 1)
    assert done.returncode == 0, done.stderr
    half = ks.read(tmp_path / BLURRY.name).pixels
    np.testing.assert_allclose(half, ks.read(BLURRY).pixels / 2, atol=0.51 / 255)
    done = run("deblur", BLURRY, "-o", tmp_path, "--method", "map", "--times", 1)
    assert_one_sentence(done, "--times is for the method mine; map has no such option")


def test_shipped_weights_are_read_once(monkeypatch):
    read = []
    load = lambda name: read.append(name) or weights.load(name)
    monkeypatch.setattr(network, "load", load)
    network._read.cache_clear()
    row = replace(METHODS["basis"], run=lambda photo, **options: ks.Deblurred(photo.y))
    monkeypatch.setitem(METHODS, "basis", row)
    for _ in range(2):
        ks.deblur(PHOTO, "basis")
        named("basis").restore(Record("y", PHOTO, None, {}))
    assert read == [weights.shipped()["mender"]]


def test_the_grid_of_tiles_is_that_of_the_photo():
    """A field cut into tiles that overlap gives the kernels of the whole one."""
    field = KernelField(
        jax.random.uniform(jax.random.key(0), (1, 3, 9, 9)),
        jax.nn.softmax(jax.random.normal(jax.random.key(1), (1, 150, 170, 3))),
    )
    whole = join_grid([cells_of(field, tiles((150, 170), 200, 16)[0], (150, 170))], 16)
    parts = []
    for place in tiles((150, 170), 64, 16):
        masks = field.masks[:, place.rows, place.columns]
        parts.append(cells_of(field._replace(masks=masks), place, (150, 170)))
    assert len(parts) == 12
    np.testing.assert_allclose(join_grid(parts, 16), whole, atol=1e-6)
    y = jnp.zeros((1, 150, 170, 3))
    drawn = draw_grid(jnp.asarray(whole)[None], y)
    np.testing.assert_allclose(drawn, draw_field(field, y), atol=1e-6)


# Restorer networks.


def drawn(module, scale=0.1):
    """The network with random weights that change the photo."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    rng = np.random.default_rng(0)
    draw = lambda leaf: jnp.asarray(rng.normal(0, scale, leaf.shape), jnp.float32)
    return ks.Weights(module, jax.tree.map(draw, shapes))


@pytest.fixture
def compact(monkeypatch):
    """A small restorer, and its preset."""
    options = {"width": 4, "scales": 2, "blocks": 1}
    preset = PRESETS["compact"]._replace(options=options, says="a toy")
    monkeypatch.setitem(PRESETS, "toy", preset)
    return drawn(Compact(**options))


def test_each_preset_is_a_method(compact):
    assert set(PRESETS) < set(methods.table())
    whole = ks.deblur(PHOTO, "toy", weights=compact).image
    x = compact.module.apply(compact.variables, jnp.asarray(PHOTO)[None])[0]
    np.testing.assert_allclose(whole, jnp.clip(x, 0, 1), atol=1e-5)
    assert np.abs(whole - PHOTO).max() > 0.01
    grey = ks.deblur(PHOTO[..., :1], "toy", weights=compact).image
    three = ks.deblur(PHOTO[..., :1].repeat(3, -1), "toy", weights=compact).image
    np.testing.assert_allclose(grey, three @ ks.images.LUMA[:, None], atol=1e-5)


def test_a_stack_is_a_batch(compact, monkeypatch):
    """Several passes over a stack are the photos one by one, in as few programs."""
    photos = np.stack([PHOTO, PHOTO[::-1], PHOTO[:, ::-1]])
    seen, apply = [], by_network.apply
    spy = lambda network, y: seen.append(y.shape[0]) or apply(network, y)
    monkeypatch.setattr(by_network, "apply", spy)
    together = ks.deblur(photos, "toy", weights=compact).image
    few = ks.deblur(photos, "toy", weights=compact, tile=110).image
    assert seen == [3, 2, 2]
    for photo, one, other in zip(photos, together, few, strict=True):
        alone = ks.deblur(photo, "toy", weights=compact).image
        np.testing.assert_allclose(one, alone, atol=1e-5)
        np.testing.assert_allclose(other, alone, atol=1e-5)


@pytest.mark.parametrize(
    "module",
    [
        Compact(width=4, scales=2, blocks=1),
        # Its means are over windows of 12 pixels, and as many of each coarser scale.
        NAFNet(4, (1, 1), 1, (1, 1), train_size=8),
    ],
)
def test_a_large_photo_in_tiles(module):
    """Further from a tile's edge than the network sees, tiles are the whole photo."""
    reach, network = 48, drawn(module)
    photo, heard = prepare(ks.read(WHOLE / BLURRY.name).pixels), []
    (whole,) = by_network.deblur_by_network([photo], network=network)
    (tiled,) = by_network.deblur_by_network(
        [photo],
        network=network,
        tile=192,
        tell=lambda done, total: heard.append((done, total)),
    )
    places = tiles(photo.size, 192, 48)
    assert heard == [(n, 6) for n in range(1, 7)]
    far = np.ones(photo.size, bool)
    for place in places:
        for axis, pixels in enumerate((place.rows, place.columns)):
            rows = far if axis == 0 else far.T
            if pixels.start > 0:
                rows[pixels.start : pixels.start + reach] = False
            if pixels.stop < photo.size[axis]:
                rows[pixels.stop - reach : pixels.stop] = False
    assert far.mean() > 0.1
    change = np.abs(whole.image - photo.y)
    apart = np.abs(tiled.image - whole.image)
    assert change[far].max() > 0.01
    assert apart[far].max() < 1e-4
    # Elsewhere the mean of two answers, which differ as little as a border makes them.
    assert apart.mean() < 0.05 * change.mean()


def test_weights_of_a_preset(compact, tmp_path):
    for given, says in (
        (None, "no weights for nafnet-32 are at hand.*--weights FILE"),
        (compact, "of a Compact; the method nafnet-32 needs those of a NAFNet"),
        (drawn(NAFNet(8, (1,), 1, (1,))), "NAFNet of width 8.*nafnet-32 has width 32"),
    ):
        with pytest.raises(ks.UserError, match=says):
            ks.deblur(PHOTO, "nafnet-32", weights=given)
    # What changes no weight, as a training size, is the file's own.
    check_preset("nafnet-32", NAFNet(32, train_size=128))
    done = kernel_space_here(
        "deblur", BLURRY, "-o", tmp_path / "out", "--method", "nafnet-64"
    )
    assert_one_sentence(done, "no weights for nafnet-64 are at hand")


def test_weights_of_any_size_go_by_the_name_of_their_network():
    small = drawn(NAFNet(8, (1,), 1, (1,)))
    found = ks.deblur(PHOTO, "nafnet", weights=small).image
    x = small.module.apply(small.variables, jnp.asarray(PHOTO)[None])[0]
    np.testing.assert_allclose(found, jnp.clip(x, 0, 1), atol=1e-5)


def test_a_restorer_is_evaluated_as_it_deblurs(compact, tmp_path):
    file = tmp_path / "net.safetensors"
    weights.write(file, *compact, origin="a draw", licence="CC0-1.0")
    small, record = tmp_path / "small.png", Record("y", PHOTO, None, {})
    ks.write(small, ks.Photo(PHOTO))
    done = kernel_space_here(
        *("deblur", small, "-o", tmp_path / "out"),
        *("--method", "toy", "--weights", file),
    )
    assert done.returncode == 0, done.stderr
    written = ks.read(tmp_path / "out" / "small.png").pixels
    for made in (chosen([], [file]), chosen(["toy"], [file])):
        (method,) = made
        assert method.label == "net"
        image = method.restore(record).image
        np.testing.assert_allclose(image, written, atol=0.51 / 255)
    with pytest.raises(ks.UserError, match="those of a NAFNet"):
        chosen(["nafnet-32"], [file])
    with pytest.raises(ks.UserError, match="no weights for toy.*--weights FILE"):
        chosen(["toy"], [])


def test_evaluations_know_every_method():
    for name, row in methods.table().items():
        if row.networks and not row.ships:
            with pytest.raises(ks.UserError, match="--weights FILE"):
                named(name)
        else:
            assert named(name).label == name
    assert named("selfdeblur-quick").label == "selfdeblur-quick"
    with pytest.raises(ks.UserError, match="no method 'guess'; choose one of blurry"):
        named("guess")
