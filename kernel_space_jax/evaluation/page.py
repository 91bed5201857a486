"""The report's one page: its frame, its style and the program that moves it.

Plain HTML that works from disk: nothing is fetched, and every image lies beside it.
The frame, the style sheet and the script are the files of `assets/`.
"""

from html import escape
from importlib.resources import files

ASSETS = files("kernel_space_jax.evaluation") / "assets"


def page(title: str, sections: dict[str, str]) -> str:
    """The whole page; sections are HTML by their title."""
    links, bodies = [], []
    for number, (name, body) in enumerate(sections.items()):
        links.append(f'<a href="#run{number}">{escape(name)}</a>')
        bodies.append(body.replace("<section", f'<section id="run{number}"', 1))
    return _asset("frame.html").format(
        title=escape(title),
        style=_asset("style.css"),
        script=_asset("script.js"),
        links="".join(links) if len(links) > 1 else "",
        sections="\n".join(bodies),
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def table(head: list[str], rows: list[list[str]], published: int = 0) -> str:
    """A table of plain texts; the last `published` rows are marked as such."""
    first = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = [f"<tr>{first}</tr>"]
    for number, row in enumerate(rows):
        kind = ' class="published"' if number >= len(rows) - published else ""
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        lines.append(f"<tr{kind}>{cells}</tr>")
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def view(before: str, after: str, label: str, caption: str, ratio: float) -> str:
    """One before/after slider; addresses are relative to the page."""
    before, after, label = escape(before), escape(after), escape(label)
    return f"""<figure><div class="view" style="aspect-ratio: {ratio:.5f}">
<div class="layer before"><img src="{before}" alt="input" loading="lazy"></div>
<div class="layer after"><img src="{after}" alt="{label}" loading="lazy"></div>
<span class="tag left">input</span><span class="tag right">{label}</span>
<div class="handle" role="slider" tabindex="0" aria-label="input or {label}"
aria-valuemin="0" aria-valuemax="100" aria-valuenow="50"></div></div>
<figcaption><b>{label}</b> {escape(caption)}</figcaption></figure>"""


def card(
    name: str, ranks: str, sides: dict[str, str], views: list[str], kernels: list[str]
) -> str:
    """One image: its views, what may stand on their left, and kernels below."""
    choices = "".join(
        f'<option value="{escape(address)}">{escape(side)}</option>'
        for side, address in sides.items()
    )
    return f"""<article class="card" data-scores="{escape(ranks)}">
<h4>{escape(name)}<span class="rank"></span></h4><p>left: <select>{choices}</select>
<button data-zoom="2" aria-label="zoom in">+</button>
<button data-zoom="0.5" aria-label="zoom out">&minus;</button></p>
<div class="views">{"".join(views)}</div>
<div class="kernels">{"".join(kernels)}</div></article>"""


def picture(address: str, caption: str) -> str:
    """A small image with a caption."""
    return (
        f'<figure><img src="{escape(address)}" alt="{escape(caption)}" loading="lazy">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
