"""The report's one page: its frame, its style and the program that moves it.

Plain HTML that works from disk: nothing is fetched, and every image lies beside it.
"""

from html import escape

FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1>{links}</header>
<main>{sections}</main>
<script>{script}</script>
</body>
</html>
"""

STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8882; --accent: #d4620a; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1500px;
  padding: 0 1.2rem 4rem; }
header a { margin-right: 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 3rem; border-top: 2px solid var(--line);
  padding-top: 1rem; } h3 { margin: 1.6rem 0 .4rem; font-size: 1.05rem; }
table { border-collapse: collapse; margin: .6rem 0;
  font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
tr.published { font-style: italic; opacity: .75; }
.scroll { overflow-x: auto; }
.curves svg { background: #fff; max-width: 100%; height: auto; }
.problems { color: #b3261e; }
.controls { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; align-items: center;
  position: sticky; top: 0; z-index: 5; background: Canvas; padding: .6rem 0;
  border-bottom: 1px solid var(--line); }
.card { margin: 1.4rem 0 2rem; scroll-margin-top: 4rem;
  --scale: 1; --x: 0px; --y: 0px; --split: 50%; }
.card h4 { margin: 0 0 .3rem; font-size: 1rem; }
.rank { color: var(--accent); font-weight: 600; margin-left: .6rem; }
.views { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); }
figure { margin: 0; } figcaption { font-size: .85rem; }
.view { position: relative; overflow: hidden; background: #000; touch-action: none;
  cursor: grab; user-select: none; }
.view .layer { position: absolute; inset: 0; overflow: hidden; }
.view .after { clip-path: inset(0 0 0 var(--split)); }
.view img { display: block; width: 100%; height: 100%; transform-origin: 0 0;
  transform: translate(var(--x), var(--y)) scale(var(--scale)); pointer-events: none; }
.card.near img { image-rendering: pixelated; }
.handle { position: absolute; top: 0; bottom: 0; left: var(--split); width: 28px;
  margin-left: -14px; cursor: ew-resize; touch-action: none; }
.handle::before { content: ""; position: absolute; left: 13px; width: 2px; top: 0;
  bottom: 0; background: #fff; box-shadow: 0 0 3px #000; }
.handle::after { content: "\\2194"; position: absolute; left: 0; top: calc(50% - 14px);
  width: 28px; height: 28px; border-radius: 14px; background: #fff; color: #000;
  text-align: center; line-height: 28px; box-shadow: 0 0 3px #000; }
.handle:focus-visible::after { outline: 3px solid var(--accent); }
.tag { position: absolute; bottom: 4px; padding: 0 .4rem; font-size: .75rem;
  background: #000a; color: #fff; pointer-events: none; }
.tag.left { left: 4px; } .tag.right { right: 4px; }
.kernels { display: flex; flex-wrap: wrap; gap: .8rem; margin: .4rem 0; }
.kernels img { height: 110px; image-rendering: pixelated; background: #000; }
"""

SCRIPT = """
"use strict";
for (const section of document.querySelectorAll("section")) {
  const list = section.querySelector(".cards");
  if (!list) continue;
  const cards = [...list.children];
  const by = section.querySelector(".by"), order = section.querySelector(".order");
  const lower = section.dataset.lower === "true";

  // Worst first, best first, or the two ends in turn: both come before the middle.
  function arrange() {
    const value = card => {
      const held = JSON.parse(card.dataset.scores)[by.value];
      return held === undefined ? NaN : Number(held) * (lower ? -1 : 1);
    };
    const scored = cards.filter(card => !Number.isNaN(value(card)));
    const failed = cards.filter(card => Number.isNaN(value(card)));
    const rising = scored.sort((a, b) => value(a) - value(b));
    const ranks = new Map(rising.map((card, i) => [card, i + 1]));
    let shown = rising;
    if (order.value === "best") shown = [...rising].reverse();
    if (order.value === "ends") {
      shown = [];
      for (let low = 0, high = rising.length - 1; low <= high; low++, high--) {
        shown.push(rising[low]);
        if (high > low) shown.push(rising[high]);
      }
    }
    if (order.value === "name") shown = cards.filter(card => ranks.has(card));
    for (const card of [...failed, ...shown]) {
      const rank = ranks.get(card), last = rising.length;
      const word = rank === 1 ? "worst" : rank === last ? "best" :
        `${rank} of ${last} from the worst`;
      card.querySelector(".rank").textContent = rank ? word : "not scored";
      list.append(card);
    }
  }
  by.addEventListener("change", arrange);
  order.addEventListener("change", arrange);
  arrange();
}

// The views of a card share one zoom, one place and one slider: they are variables of
// the card, which the style sheet of every view reads.
for (const card of document.querySelectorAll(".card")) {
  const state = { scale: 1, x: 0, y: 0, split: 50 };
  const views = [...card.querySelectorAll(".view")];
  const size = () => views[0].getBoundingClientRect();

  function show() {
    const { width, height } = size();
    state.scale = Math.min(32, Math.max(1, state.scale));
    state.x = Math.min(0, Math.max(width * (1 - state.scale), state.x));
    state.y = Math.min(0, Math.max(height * (1 - state.scale), state.y));
    state.split = Math.min(100, Math.max(0, state.split));
    card.style.setProperty("--scale", state.scale);
    card.style.setProperty("--x", `${state.x}px`);
    card.style.setProperty("--y", `${state.y}px`);
    card.style.setProperty("--split", `${state.split}%`);
    card.classList.toggle("near", state.scale > 2);
    for (const handle of card.querySelectorAll(".handle"))
      handle.setAttribute("aria-valuenow", Math.round(state.split));
  }

  function zoom(factor, x, y) {
    const before = state.scale;
    state.scale = Math.min(32, Math.max(1, before * factor));
    const grown = state.scale / before;
    state.x = x - (x - state.x) * grown;
    state.y = y - (y - state.y) * grown;
    show();
  }

  for (const view of views) {
    const handle = view.querySelector(".handle");
    view.addEventListener("wheel", event => {
      event.preventDefault();
      const at = view.getBoundingClientRect();
      const factor = Math.exp(-event.deltaY / 400);
      zoom(factor, event.clientX - at.left, event.clientY - at.top);
    }, { passive: false });
    view.addEventListener("dblclick", () => {
      Object.assign(state, { scale: 1, x: 0, y: 0 });
      show();
    });
    view.addEventListener("pointerdown", event => {
      view.setPointerCapture(event.pointerId);
      const slides = event.target === handle;
      let { clientX, clientY } = event;
      const move = next => {
        if (slides) {
          const at = view.getBoundingClientRect();
          state.split = 100 * (next.clientX - at.left) / at.width;
        } else {
          state.x += next.clientX - clientX;
          state.y += next.clientY - clientY;
          ({ clientX, clientY } = next);
        }
        show();
      };
      const stop = () => {
        view.removeEventListener("pointermove", move);
        view.removeEventListener("pointerup", stop);
        view.removeEventListener("pointercancel", stop);
      };
      view.addEventListener("pointermove", move);
      view.addEventListener("pointerup", stop);
      view.addEventListener("pointercancel", stop);
    });
    handle.addEventListener("keydown", event => {
      const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      state.split += step;
      show();
    });
  }
  for (const button of card.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      const { width, height } = size();
      zoom(Number(button.dataset.zoom), width / 2, height / 2);
    });
  }
  for (const choice of card.querySelectorAll("select")) {
    choice.addEventListener("change", () => {
      const chosen = choice.selectedOptions[0];
      for (const view of views) {
        view.querySelector(".before img").src = chosen.value;
        view.querySelector(".tag.left").textContent = chosen.textContent;
      }
    });
  }
}
"""


def page(title: str, sections: dict[str, str]) -> str:
    """The whole page; sections are HTML by their title."""
    links, bodies = [], []
    for number, (name, body) in enumerate(sections.items()):
        links.append(f'<a href="#run{number}">{escape(name)}</a>')
        bodies.append(body.replace("<section", f'<section id="run{number}"', 1))
    return FRAME.format(
        title=escape(title),
        style=STYLE,
        script=SCRIPT,
        links="".join(links) if len(links) > 1 else "",
        sections="\n".join(bodies),
    )


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
