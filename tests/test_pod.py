"""What the programs of a TPU slice send, hold and may take, without the slice."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "scripts"))

import benchmark  # noqa: E402
from benchmarks import pod  # noqa: E402
from benchmarks.collectives import Sent, collectives  # noqa: E402
from benchmarks.hlo import parsed  # noqa: E402
from benchmarks.roofline import (  # noqa: E402
    CHIPS,
    all_reduce_seconds,
    bound,
    efficiency,
    largest_batch,
)
from benchmarks.traffic import bytes_moved  # noqa: E402

V5E = CHIPS["v5e"]
# Lines of a program that libtpu compiled, and one of each other form.
PROGRAM = """
ENTRY %main (x: f32[8]) -> f32[8] {
  %a.3 = (bf16[3,3,64]{2,1,0:T(8,128)(2,1)S(1)}, f32[2]{0}) all-reduce(%x, %y), to_apply=%add
  %a.2 = f32[]{:T(128)} all-reduce(%get-tuple-element.4), channel_id=3
  %p = f32[9]{0} multiply(%a.2, %constant), metadata={op_name="all-reduce(x)"}
  %r = (f32[8]{0}, f32[8]{0}) all-reduce-start(%x, %y), channel_id=4
  %d = (f32[8]{0}, f32[8]{0}) all-reduce-done(%r)
  %g = (f32[4]{0}, f32[16]{0}, u32[], u32[]) all-gather-start(%x), dimensions={0}
  %e = f32[16]{0} all-gather-done(%g)
  %s = pred[5]{0} collective-permute(%z), source_target_pairs={{0,1}}
"""  # noqa: E501


def test_what_a_program_sends():
    assert collectives(parsed(PROGRAM)) == {
        "all-reduce": Sent(3, 576 + 2 + 1 + 16, 2 * 576 + 4 * 19),
        "all-gather": Sent(1, 16, 64),
        "collective-permute": Sent(1, 5, 5),
    }
    assert (
        collectives(parsed("%m (a: f32[]) -> f32[] {\n  %x = f32[4] add(%a, %b)")) == {}
    )


# Numbers of four bytes; S(1) is the core. A row of 100 is filled up to a tile of 128.
LOOP = """
%body (p: (f32[8,100])) -> (f32[8,100]) {
  %p = (f32[8,100]{1,0:T(8,128)}) parameter(0)
  %x = f32[8,100]{1,0:T(8,128)} get-tuple-element(%p), index=0
  %y = f32[8,100]{1,0:T(8,128)S(1)} negate(%x)
  ROOT %z = (f32[8,100]{1,0:T(8,128)}) fusion(%y, %x), kind=kLoop, calls=%fused
}

%always (p.1: (f32[8,100])) -> pred[] {
  ROOT %true = pred[]{:T(512)S(1)} constant(true)
}

ENTRY %main (a: f32[8,100]) -> f32[128] {
  %a = f32[8,100]{0,1:T(8,128)} parameter(0)
  %s = (f32[8,100]{1,0:T(8,128)S(1)}, f32[8,100]{0,1:T(8,128)}, u32[]{:S(2)}) copy-start(%a)
  %c = f32[8,100]{1,0:T(8,128)S(1)} copy-done(%s)
  %t = (f32[8,100]{1,0:T(8,128)S(1)}) tuple(%c)
  %w = (f32[8,100]{1,0:T(8,128)}) while(%t), condition=%always, body=%body
  ROOT %r = f32[128]{0:T(128)} reduce(%w), dimensions={0}, to_apply=%add
}
"""  # noqa: E501


def test_what_a_program_moves():
    """The source once, x twice, z, w as large as z, and the answer."""
    source, tiles, answer = 8 * 100 * 4, 8 * 128 * 4, 128 * 4
    assert bytes_moved(parsed(LOOP)) == source + 4 * tiles + answer


def test_bounds_by_hand():
    least = bound(V5E, 197e12, 819e9 / 2)
    assert (least.arithmetic, least.memory) == (1, 0.5)
    assert least.seconds == 1 and least.binds == "arithmetic"
    assert bound(V5E, 0, 1).binds == "memory"
    # 2 x 3/4 of 45 GB at 45 GB/s, and four hops.
    assert all_reduce_seconds(V5E, 1, 45_000_000_000, 4) == pytest.approx(1.500004)
    assert efficiency(1, 0) == (1, 1)
    assert efficiency(3, 1) == (0.75, 1)
    room = V5E.memory
    assert largest_batch(V5E, {2: room / 2, 4: 3 * room / 4}) == 6
    assert largest_batch(V5E, {2: room / 2}) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--topology v5e:2x2,v9:2x2", "give slices of v5e"),
        ("--batches none", "1,8,32"),
    ],
)
def test_what_cannot_be_asked(monkeypatch, words, said):
    monkeypatch.setattr(pod, "find_spec", lambda name: True)
    result = CliRunner().invoke(benchmark.app, ["pod", *words.split()])
    assert result.exit_code == 2
    assert said in result.output


def test_each_table_has_a_title():
    title = pod._title
    assert title(pod.PROGRAMS, [], pod.SIDE, 1, False) == "pod"
    words = ["--config.dtype=bfloat16"]
    small = title("judge,blind", words, 64, 8, True)
    assert small == (
        "pod, judge, blind, side 64, widths over 8, shallow, config.dtype=bfloat16"
    )


def test_without_libtpu(monkeypatch):
    monkeypatch.setattr(pod, "find_spec", lambda name: None)
    result = CliRunner().invoke(benchmark.app, ["pod"])
    assert result.exit_code == 2
    assert ".[tpu]" in result.output


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("libtpu"), reason="needs the extra tpu")
@pytest.mark.parametrize("task", ["kernel_space", "supervised", "blur2blur", "blind"])
def test_chips_add_up_gradients_and_nothing_else(tmp_path, task):
    """In a process of its own: JAX chooses its platform once."""
    program = task if task == "blind" else f"{HERE}/pod_config.py:{task}"
    file = tmp_path / "figures.json"
    words = "pod --topology v5e:2x2 --batches 1 --side 64 --share 8 --shallow"
    command = [*words.split(), "--config", program, "--json", str(file)]
    # The tests' flags are the CPU's.
    clean = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, benchmark.__file__, *command],
        env=clean,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(file.read_text())["programs"][program]
    assert found["flops"] > 0 and found["moved"] > 0 < found["held"] < V5E.memory
    if task == "blind":
        assert found["sent"] == {}
        return
    assert found["sent"].keys() == {"all-reduce"}
    count, numbers, nbytes = found["sent"]["all-reduce"]
    # The rest are metrics, and gradients of the zeros in weights of pairs of columns.
    zeros = found["learned"] // 50 if task == "kernel_space" else 0
    assert found["learned"] <= numbers <= found["learned"] + zeros + 100
    assert nbytes == 4 * numbers and count < 20
