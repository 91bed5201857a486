"""The benchmark of data runs, and its figures are figures."""

import sys
from pathlib import Path

import tiny_data
from test_benchmark import benchmark, figures
from typer.testing import CliRunner

data = sys.modules["benchmarks.data"]


def test_data(tmp_path, monkeypatch):
    tiny = Path(__file__).parent / "tiny_config.py"
    monkeypatch.setitem(data.NETWORKS, "compact", str(tiny))
    spec, _ = tiny_data.two_sets(tmp_path)
    options = "--crop 16 --batch 2 --count 2 --steps 1 --workers 0 --network compact"
    found, output = figures(tmp_path, "data", "--data", spec, *options.split())
    rates, step = found["pairs_per_s"], found["step"]["compact"]
    assert {"files, Grain", "prepared, Grain", "made on the device"} < {*rates}
    assert min(*rates.values(), step["alone_ms"], step["fed_ms"]) > 0
    assert 0 <= step["waiting"] < 1
    assert f"| {2 * rates['prepared, Grain']:.1f} |" in output
    assert f"| compact | {step['alone_ms']:.0f} |" in output


def test_an_unknown_network():
    result = CliRunner().invoke(benchmark.app, ["data", "--network", "nafnet"])
    assert result.exit_code == 2
    assert "nafnet" in result.output
