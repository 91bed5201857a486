"""Reads files out of Debian packages and Qt resource files, and their licences.

A .deb is an `ar` archive with two tar files in it. An .rcc is Qt's binary resource
format: a tree of names, and data that may be compressed. A copyright file is in
stanzas, https://www.debian.org/doc/packaging-manuals/copyright-format/1.0.
"""

import lzma
import re
import struct
import sys
import tarfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from kernel_space_jax.errors import UserError

IMAGES = (".jpg", ".jpeg", ".png", ".webp")
TEXTS = ("README", "copyright")
DAMAGE = (
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
)
ZLIB, FOLDER, ZSTD = 1, 2, 4


class Archive(NamedTuple):
    """A package: its images, READMEs and copyright files, by their paths.

    The path of a file in an .rcc begins with the path of the .rcc.
    """

    name: str
    version: str
    files: dict[str, bytes]


class Stanza(NamedTuple):
    """The author and the licence of the files that match one of some globs."""

    files: tuple[str, ...]
    author: str
    licence: str


def read_deb(path: Path) -> Archive:
    data = path.read_bytes()
    if not data.startswith(b"!<arch>\n"):
        raise UserError(f"{path} is not a .deb file; give Debian packages.")
    try:
        parts = dict(_ar_members(data))
        control = dict(_tar_files(path, parts, "control.tar"))["control"]
        fields = _fields(control.decode())
        files = {}
        for name, content in _tar_files(path, parts, "data.tar"):
            if name.endswith(".rcc"):
                files |= {f"{name}/{inner}": c for inner, c in read_rcc(content)}
            else:
                files[name] = content
    except DAMAGE as error:
        raise UserError(f"{path} is damaged ({error}); download it again.") from None
    return Archive(fields["package"], fields["version"], files)


def _ar_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 8
    while at < len(data):
        header = data[at : at + 60]
        size = int(header[48:58])
        at += 60
        if at + size > len(data):
            raise EOFError("it ends too early")
        yield header[:16].decode().rstrip(" /"), data[at : at + size]
        # Members begin at even places.
        at += size + size % 2


def _tar_files(
    path: Path, parts: dict[str, bytes], tar: str
) -> Iterator[tuple[str, bytes]]:
    """The control file, images, texts and .rcc files of the part with that name."""
    part = next((name for name in parts if name.startswith(tar)), None)
    if part is None:
        raise UserError(f"{path} has no {tar}; download the package again.")
    if part.endswith(".zst") and sys.version_info < (3, 14):
        raise UserError(
            f"{path} is compressed with zstd, which Python reads from 3.14 on; take "
            f"the package from Debian, which compresses with xz."
        )
    with tarfile.open(fileobj=BytesIO(parts[part])) as files:
        for member in files:
            name = Path(member.name)
            wanted = name.suffix.lower() in (*IMAGES, ".rcc")
            if member.isfile() and (wanted or name.name in ("control", *TEXTS)):
                file = files.extractfile(member)
                assert file is not None
                yield str(name), file.read()


def read_rcc(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The images and texts in an .rcc, with their paths."""
    if data[:4] != b"qres":
        raise struct.error("an .rcc without its mark")
    version, tree, start, names = struct.unpack_from(">4I", data, 4)
    node_size = 14 if version == 1 else 22

    def walk(node: int, folder: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        at = tree + node * node_size
        label, flags = struct.unpack_from(">IH", data, at)
        # The root has no name.
        path = (*folder, _rcc_name(data, names + label)) if node else folder
        if flags & FOLDER:
            count, first = struct.unpack_from(">2I", data, at + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
        elif path[-1].lower().endswith(IMAGES) or path[-1] in TEXTS:
            (offset,) = struct.unpack_from(">I", data, at + 10)
            yield "/".join(path), _rcc_content(data, start + offset, flags)

    return walk(0, ())


def _rcc_name(data: bytes, at: int) -> str:
    (length,) = struct.unpack_from(">H", data, at)
    # A hash of four bytes stands between.
    return data[at + 6 : at + 6 + 2 * length].decode("utf-16-be")


def _rcc_content(data: bytes, at: int, flags: int) -> bytes:
    if flags & ZSTD:
        raise struct.error(
            "an .rcc compressed with zstd, which this script cannot read"
        )
    (size,) = struct.unpack_from(">I", data, at)
    content = data[at + 4 : at + 4 + size]
    # Four bytes with the length precede what zlib made.
    return zlib.decompress(content[4:]) if flags & ZLIB else content


def stanzas(text: str, folder: str = "") -> list[Stanza]:
    """Those of a copyright file or README; globs are relative to the folder."""
    found = []
    for block in re.split(r"\n\s*\n", text):
        fields = _fields(block)
        if {"files", "copyright", "license"} <= fields.keys():
            globs = tuple(folder + glob for glob in fields["files"].split())
            # Without addresses.
            authors = re.sub(r"\s*<[^<>]*>\S*", "", fields["copyright"]).split("\n")
            author = "; ".join(line.strip() for line in authors if line.strip())
            licence = fields["license"].split("\n")[0]
            found.append(Stanza(globs, author, licence.strip()))
    return found


def _fields(block: str) -> dict[str, str]:
    """The fields of one stanza, with names in lower case."""
    fields, name = {}, ""
    for line in block.splitlines():
        if begun := re.match(r"([\w-]+):(.*)", line):
            name = begun[1].lower()
            fields[name] = begun[2].strip()
        elif name and not line.startswith("#"):
            fields[name] += "\n" + line
    return fields


def matches(path: str, globs: tuple[str, ...]) -> bool:
    """Whether one of them is the path's; `*` and `?` stand for any characters."""
    patterns = (re.escape(g).replace(r"\*", ".*").replace(r"\?", ".") for g in globs)
    return any(re.fullmatch(pattern, path) for pattern in patterns)
