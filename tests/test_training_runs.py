"""Whole training runs: however they are run, killed or spread, the same numbers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kernel_space_jax import Photo, write
from kernel_space_jax.training.log import read_log

TESTS = Path(__file__).parent
CACHE = TESTS.parent / ".cache" / "jax"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of sharp pictures."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for index in range(13):
        coarse = draw.random((6, 6, 3), np.float32)
        write(folder / f"{index}.png", Photo(np.kron(coarse, np.ones((6, 6, 1)))))
    return folder


def environment(devices: int) -> dict[str, str]:
    count = f"--xla_force_host_platform_device_count={devices}"
    return os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {count}",
        "JAX_COMPILATION_CACHE_DIR": str(CACHE),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}",
    }


def words(workdir: Path, photos: Path) -> list[str]:
    spec = f"images:{photos}"
    return [
        "--config=tiny_config.py",
        f"--workdir={workdir}",
        f"--config.data.train=('{spec}',)",
        f"--config.data.validation={spec}",
    ]


def words_of_players(workdir: Path, photos: Path) -> list[str]:
    """Two named streams of the same photos, each drawn by itself."""
    spec = f"images:{photos}"
    streams = [
        f"--config.data.streams.{name}.{key}={value}"
        for name in ("photos", "real")
        for key, value in (("train", f"('{spec}',)"), ("validation", spec))
    ]
    return ["--config=tiny_players_config.py", f"--workdir={workdir}", *streams]


TASKS = {"tiny_task.py": words, "tiny_players.py": words_of_players}
# What each task's run is compared with.
REFERENCES = {"tiny_task.py": "reference", "tiny_players.py": "players"}


def start(
    workdir, photos, *options, task="tiny_task.py", devices=1, program=None
) -> subprocess.Popen:
    program = program or [sys.executable, task, "train"]
    return subprocess.Popen(
        [*program, *TASKS[task](workdir, photos), *options],
        cwd=TESTS,
        env=environment(devices),
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(run: subprocess.Popen, code: int = 0) -> str:
    _, said = run.communicate(timeout=240)
    assert run.returncode == code, said
    return said


def losses(workdir: Path) -> dict[int, float]:
    log = read_log(workdir / "metrics.jsonl")
    return {r["step"]: r["loss"] for r in log if r["kind"] == "train"}


def scores(workdir: Path) -> dict[int, float]:
    log = read_log(workdir / "metrics.jsonl")
    return {r["step"]: r["psnr"] for r in log if r["kind"] == "validation"}


def agree(workdir: Path, reference: Path) -> None:
    for read in (losses, scores):
        found, expected = read(workdir), read(reference)
        assert found.keys() == expected.keys()
        for step, value in expected.items():
            assert abs(found[step] - value) <= 1e-5 * abs(value), (step, read)


def twelve_steps(tmp_path_factory, photos, task: str) -> Path:
    """On one device, without a break."""
    workdir = tmp_path_factory.mktemp("runs") / "reference"
    finish(start(workdir, photos, task=task))
    assert list(losses(workdir)) == [2, 4, 6, 8, 10, 12]
    return workdir


@pytest.fixture(scope="module")
def reference(tmp_path_factory, photos):
    return twelve_steps(tmp_path_factory, photos, "tiny_task.py")


@pytest.fixture(scope="module")
def players(tmp_path_factory, photos):
    return twelve_steps(tmp_path_factory, photos, "tiny_players.py")


def test_it_learns_and_shows_it(reference):
    found = scores(reference)
    assert found[12] > found[6] + 0.5
    assert (reference / "curves.png").stat().st_size > 10_000
    assert (reference / "pictures" / "00000012.png").exists()
    steps = {int(p.name) for p in (reference / "checkpoints").iterdir()}
    assert steps == {4, 8, 12}


@pytest.mark.parametrize(
    "options",
    [
        ["--config.parallel=jit"],
        ["--config.parallel=pmap"],
        ["--config.parallel=jit", "--config.model_devices=2"],
        ["--config.parallel=jit", "--config.accumulate=2"],
    ],
    ids=["jit", "pmap", "parameters cut", "in two parts"],
)
def test_several_devices_are_one(tmp_path, photos, reference, options):
    devices = 4 if "accumulate" in options[-1] else 8
    finish(start(tmp_path / "run", photos, *options, devices=devices))
    agree(tmp_path / "run", reference)


@pytest.mark.parametrize("mode", ["jit", "pmap"])
def test_players_on_several_devices_are_as_on_one(tmp_path, photos, players, mode):
    """With running statistics, dropout, a frozen network and two streams."""
    options = {"task": "tiny_players.py", "devices": 8}
    finish(start(tmp_path / "run", photos, f"--config.parallel={mode}", **options))
    agree(tmp_path / "run", players)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_two_processes_are_one(tmp_path, photos, request, task):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    launch = [sys.executable, str(TESTS.parent / "scripts" / "launch.py")]
    hosts = ["--hosts=localhost,localhost", f"--port={port}", "--"]
    finish(start(tmp_path / "run", photos, task=task, program=[*launch, *hosts]))
    agree(tmp_path / "run", request.getfixturevalue(REFERENCES[task]))


def kill_after_first_checkpoint(workdir: Path, photos: Path, task: str) -> int:
    """SIGKILLs a run of many steps; its last whole checkpoint."""
    run = start(workdir, photos, "--config.steps=100000", task=task)
    deadline = time.monotonic() + 200
    while not (workdir / "checkpoints" / "4").exists():
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    return max(int(p.name) for p in (workdir / "checkpoints").glob("[0-9]*"))


@pytest.mark.parametrize("task", TASKS)
def test_killed_and_resumed_is_uninterrupted(tmp_path, photos, request, task):
    # A busy machine may kill it after the reference's last step: then once more.
    for attempt in range(5):
        workdir = tmp_path / str(attempt)
        last = kill_after_first_checkpoint(workdir, photos, task)
        if last <= 12:
            break
    assert last <= 12
    said = finish(start(workdir, photos, task=task))
    assert f"going on from step {last}" in said
    assert "config.steps was 100000, now 12" in said
    agree(workdir, request.getfixturevalue(REFERENCES[task]))


def test_sigterm_saves_and_ends(tmp_path, photos):
    workdir = tmp_path / "run"
    run = start(workdir, photos, "--config.steps=100000000")
    deadline = time.monotonic() + 200
    while not losses(workdir):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
    said = finish(run)
    step = int(said.split("stopped at step ")[1].split(";")[0])
    assert (workdir / "checkpoints" / str(step)).is_dir()


def test_a_broken_loss_ends_the_run_at_its_step(tmp_path, photos):
    said = finish(start(tmp_path / "run", photos, "--config.model.poison=9"), code=2)
    assert "the loss was not finite at step 10" in said
    assert "the last good checkpoint is step 8" in said
    assert "Traceback" not in said


def test_a_full_disk_is_said_and_spares_what_is_whole(tmp_path, photos):
    limited = (
        "import resource, signal, sys, runpy;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    workdir = tmp_path / "run"
    finish(start(workdir, photos, "--config.steps=4"))
    before = sorted(p.name for p in (workdir / "checkpoints" / "4").rglob("*"))
    program = [sys.executable, "-c", limited, "tiny_task.py", "train"]
    options = ["--config.checkpoint_every=1"]
    run = start(workdir, photos, *options, program=program)
    said = finish(run, code=2)
    assert "could not be written" in said and "Traceback" not in said, said
    after = sorted(p.name for p in (workdir / "checkpoints" / "4").rglob("*"))
    assert after == before


def test_a_flipped_byte_is_found(tmp_path, photos, reference):
    workdir = tmp_path / "run"
    shutil.copytree(reference, workdir)
    state = workdir / "checkpoints" / "12" / "state"
    # Some of these files are copies that nobody reads: one byte of each.
    for path in state.glob("**/d/*"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    said = finish(start(workdir, photos, "--config.steps=14"), code=2)
    assert "checkpoint 12" in said and "Traceback" not in said, said
    assert "to go on from step 8" in said
    shutil.rmtree(workdir / "checkpoints" / "12")
    finish(start(workdir, photos))
    agree(workdir, reference)
