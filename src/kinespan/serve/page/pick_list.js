// A list of which one row is chosen: by a click, or by keys while the list has the focus. Only the rows in view exist, so a
// list may be thousands long.

import { clamp, el } from "../../viewer/dom.js";

const ROWS_AROUND = 6; // rows that exist above and below those in view
let lists = 0;

export class PickList {
  // row(item) -> the nodes of a row, rowHeight pixels high; pick(item): it was chosen; keys: { key: (item) => ... }, what
  // other keys do while the list has the focus
  constructor({ name, rowHeight, row, pick, keys = {} }) {
    Object.assign(this, { rowHeight, row, pick, keys, items: [], index: -1, id: `picks-${lists++}`, first: 0, last: 0 });
    this.space = el("div", { class: "picks-space", role: "presentation" });
    this.node = el("div", { class: "picks", role: "listbox", tabindex: "0", "aria-label": name }, this.space);
    this.node.addEventListener("scroll", () => this.draw(), { passive: true });
    this.node.addEventListener("keydown", (event) => this.onKey(event));
    this.space.addEventListener("click", (event) => this.onClick(event));
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  get chosen() {
    return this.items[this.index] ?? null;
  }

  // Other rows; index is the one that is chosen then, -1 for none. Nothing is told to `pick`.
  setItems(items, index = -1) {
    Object.assign(this, { items, index: Math.min(index, items.length - 1) });
    this.node.style.setProperty("--all", `${items.length * this.rowHeight}px`);
    this.redraw();
  }

  // Marks a row as chosen without telling, and brings it into view.
  mark(index) {
    if (index === this.index) return;
    this.index = index;
    this.bringIntoView();
    this.redraw();
  }

  choose(index) {
    if (!this.items.length) return;
    this.index = clamp(index, 0, this.items.length - 1);
    this.bringIntoView();
    this.redraw();
    this.pick(this.chosen);
  }

  step(by) {
    this.choose(this.index < 0 ? (by > 0 ? 0 : this.items.length - 1) : this.index + by);
  }

  focus() {
    this.node.focus({ preventScroll: true });
  }

  bringIntoView() {
    const { node, rowHeight } = this;
    const top = this.index * rowHeight;
    if (top < node.scrollTop) node.scrollTop = top;
    else if (top + rowHeight > node.scrollTop + node.clientHeight) node.scrollTop = top + rowHeight - node.clientHeight;
  }

  redraw() {
    [this.first, this.last] = [0, 0];
    this.draw();
  }

  draw() {
    const { node, rowHeight, items } = this;
    const first = Math.max(0, Math.floor(node.scrollTop / rowHeight) - ROWS_AROUND);
    const last = Math.min(items.length, Math.ceil((node.scrollTop + node.clientHeight) / rowHeight) + ROWS_AROUND);
    if (first === this.first && last === this.last && last > first) return;
    Object.assign(this, { first, last });
    this.space.replaceChildren(...items.slice(first, last).map((item, i) => this.drawRow(item, first + i)));
    if (this.chosen) node.setAttribute("aria-activedescendant", `${this.id}-${this.index}`);
    else node.removeAttribute("aria-activedescendant");
  }

  drawRow(item, index) {
    const isChosen = String(index === this.index);
    return el("div", {
      class: "pick", role: "option", id: `${this.id}-${index}`, "data-index": index, "aria-selected": isChosen,
      "aria-setsize": this.items.length, "aria-posinset": index + 1,
      vars: { "--top": `${index * this.rowHeight}px`, "--tall": `${this.rowHeight}px` },
    }, ...this.row(item));
  }

  onClick(event) {
    const row = event.target.closest(".pick");
    if (!row || event.target.closest("button")) return;
    this.choose(Number(row.dataset.index));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.node.clientHeight / this.rowHeight) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in moves) this.step(moves[event.key]);
    else if (this.chosen && event.key in this.keys) this.keys[event.key](this.chosen);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

// Buttons of a row for the mouse, [text, title, onclick]; keys and the buttons under the list do the same.
export function rowButtons(...buttons) {
  return el("span", { class: "row-buttons", "aria-hidden": "true" },
    ...buttons.map(([text, title, onclick]) => el("button", { type: "button", tabindex: "-1", title, onclick }, text)));
}
