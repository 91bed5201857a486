"""Photos as people have them: what is taken is one photo, what is not is a sentence."""

import jax.numpy as jnp
import numpy as np
import pytest
from commands import BLURRY
from PIL import Image

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.deblur import METHODS, Method
from kernel_space_jax.pixels import as_pixels

PHOTO = ks.read(BLURRY)
PIXELS = PHOTO.pixels
BYTES = np.rint(PIXELS * 255).astype(np.uint8)


def torch_tensor(photo):
    return pytest.importorskip("torch").tensor(photo)


def with_alpha(photo, alpha):
    return np.concatenate([photo, np.full_like(photo[..., :1], alpha)], -1)


# The photo as float32 in [0, 1], exactly.
SAME = {
    "uint8": lambda: BYTES,
    "uint16": lambda: BYTES.astype(np.uint16) * 257,
    "big-endian": lambda: BYTES.astype(">u2") * 257,
    "float64": lambda: PIXELS.astype(np.float64),
    "not contiguous": lambda: PIXELS[::-1][::-1],
    "Photo": lambda: PHOTO,
    "path": lambda: BLURRY,
    "str": lambda: str(BLURRY),
    "PIL": lambda: Image.open(BLURRY),
    "PIL with alpha": lambda: Image.open(BLURRY).convert("RGBA"),
    "RGBA": lambda: with_alpha(BYTES, 7),
    "RGBA floats": lambda: with_alpha(PIXELS, 0.3),
    "jax": lambda: jnp.asarray(PIXELS),
    "jax uint8": lambda: jnp.asarray(BYTES),
    "torch": lambda: torch_tensor(PIXELS),
    "torch uint8": lambda: torch_tensor(BYTES),
    "torch with a gradient": lambda: torch_tensor(PIXELS).requires_grad_(),
}


@pytest.mark.parametrize("kind", SAME)
def test_one_photo_in_many_kinds(kind):
    found = as_pixels(SAME[kind]())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, PIXELS, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "torch bfloat16"])
def test_floats_of_few_bits_are_near(kind):
    if kind == "torch bfloat16":
        photo = torch_tensor(PIXELS).bfloat16()
    else:
        photo = jnp.asarray(PIXELS).astype(kind)
        photo = np.asarray(photo) if kind == "float16" else photo
    np.testing.assert_allclose(as_pixels(photo), PIXELS, atol=2**-8)


def test_grey_photos():
    grey = BYTES[..., 1]
    expected = grey[..., None] / np.float32(255)
    alpha = np.full_like(grey, 9)
    palette = Image.fromarray(grey).convert("P")
    kinds = grey, grey[..., None], np.stack([grey, alpha], -1), Image.fromarray(grey)
    for photo in kinds:
        np.testing.assert_array_equal(as_pixels(photo), expected)
    # The numbers of a palette are no grey values: its colours are.
    np.testing.assert_array_equal(as_pixels(palette), expected.repeat(3, -1))
    white = grey > 100
    np.testing.assert_array_equal(as_pixels(white), white[..., None].astype(np.float32))


REFUSED = {
    "0 to 255": (PIXELS * 255, "divide it by 255"),
    "0 to 65535": (PIXELS * 65535, "divide it by 65535"),
    "0 to 1000": (PIXELS * 1e6, "divide it by its white"),
    "-1 to 1": (PIXELS * 2 - 1, "use .photo . 1. / 2"),
    "-3 to 3": (PIXELS * 6 - 3, "black is 0 and white 1"),
    "too bright": (PIXELS * 1.6, "numpy.clip.photo, 0, 1."),
    "CHW": (PIXELS.transpose(2, 0, 1), r"photo.transpose\(1, 2, 0\)"),
    "one channel first": (PIXELS[None, ..., 0], r"photo.transpose\(1, 2, 0\)"),
    "NaN": (np.where(PIXELS > 0.5, np.nan, PIXELS), "no numbers .NaN"),
    "infinite": (np.where(PIXELS > 0.5, np.inf, PIXELS), "no numbers .NaN"),
    "empty": (np.zeros((0, 0, 3)), "0 x 0 pixels; give one of at least 16"),
    "small": (np.zeros((40, 15, 3)), "15 x 40 pixels; give one of at least 16"),
    "one axis": (PIXELS[:, 0, 0], "not .192,."),
    "five axes": (PIXELS[None, None], r"\(H, W, C\) or \(H, W\), not"),
    "five channels": (np.zeros((40, 40, 5)), "1 to 4 channels"),
    "complex": (PIXELS.astype(complex), "not of complex128"),
    "objects": (PIXELS.astype(object), "not of object"),
    "words": (np.full((40, 40, 3), "a"), "an array of numbers"),
    "int64": (BYTES.astype(np.int64), "photo.astype.'uint8'."),
    "None": (None, "not of object"),
    "a dictionary": ({"photo": PIXELS}, "not of object"),
    "a missing file": ("missing.png", "missing.png does not exist"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_photo_is_one_sentence(kind):
    photo, says = REFUSED[kind]
    with pytest.raises(ks.UserError, match=says) as error:
        as_pixels(photo)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["CHW", "0 to 255", "NaN", "small", "complex"])
def test_every_function_refuses_it(kind):
    photo, says = REFUSED[kind]
    delta = jnp.zeros((1, 3, 3)).at[:, 1, 1].set(1)
    calls = (
        lambda: ks.deblur(photo, "map"),
        lambda: ks.deblur([PIXELS, photo], "map"),
        lambda: ks.deblur(np.stack([photo]), "map"),
        lambda: ks.find_field(photo, weights.load("judge")),
        lambda: ks.extract_blur(photo, PIXELS),
        lambda: ks.extract_blur(PIXELS, photo),
        lambda: list(ks.transfer(ks.Uniform(), delta, [photo])),
    )
    for call in calls:
        with pytest.raises(ks.UserError, match=says):
            call()


def test_transfer_takes_any_photo_but_a_list_of_them():
    small = BYTES[:48, :48]
    operator, k = ks.extract_blur(Image.fromarray(small), small, kernel_size=3)
    same = ks.extract_blur(small / 255, small.astype(np.float64) / 255, kernel_size=3)
    np.testing.assert_allclose(k, same[1], atol=1e-6)
    delta = jnp.zeros((1, 3, 3)).at[:, 1, 1].set(1)
    kinds = [BYTES, with_alpha(BYTES, 7), str(BLURRY), PHOTO]
    for blurred in ks.transfer(operator, delta, kinds):
        np.testing.assert_allclose(blurred, PIXELS, atol=1e-5)
    (grey,) = ks.transfer(operator, k, [BYTES[..., 0]])
    assert grey.shape == (*BYTES.shape[:2], 1)
    for one in (BYTES, PHOTO, BLURRY, Image.open(BLURRY)):
        with pytest.raises(ks.UserError, match="takes a list of photos"):
            ks.transfer(operator, k, one)


@pytest.fixture
def halving(monkeypatch):
    """A method that halves the light, photos of one size together."""
    sizes = []

    def halve(photos, tell):
        sizes.append([photo.size for photo in photos])
        return [ks.Deblurred(photo.y / 2) for photo in photos]

    row = Method("half", "halves the light", halve, together=True)
    monkeypatch.setitem(METHODS, "half", row)
    return sizes


def test_a_list_gives_a_list(halving):
    """In its order, and those of one size go together."""
    photos = [BYTES, PIXELS[:40, :50], BLURRY, BYTES[:40, :50, 0]]
    found = ks.deblur(photos, "half")
    assert halving == [[(192, 256)] * 2, [(40, 50)], [(40, 50)]]
    assert [one.method for one in found] == ["half"] * 4
    for one, photo in zip(found, photos, strict=True):
        np.testing.assert_allclose(one.image, as_pixels(photo) / 2, atol=1e-7)
    both = ks.deblur(np.stack([BYTES, BYTES[::-1]]), "half")
    assert both.image.shape == (2, 192, 256, 3) and both.blur == "unknown"
    for nothing in ([], np.zeros((0, 32, 32, 3))):
        with pytest.raises(ks.UserError, match="there is no photo"):
            ks.deblur(nothing, "half")


def test_options_of_a_list_are_checked_before_the_first_photo(monkeypatch):
    size = METHODS["map"].option("kernel_size")
    row = Method("none", "does nothing", lambda photo, **_: pytest.fail("ran"), (size,))
    monkeypatch.setitem(METHODS, "none", row)
    with pytest.raises(ks.UserError, match="odd size from 3 to 20"):
        ks.deblur([PIXELS, PIXELS[:40, :50]], "none", kernel_size=31)


def test_a_result_says_what_was_found():
    image, delta = PIXELS[:32, :32], np.eye(3)[1][:, None] * np.eye(3)[1]
    h = np.full((3, 3), 1 / 9)
    says = {
        "map: one kernel for the whole photo": {"kernel": h},
        "map: a kernel for each tile": {"kernel": np.stack([[h, delta]])},
        "map: a kernel for each pixel": {"grid": np.stack([[h, delta]])},
        "map": {},
        "no uniform blur found, so the photo is unchanged": {"kernel": delta},
        "no blur in any tile found, so the photo is unchanged": {
            "kernel": np.stack([[delta, delta]])
        },
    }
    for summary, found in says.items():
        assert ks.Deblurred(image, **found, method="map").summary == summary
    stack = ks.Deblurred(np.stack([image] * 2), np.stack([h, delta]))
    assert stack.blur == "uniform" and not stack.nothing_found
