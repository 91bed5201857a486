"""`--method face` with the generator that comes with the package, and its scripts."""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from commands import kernel_space_here

import kernel_space_jax as ks
from kernel_space_jax.metrics import psnr

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import draw_faces  # noqa: E402
import draw_methods  # noqa: E402
import prepare_shaken  # noqa: E402


def options(output: Path, **others):
    return {
        "output": output,
        "count": 2,
        "kernel_size": 9,
        "noise": 0.01,
        "truncation": 1.0,
        "seed": 3,
    } | others


def test_pairs_of_a_folder_and_of_a_generator(tmp_path):
    draw_faces.main(tmp_path / "faces", count=2, size=64, seed=5)
    spec = f"images:{tmp_path}/faces"
    prepare_shaken.main(spec, **options(tmp_path / "still", kernel_size=1, noise=0.0))
    for number in range(2):
        face = ks.read(tmp_path / "faces" / f"{number:05d}.png").pixels
        for part in ("sharp", "blurry"):
            found = ks.read(tmp_path / "still" / part / f"{number:04d}.png").pixels
            np.testing.assert_allclose(found, face, atol=1 / 255)
    prepare_shaken.main("drawn-faces", **options(tmp_path / "drawn"))
    x, y = (
        jnp.stack([ks.read(file).pixels for file in sorted(folder.iterdir())])
        for folder in (tmp_path / "drawn" / part for part in ("sharp", "blurry"))
    )
    assert x.shape == y.shape == (2, 64, 64, 3)
    assert x.std(0).mean() > 0.05  # two faces are two faces
    assert 20 < float(psnr(y, x)[0]) < 40
    with pytest.raises(ks.UserError, match="give a generator"):
        prepare_shaken.main("judge", **options(tmp_path / "none"))


@pytest.mark.slow
def test_a_face_of_the_generator_is_found_behind_its_blur(tmp_path):
    prepare_shaken.main("drawn-faces", **options(tmp_path, count=1, seed=11))
    (file,) = (tmp_path / "blurry").iterdir()
    words = f"deblur {file} -o {tmp_path}/images/face --method face --starts 1"
    run = kernel_space_here(*words.split(), "--weights", "drawn-faces")
    assert run.returncode == 0, run.stderr
    x, y, found = (
        jnp.asarray(ks.read(tmp_path / part / file.name).pixels)[None]
        for part in ("sharp", "blurry", "images/face")
    )
    assert float(psnr(found, x)[0]) > float(psnr(y, x)[0]) + 3
    sheet = tmp_path / "sheet.png"
    draw_methods.main(tmp_path, f"pairs:{tmp_path}", sheet, ["face"], count=1)
    assert ks.read(sheet).pixels.shape[1] > 3 * 64
