"""A part of scripts/try_bad_inputs.py, which tries many more."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from bad_inputs import commands, world
from try_bad_inputs import try_calls, try_commands

EVERY = 15


@pytest.fixture
def root(tmp_path, monkeypatch):
    world.make(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    (tmp_path / "locked").chmod(0o700)


def test_there_are_many():
    lines = list(commands.commands())
    assert len(set(lines)) == len(lines) > 700


def test_commands(root):
    lines = [*commands.commands(training=False)]
    chosen = [line for line in lines[::EVERY] if world.can_be_locked(root)
              or "locked" not in line]  # fmt: skip
    found = [outcome for outcome in try_commands(chosen, root) if outcome.wrong]
    assert not found


def test_calls(root):
    assert not [outcome for outcome in try_calls(root) if outcome.wrong]
