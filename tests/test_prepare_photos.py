"""scripts/prepare_photos.py on packages made here: what it keeps, credits, refuses."""

import csv
import io
import re
import runpy
import struct
import sys
import tarfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import prepare_photos  # noqa: E402
from archives import Stanza, read_rcc, stanzas  # noqa: E402
from prepare_photos import Package  # noqa: E402

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2001 Ada <ada@example.org>
           2002 Ben
License: cc0-1.0

# Last.
Files: photos/nc*
Copyright: Cy
License: CC-BY-NC-4.0
 Not for sale.
"""
README = "Copyright: Dee\nLicense: CC-BY 4.0\nSource: a place\nFiles:\nsea.png\n"


def picture(seed: int, height: int = 400, width: int = 600) -> np.ndarray:
    """Patches of random colours, 8 bits, BGR."""
    patches = np.random.default_rng(seed).integers(0, 256, (8, 12, 3), np.uint8)
    return cv2.resize(patches, (width, height), interpolation=cv2.INTER_LINEAR)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def make_deb(path: Path, files: dict[str, bytes], copyright: str, xz="xz") -> Path:
    """A Debian package, named as its file is."""
    files = {**files, f"usr/share/doc/{path.stem}/copyright": copyright.encode()}
    control = f"Package: {path.stem}\nVersion: 1.0-2\n".encode()
    data = b"!<arch>\n"
    for name, part in {
        "debian-binary": b"2.0\n",
        "_odd": b"odd",
        "control.tar.xz": tar({"control": control}),
        f"data.tar.{xz}": tar(files),
    }.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(part):<10}`\n"
        data += header.encode() + part + b"\n" * (len(part) % 2)
    path.write_bytes(data)
    return path


def make_rcc(files: dict[str, tuple[int, bytes]]) -> bytes:
    """Format 3: a root, the folder `art` in it, and in that the files with flags."""
    names, content, nodes = b"", b"", [struct.pack(">IHII8x", 0, 2, 1, 1)]
    for name, (flags, data) in {"art": (2, b""), **files}.items():
        if flags == 2:
            node = struct.pack(">IHII8x", len(names), 2, len(files), 2)
        else:
            node = struct.pack(">IHHHI8x", len(names), flags, 0, 1, len(content))
            content += struct.pack(">I", len(data)) + data
        nodes.append(node)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    tree = b"".join(nodes)
    at = 24, 24 + len(tree), 24 + len(tree) + len(content)
    return b"qres" + struct.pack(">5I", 3, *at, 0) + tree + content + names


def test_it_keeps_free_sharp_photos_and_credits_them(tmp_path, monkeypatch, capsys):
    photos = Package(
        "usr/share/few/",
        photos=("*.png",),
        unfit=("soft*",),
        source="photos/",
    )
    monkeypatch.setitem(prepare_photos.PACKAGES, "few", photos)
    monkeypatch.setitem(
        prepare_photos.PACKAGES, "drawn", Package(".rcc/art/", photos=("*.png",))
    )
    free, sea = picture(1), picture(2, 300, 290)
    images = {
        "free": png(free),
        "half": png(cv2.resize(free, (450, 300))),
        "nc": png(picture(3)),
        "grey": png(np.repeat(picture(4)[..., :1], 3, axis=2)),
        "tiny": png(picture(5, 255, 600)),
        "soft": png(picture(6)),
        "damaged": b"no PNG",
    }
    few = make_deb(
        tmp_path / "few.deb",
        {f"usr/share/few/{name}.png": data for name, data in images.items()},
        COPYRIGHT,
    )
    readme = README.encode()
    packed = struct.pack(">I", len(readme)) + zlib.compress(readme)
    art = {
        "sea.png": (0, png(sea)),
        "README": (1, packed),
        "nobody.png": (0, png(picture(7))),
    }
    drawn = make_deb(
        tmp_path / "drawn.deb", {"usr/share/a.rcc": make_rcc(art)}, COPYRIGHT
    )
    output = tmp_path / "out" / "photos"
    prepare_photos.main([few, drawn], output, 300)

    with (output / "credits.csv").open(newline="", encoding="utf-8") as file:
        credits = {row.pop("file"): row for row in csv.DictReader(file)}
    assert {path.name for path in output.glob("*.png")} == credits.keys()
    ours = [name for name in credits if not name.startswith("scikit-image_")]
    assert ours == ["few_free.png", "drawn_sea.png"] and len(credits) == 6
    assert credits["few_free.png"] == {
        "source": "few 1.0-2",
        "original path": "usr/share/few/free.png",
        "author": "2001 Ada; 2002 Ben",
        "licence": "CC0-1.0",
    }
    assert credits["drawn_sea.png"] == {
        "source": "drawn 1.0-2",
        "original path": "usr/share/a.rcc/art/sea.png",
        "author": "Dee",
        "licence": "CC-BY-4.0",
    }
    assert credits["scikit-image_coffee.png"]["author"] == "Rachel Michetti"

    halved = cv2.imread(str(output / "few_free.png"))
    assert halved is not None and halved.shape == (200, 300, 3)
    means = free.reshape(200, 2, 300, 2, 3).mean((1, 3))
    assert np.abs(halved - means).max() <= 0.5
    whole = cv2.imread(str(output / "drawn_sea.png"))
    assert whole is not None and np.array_equal(whole, sea)

    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "few 1.0-2: kept 1, left out 1 (unreadable), 1 (grey), 1 (no free licence), "
        "1 (not on the list of sharp photographs), 1 (a side below 256 pixels), "
        "1 (another size of a photo)",
        "drawn 1.0-2: kept 1, left out 1 (no free licence)",
    ]


@pytest.mark.parametrize("licence", ["CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY", "", "X"])
def test_other_licences_are_not_free(licence):
    assert prepare_photos.free_licence(licence) is None


def test_every_photo_of_the_table_has_a_free_licence():
    rows = [row for package in prepare_photos.PACKAGES.values() for row in package.own]
    assert len(rows) > 10
    assert all(prepare_photos.free_licence(row.licence) for row in rows)


def test_stanzas_of_several_lines():
    text = "Files: a/*\n b.png\nCopyright: E\nLicense: GPL-2+\n Text.\n .\n Files: x\n"
    assert stanzas(text, "f/") == [Stanza(("f/a/*", "f/b.png"), "E", "GPL-2+")]


def test_rcc_with_zstd_is_refused():
    with pytest.raises(struct.error, match="zstd"):
        list(read_rcc(make_rcc({"sea.png": (4, b"")})))


def refusal(monkeypatch, capsys, *words: Path | str) -> str:
    """The sentence of the script, which must end with code 2, after `error: `."""
    script = str(SCRIPTS / "prepare_photos.py")
    monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(script, run_name="__main__")
    sentence = capsys.readouterr().err
    assert end.value.code == 2 and sentence.startswith("error: ")
    assert len(sentence.splitlines()) == 1
    return sentence


def test_refusals(tmp_path, monkeypatch, capsys):
    text, cut = tmp_path / "text.deb", tmp_path / "cut.deb"
    text.write_text("not a package")
    whole = make_deb(tmp_path / "mate-backgrounds.deb", {}, "By us all.").read_bytes()
    cut.write_bytes(whole[:-40])
    unknown = make_deb(tmp_path / "unknown.deb", {}, COPYRIGHT)
    zstd = make_deb(tmp_path / "zstd.deb", {}, COPYRIGHT, xz="zst")
    new = tmp_path / "new"
    for deb, says in (
        (text, "is not a .deb file; give"),
        (cut, "is damaged .*; download"),
        (unknown, "no list of the photographs in unknown; give some of .*mate"),
        (tmp_path / "mate-backgrounds.deb", "no machine-readable copyright .*; leave"),
        (zstd, "is compressed with zstd, .*; take"),
    ):
        sentence = refusal(monkeypatch, capsys, deb, "-o", new)
        if not (deb == zstd and sys.version_info >= (3, 14)):
            assert re.search(says, sentence), sentence
        assert not new.exists()
    sentence = refusal(monkeypatch, capsys, unknown, "-o", tmp_path)
    assert "is not an empty folder; give another with -o" in sentence
