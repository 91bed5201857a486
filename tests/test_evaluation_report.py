"""The report: what is on the page, and that it moves in a real browser."""

import re
import shutil
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from evaluation_data import read, write, write_levin, write_pairs
from typer.testing import CliRunner

from kernel_space_jax import UserError
from kernel_space_jax.cli import app
from kernel_space_jax.drawing import kernel_picture
from kernel_space_jax.evaluation.report import write_report
from kernel_space_jax.evaluation.store import Store


def command(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output


def addresses(text):
    return [unquote(unescape(found)) for found in re.findall(r'src="([^"]*)"', text)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two runs on one page: (page, folder of the runs)."""
    root = tmp_path_factory.mktemp("report")
    write_pairs(root / "pairs", 5)
    # From black to the truth itself, and a name that HTML would read as its own.
    for index, name in enumerate(("a/000", "b/001", "a/002", "b/003", "a/004")):
        x = read(root / "pairs" / "sharp" / f"{name}.png")
        write(root / "results" / f"{name}.png", x * index / 4)
    write_levin(root / "levin", images=1)
    pairs = ["--data", f"pairs:{root}/pairs", "--method", "blurry"]
    mine = ["--results", f"<b>mine&co={root}/results", "-o", root / "one"]
    command("evaluate", *pairs, *mine, "--title", "Pairs & <more>")
    levin = ["--data", f"levin:{root}/levin", "--method", "known-kernel"]
    command("evaluate", *levin, "-o", root / "two")
    field = np.random.default_rng(0).random((2, 3, 5, 5)).astype(np.float32)
    path = Store(root / "two").kernel_path("known-kernel", "im1_ker1")
    path.parent.mkdir(parents=True)
    np.save(path, field)
    command("report", root / "one", root / "two", "-o", root / "page")
    return root / "page" / "index.html", root


def test_the_page_is_whole_and_needs_no_network(made):
    page, _ = made
    text = page.read_text()
    links = re.findall(r'(?:src|href|url)[=(]"?([^")\s]*)', text)
    assert links and not [link for link in links if "//" in link]
    images = addresses(text)
    assert len(images) > 20
    for address in images:
        assert not address.startswith("/") and (page.parent / address).is_file()
    assert "Pairs &amp; &lt;more&gt;" in text and "<b>mine" not in text
    assert text.count("<section") == 2 and text.count("<article") == 7
    assert text.count("<svg") == 2
    assert "95 % bootstrap interval" in text
    assert "known kernel (published)" in text


def test_images_on_the_page_are_the_runs_own(made):
    page, root = made
    shown = read(page.parent / "images" / "0" / "<b>mine&co" / "b" / "003.png")
    assert np.array_equal(shown, read(root / "results" / "b" / "003.png"))
    shown = read(page.parent / "images" / "1" / "known-kernel" / "im1_ker1.png")
    kept = root / "two" / "images" / "known-kernel" / "im1_ker1.png"
    assert np.array_equal(shown, read(kept))


def test_kernel_fields_lie_where_they_act():
    field = np.zeros((2, 3, 5, 5), np.float32)
    for row in range(2):
        for column in range(3):
            field[row, column, row, column] = 0.1 + row
    drawn = kernel_picture(field)[..., 0]
    assert drawn.shape == (2 * 6 - 1, 3 * 6 - 1)
    for row in range(2):
        for column in range(3):
            cell = drawn[6 * row : 6 * row + 5, 6 * column : 6 * column + 5]
            assert cell[row, column] == 1 and cell.sum() == 1
    assert kernel_picture(np.eye(3, dtype=np.float32)).shape == (3, 3, 1)


def test_only_the_ends_of_a_long_run_are_shown(made):
    page, root = made
    other = write_report([root / "one"], root / "short", most=2)
    names = re.findall(r"<h4>([^<]*)<", other.read_text())
    assert len(names) == 2
    # The results beat the inputs by their mean: black is their worst, the truth best.
    assert set(names) <= {"a/000", "a/004", "b/001", "b/003"}


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match="is no run"):
        command("report", tmp_path, "-o", tmp_path / "page")


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip(
        "playwright.sync_api", reason="the browser extra is not installed"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    with api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        if found is None and not own.exists():
            pytest.skip("no Chromium on this machine")
        started = playwright.chromium.launch(
            executable_path=found or str(own), args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture
def tab(browser, made):
    """The report, open; whatever goes wrong in it fails the test."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    wrong = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.on("request", lambda r: r.url.startswith("file:") or wrong.append(r.url))
    page.goto(made[0].as_uri())
    yield page
    page.close()
    assert wrong == []


def load_all(tab):
    """Waits for every image, those that the page would load when scrolled to, too."""
    tab.evaluate("for (const image of document.images) image.loading = 'eager'")
    tab.wait_for_function(
        "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
    )


def names_of(tab, section=0):
    cards = tab.locator("section").nth(section).locator(".card h4")
    return [text[: len("a/000")] for text in cards.all_inner_texts()]


def test_every_image_loads(tab):
    load_all(tab)


def test_worst_and_best_come_first(tab, made):
    """Of the results, from black to the truth itself."""
    section = tab.locator("section").first
    section.locator(".by").select_option("<b>mine&co")
    assert names_of(tab) == ["a/000", "a/004", "b/001", "b/003", "a/002"]
    ranks = section.locator(".rank").all_inner_texts()
    assert ranks[:2] == ["worst", "best"]
    section.locator(".order").select_option("best")
    assert names_of(tab) == ["a/004", "b/003", "a/002", "b/001", "a/000"]
    section.locator(".order").select_option("name")
    in_order = names_of(tab)
    section.locator(".by").select_option("blurry")
    section.locator(".order").select_option("worst")
    # Each of the inputs is blurrier than the last.
    by_blur = names_of(tab)
    assert sorted(by_blur) == sorted(in_order) and by_blur != in_order


def shot(tab, view):
    """What is seen of a view: (H, W, 3), 0 to 255."""
    import cv2

    data = np.frombuffer(view.screenshot(), np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[..., ::-1].astype(float)


def card_named(tab, name):
    card = tab.locator("section").first.locator(f'.card:has(h4:text("{name}"))')
    card.scroll_into_view_if_needed()
    return card


def test_the_slider_uncovers_the_input(tab):
    """The result for a/000 is black: what is not black is the input."""
    card = card_named(tab, "a/000")
    view = card.locator(".view").first
    load_all(tab)
    handle, box = view.locator(".handle"), view.bounding_box()
    shares = []
    for split in (0.75, 0.25):
        grip = handle.bounding_box()
        tab.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + 40)
        tab.mouse.down()
        tab.mouse.move(box["x"] + split * box["width"], grip["y"] + 40, steps=4)
        tab.mouse.up()
        seen = shot(tab, view).mean(-1)
        # Not the lines of the line itself and of the labels.
        middle = seen[int(0.2 * len(seen)) : int(0.4 * len(seen))]
        lit = (middle > 30).mean(0) > 0.5
        shares.append(lit.mean())
        assert handle.get_attribute("aria-valuenow") == str(round(100 * split))
    assert abs(shares[0] - 0.75) < 0.05 and abs(shares[1] - 0.25) < 0.05
    # The line is one for all views of the card, and arrow keys move it too.
    handles = card.locator(".handle")
    assert handles.count() == 2
    handles.nth(1).press("ArrowRight")
    values = {handle.get_attribute("aria-valuenow") for handle in handles.all()}
    assert values == {"27"}


def transforms(scope):
    return {
        image.evaluate("i => getComputedStyle(i).transform")
        for image in scope.locator(".view img").all()
    }


def test_zoom_follows_in_all_views_of_an_image(tab):
    card = card_named(tab, "a/002")
    view = card.locator(".view").first
    at = {"x": 100, "y": 80}
    where = """(v, at) => {
      const box = v.getBoundingClientRect(), i = v.querySelector("img");
      const m = new DOMMatrix(getComputedStyle(i).transform);
      return [(at.x - m.e) / m.a, (at.y - m.f) / m.d, m.a];
    }"""
    before = view.evaluate(where, at)
    view.hover(position=at)
    tab.mouse.wheel(0, -600)
    tab.wait_for_function("document.querySelector('.card.near') !== null")
    after = view.evaluate(where, at)
    assert before[2] == 1 and after[2] > 3
    # What is under the pointer stays there.
    assert np.allclose(before[:2], after[:2], atol=0.6)
    assert len(transforms(card)) == 1
    others = tab.locator(".card:not(.near)")
    assert others.count() == 6 and transforms(others) == {"matrix(1, 0, 0, 1, 0, 0)"}
    # Dragging moves all views alike, and a double click shows the whole image again.
    zoomed = transforms(card)
    box = view.bounding_box()
    tab.mouse.move(box["x"] + 60, box["y"] + 60)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 40, box["y"] + 45, steps=3)
    tab.mouse.up()
    assert len(transforms(card)) == 1 and transforms(card) != zoomed
    view.dblclick(position={"x": 30, "y": 30})
    assert transforms(card) == {"matrix(1, 0, 0, 1, 0, 0)"}
    card.locator("button").first.click()
    assert len(transforms(card)) == 1
    assert transforms(card) != {"matrix(1, 0, 0, 1, 0, 0)"}


def test_the_left_side_may_be_the_truth(tab):
    card = card_named(tab, "b/003")
    card.locator("select").select_option(label="truth")
    for view in card.locator(".view").all():
        assert "_truth" in view.locator(".before img").get_attribute("src")
        assert view.locator(".tag.left").inner_text() == "truth"


def test_kernels_and_kernel_fields_are_shown(tab):
    kernels = tab.locator("section").nth(1).locator(".card").first.locator(".kernels")
    assert kernels.locator("figcaption").all_inner_texts()[0] == "true kernel"
    load_all(tab)
    sizes = kernels.locator("img").evaluate_all(
        "images => images.map(i => [i.naturalWidth, i.naturalHeight])"
    )
    assert sizes[0] == [7, 7]
    field = tab.locator("section").nth(1).locator('img[alt="known-kernel"]')
    shown = field.evaluate_all(
        "images => images.map(i => [i.naturalWidth, i.naturalHeight])"
    )
    assert [3 * 6 - 1, 2 * 6 - 1] in shown
