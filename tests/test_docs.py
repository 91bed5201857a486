"""README and the guides are true: their commands run or parse, their files exist."""

import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer
from commands import SAMPLES, kernel_space_here

import kernel_space_jax as ks
from kernel_space_jax.cli.app import app
from kernel_space_jax.deblur.methods import METHODS
from kernel_space_jax.metrics import psnr
from kernel_space_jax.training.config import load_config

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kernel_space_jax"
FOLDERS = {"configs", "data", "docs", "kernel_space_jax", "scripts", "tests"}
GUIDES = [
    *(ROOT / name for name in ("README.md", "configs/README.md", "data/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "protocols").glob("*.md")),
]
# tests/test_extending.py runs these.
RUN_ELSEWHERE = ["extending.md"]
# Commands on the samples that take long; other tests run these methods.
SLOW = ("--preset", "compact.safetensors", "--method map-local", "--method basis")
PATH = re.compile(r"(?:[\w-]+/)+[\w.-]+\.(?:py|md|sh|png|jpg|txt)")
EXPERIMENTS = ("blur-swap", "deblurgan", "blur2blur")
PROGRAMS = ("kernel-space ", ".venv/bin/kernel-space ", "python scripts/evaluate.py ")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[str]:
    """The indented lines of a page, those that end with a backslash joined."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    text = re.sub(r"\\\n\s*", "", text)
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def commands(page: Path) -> list[list[str]]:
    """The words after `kernel-space` of every command of a page."""
    found = []
    for line in blocks(page):
        for program in PROGRAMS:
            if line.startswith(program):
                verb = ["evaluate"] if "evaluate.py" in program else []
                words = shlex.split(line.removeprefix(program), comments=True)
                found.append(words if words[0] in EXPERIMENTS else verb + words)
    return found


def python(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


ALL = [(name(page), words) for page in GUIDES for words in commands(page)]
# Without training, and on nothing but the samples and the shipped weights.
QUICK = list(
    dict.fromkeys(
        (page, shlex.join(words))
        for page, words in ALL
        if "data/samples" in " ".join(words)
        or words
        in (["describe", "kernel-space"], ["report", "out/run", "-o", "out/page"])
        if not any(slow in " ".join(words) for slow in SLOW)
    )
)
WITH_PYTHON = [p for p in GUIDES if python(p) and p.name not in RUN_ELSEWHERE]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with what a checkout has, to run commands in and write into."""
    for folder in ("configs", "scripts"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "samples").symlink_to(SAMPLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_is_something_to_test():
    verbs = {words[0] for _, words in ALL}
    assert {"deblur", "transfer", "train", "export", "evaluate", "data"} <= verbs
    assert len(ALL) > 50 and len(QUICK) >= 8 and len(WITH_PYTHON) >= 5


@pytest.mark.parametrize(("page", "words"), ALL, ids=lambda value: str(value)[:60])
def test_commands_parse(page, words):
    """The verb and its options exist, and so does the config with its keys."""
    program = typer.main.get_command(app)
    context = typer.Context(program)
    while hasattr(program, "resolve_command"):
        # A verb that does not exist is an error here.
        verb, program, words = program.resolve_command(context, words)
    context = program.make_context(verb, list(words), parent=context)
    if verb == "train":
        config = ROOT / context.params["config"]
        if config.stem != "NAME":
            load_config(config, context.args)


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_other_commands_exist(page):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = page.read_text()
    for line in blocks(page):
        if line.startswith("make "):
            assert line.split()[1] in targets
        for script in re.findall(r"(?:python|bash) (scripts/\S+)", line):
            assert (ROOT / script).is_file(), f"there is no {script}"
    for extras in re.findall(r"pip install '[^\[']*\[(\w+)\]'", text):
        assert extras in project["optional-dependencies"]


@pytest.mark.parametrize("page", [*GUIDES, *(ROOT / "docs/history").glob("*.md")])
def test_links_lead_somewhere(page):
    """Relative links, their headings, and the project's files named in backticks."""
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        file, _, heading = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), f"{name(page)} links to {target}"
        if heading:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", h.lower()) for h in headings]
            assert heading in [slug.replace(" ", "-") for slug in slugs]
    tops = FOLDERS | {path.name for path in PACKAGE.iterdir()}
    for quoted in re.findall(r"`([^`\n]+)`", text):
        # Names in capitals are for the reader to choose.
        path = PATH.fullmatch(quoted) and not re.search(r"/[A-Z_]+\.", quoted)
        if path and quoted.split("/")[0] in tops:
            places = [folder / quoted for folder in (ROOT, PACKAGE)]
            assert any(p.exists() for p in places), f"{name(page)} names {quoted}"


@pytest.mark.slow
def test_quick_commands_run(checkout):
    for page, line in QUICK:
        done = kernel_space_here(*shlex.split(line))
        assert done.returncode == 0, f"{page}: {line}\n{done.stderr}"
    for sheet in ("out/leaves_shaken_sheet.png", "out/transferred/sheet.png"):
        assert ks.read(checkout / sheet).pixels.shape[1] > 3 * 256
    assert "| known-kernel | 5 of 5 |" in (checkout / "out/run/table.md").read_text()
    assert (checkout / "out/page/index.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_python_examples_run(page, checkout, monkeypatch):
    """All examples of a page, one after the other, as a person would paste them."""
    before = dict(METHODS)
    names: dict = {"__name__": "pasted"}
    for code in python(page):
        exec(compile(code, name(page), "exec"), names)
    for method in METHODS.keys() - before:
        del METHODS[method]
    if page.name == "README.md":
        x, y = (
            ks.read(SAMPLES / f"leaves_{n}.png").pixels for n in ("sharp", "shaken")
        )
        z = ks.read(checkout / "deblurred.png").pixels
        assert psnr(x[None], z[None]) > psnr(x[None], y[None]) + 1


def test_one_picture_opens_the_readme():
    first = re.search(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    picture = ROOT / first[1]
    assert picture.stat().st_size < 400_000
    assert np.ptp(ks.read(picture).pixels) > 0.9
