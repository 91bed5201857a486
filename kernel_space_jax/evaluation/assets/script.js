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
