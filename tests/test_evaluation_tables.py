"""Means, intervals, differences, and the files that a table becomes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kernel_space_jax.evaluation.protocol import Published, Relative, Restored, Score
from kernel_space_jax.evaluation.protocols import PROTOCOLS, find_protocol
from kernel_space_jax.evaluation.protocols.levin import LEVIN, group
from kernel_space_jax.evaluation.statistics import difference, interval
from kernel_space_jax.evaluation.store import Row
from kernel_space_jax.evaluation.tables import (
    as_csv,
    as_json,
    as_markdown,
    differences,
    grouped,
    put_section,
    tabulate,
)

PAIRS = replace(
    PROTOCOLS["pairs"],
    published=(Published("theirs", {"PSNR": 30.5}, "many", "a paper"),),
)


def rows(values):
    """Rows of {method: {image: PSNR}}, as a run would store them."""
    return {
        (method, image): Row(method, image, image[0], {"PSNR": value})
        for method, images in values.items()
        for image, value in images.items()
    }


def test_tables_of_several_runs_are_one():
    """An image of two runs is two rows, and the runs are the groups."""
    runs = {
        name: tabulate(PAIRS, ("a", "b"), ("x", "y"), rows(values))
        for name, values in {
            "first": {"a": {"x": 30.0, "y": 31.0}, "b": {"x": 32.0, "y": 33.0}},
            "second": {"a": {"x": 20.0, "y": 21.0}, "b": {"x": 20.0, "y": 22.0}},
        }.items()
    }
    found = grouped(runs)
    assert found.images == ("first/x", "first/y", "second/x", "second/y")
    assert found.values("a", "PSNR") == [30.0, 31.0, 20.0, 21.0]
    assert found.values("b", "PSNR", "second") == [20.0, 22.0]
    (change,) = differences(found)
    assert (change.first, change.second) == ("b", "a")
    assert change.interval.mean == pytest.approx(1.25)
    assert "| a | 30.50 | 20.50 |" in as_markdown(found, "two", "command")


def test_the_interval_is_as_wide_as_theory_says():
    """For the mean of n draws: 1.96 standard errors on both sides."""
    data = np.random.default_rng(0).normal(30, 2, 400)
    found = interval(data.tolist())
    error = 1.96 * data.std() / np.sqrt(len(data))
    assert found.mean == data.mean() and found.count == 400
    assert abs((found.high - found.mean) / error - 1) < 0.1
    assert abs((found.mean - found.low) / error - 1) < 0.1
    assert interval(data.tolist()) == found
    assert interval([3.0]) == (3.0, 3.0, 3.0, 1)
    assert interval([3.0, np.inf]).high == np.inf
    assert interval(data.tolist() * 20).count == 8000


def test_a_paired_difference_knows_what_two_means_do_not():
    """Images differ by far more than methods do, but every image gains."""
    rng = np.random.default_rng(1)
    images = [f"i{n}" for n in range(50)]
    first = dict(zip(images, rng.normal(30, 5, 50), strict=True))
    gain = {image: value + rng.normal(0.2, 0.05) for image, value in first.items()}
    scores = {"a": first, "b": gain | {"more": 99.0}}
    found = difference("b", "a", "PSNR", scores)
    assert found is not None and found.interval.count == 50 and found.ahead == 50
    assert 0.15 < found.interval.low < 0.2 < found.interval.high < 0.25
    assert interval(list(first.values())).high > interval(list(gain.values())).low
    assert difference("a", "b", "PSNR", {"a": {}, "b": gain}) is None
    equal = difference("a", "b", "PSNR", {"a": {"x": np.inf}, "b": {"x": np.inf}})
    assert equal is not None and equal.interval.mean == 0 and equal.ahead == 0


def test_one_table_in_three_forms():
    values = {"m": {"a1": 20.0, "a2": 30.0, "b1": 31.0}, "n": {"a1": 21.0, "b1": 31.5}}
    held = rows(values)
    held["n", "a2"] = Row("n", "a2", problem="a2 is missing", notes=("16 bits",))
    table = tabulate(PAIRS, ["m", "n"], ["a1", "a2", "b1"], held)
    assert as_csv(table).splitlines() == [
        "method,image,group,PSNR",
        "m,a1,a,20", "m,a2,a,30", "m,b1,b,31",
        "n,a1,a,21", "n,a2,a,", "n,b1,b,31.5",
    ]  # fmt: skip
    document = json.loads(as_json(table, "A title"))
    assert document["methods"]["m"]["PSNR"]["mean"] == 27
    assert document["groups"]["a"]["m"]["PSNR"]["mean"] == 25
    assert document["groups"]["a"]["n"]["PSNR"] == dict(
        mean=21, low=21, high=21, count=1
    )
    assert document["problems"] == ["n, a2: a2 is missing"]
    (change,) = document["differences"]
    # m has the larger mean, for n lacks its worst image; on common ones n leads.
    assert (change["first"], change["interval"]["mean"]) == ("m", -0.75)
    assert (change["ahead"], change["interval"]["count"]) == (0, 2)
    text = as_markdown(table, "A title", "the command")
    assert text.startswith("## A title\n\n    the command\n")
    assert "| m | 3 of 3 | 27.00 [20.00, 31.00] |" in text
    assert "| n | 2 of 3 | 26.25 [21.00, 31.50] |" in text
    assert "| *theirs (published)* | *many* | *30.5* |" in text
    assert "| m | 25.00 | 31.00 |" in text
    assert "1 problem:\n\n- n, a2: a2 is missing" in text
    assert "1 note:\n\n- n, a2: 16 bits" in text


def test_differences_are_to_the_first_method():
    values = {"blurry": 20.0, "worse": 19.0, "better": 22.0}
    held = rows({method: {"a1": value} for method, value in values.items()})
    changes = differences(tabulate(PAIRS, list(values), ["a1"], held))
    found = [(c.first, c.second, c.interval.mean) for c in changes]
    assert found == [("better", "blurry", 2.0), ("blurry", "worse", 1.0)]


def test_the_order_of_rows_changes_no_byte():
    values = {"m": {f"a{i}": 20.0 + i / 7 for i in range(20)}}
    held = rows(values)
    images = list(values["m"])
    one = tabulate(PAIRS, ["m"], images, held)
    other = tabulate(PAIRS, ["m"], images, dict(reversed(held.items())))
    assert as_json(one, "") == as_json(other, "") and as_csv(one) == as_csv(other)


def test_columns_beside_a_reference():
    column = Relative(Score("ratio"), "m", lambda row, of: row["PSNR"] / of["PSNR"])
    protocol = replace(PAIRS, relative=(column,))
    held = rows({"m": {"a": 10.0, "b": 5.0}, "n": {"a": 20.0, "b": 15.0}})
    held["m", "b"] = Row("m", "b", problem="no")
    table = tabulate(protocol, ["m", "n"], ["a", "b"], held)
    assert table.scores["n"]["ratio"] == {"a": 2.0}
    alone = tabulate(protocol, ["n"], ["a", "b"], {k: v for k, v in held.items()
                                                  if k[0] == "n"})  # fmt: skip
    assert [c.name for c in alone.columns] == ["PSNR"]


def test_a_section_replaces_its_own_kind_alone(tmp_path):
    page = tmp_path / "results.md"
    page.write_text("# Results\n\nWords.\n")
    put_section(page, "one", "first\n")
    put_section(page, "two", "second\n")
    assert page.read_text().index("Words.") < page.read_text().index("first")
    before = page.read_text()
    put_section(page, "one", "first\n")
    assert page.read_text() == before
    put_section(page, "one", "changed\n")
    assert page.read_text() == before.replace("first", "changed")


def test_each_data_set_calls_for_its_protocol():
    expected = {"gopro": "pairs", "realblur": "aligned", "levin": "levin",
                "lai": "lai", "kohler": "kohler"}  # fmt: skip
    for layout, name in expected.items():
        assert find_protocol(None, layout).name == name
    assert find_protocol("aligned", "gopro").name == "aligned"
    assert [group(n) for n in ("im05_ker03", "im1_ker12", "x")] == [
        "kernel 3", "kernel 12", "",
    ]  # fmt: skip


def test_kernels_are_compared_where_both_are_known():
    from kernel_space_jax.datasets import Record

    rng = np.random.default_rng(0)
    x = rng.random((48, 48, 3)).astype(np.float32)
    h = rng.random((5, 5)).astype(np.float32)
    record = Record("im1_ker1", x, x, {"kernel": h, "grey": True})
    moved = np.pad(h, ((3, 0), (0, 2)))
    scores = LEVIN.score(record, Restored(x, moved))
    assert scores["kernel similarity"] == pytest.approx(1, abs=1e-6)
    assert "kernel similarity" not in LEVIN.score(record, Restored(x))


def test_every_protocol_has_its_page():
    pages = Path(__file__).parent.parent / "docs" / "protocols"
    index = (pages / "README.md").read_text()
    for name in PROTOCOLS:
        assert f"`{name}`" in index
        own = pages / f"{name.removesuffix('-proxy')}.md"
        assert f"`{name}`" in own.read_text()
