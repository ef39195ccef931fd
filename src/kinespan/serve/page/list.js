// The list of recordings: searched, sorted, and drawn only as far as it is seen, so that thousands are no burden.

import { clamp, durationText, el, isNumber, percent } from "../../viewer/dom.js";

const SORT_KEY = "kinespan-sort";
const ROW_HEIGHT = 54; // pixels, as page.css has it
const SPARE_ROWS = 8; // drawn above and below what is seen

const labelledIn = (set) => (item) => (set === null ? 0 : item.labels[set] ?? 0) + (set === null ? 0 : item.watched[set] ?? 0);
const byName = (a, b) => a.name.localeCompare(b.name, "en", { numeric: true });
const SORTS = {
  order: ["In order", () => 0],
  name: ["By name", byName],
  longest: ["Longest first", (a, b) => (b.duration ?? -1) - (a.duration ?? -1)],
  shortest: ["Shortest first", (a, b) => (a.duration ?? Infinity) - (b.duration ?? Infinity)],
  uncertain: ["Least certain first", (a, b) => (b.uncertainty ?? -1) - (a.uncertainty ?? -1)],
  unlabelled: ["Unlabelled first", (a, b, amount) => amount(a) - amount(b)],
};

export class RecordingList {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store, items: [], rows: new Map() });
    const kept = localStorage.getItem(SORT_KEY);
    this.sort = SORTS[kept] ? kept : "order";
    this.search = el("input", {
      type: "search", id: "search", placeholder: "Search", "aria-label": "Search recordings", autocomplete: "off",
      oninput: () => this.arrange(),
    });
    this.sorting = el("select", { id: "sort", "aria-label": "Sort recordings", onchange: () => this.chooseSort() },
      ...Object.entries(SORTS).map(([key, [name]]) => el("option", { value: key, selected: key === this.sort }, name)));
    this.count = el("span", { class: "how-many", role: "status" });
    this.space = el("div", { class: "space" });
    this.box = el("div", { class: "rows", id: "recordings", role: "listbox", tabindex: "0", "aria-label": "Recordings" },
      this.space);
    const head = el("div", { class: "list-head" }, this.search, el("div", { class: "list-tools" }, this.sorting, this.count));
    root.append(head, this.box, this.openButton());
    this.listen();
  }

  listen() {
    this.store.on("recordings session", () => this.arrange());
    this.store.on("recording opening", () => this.follow());
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.box.addEventListener("click", (event) => {
      const row = event.target.closest(".item");
      if (row) this.choose(Number(row.dataset.id));
    });
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  // Files can be opened without a mouse, too.
  openButton() {
    const input = el("input", { type: "file", multiple: true, hidden: true, onchange: () => {
      this.page.drop.upload([...input.files]);
      input.value = "";
    } });
    const button = el("button", { type: "button", class: "ghost open-files", onclick: () => input.click() }, "Open files…");
    return el("div", { class: "list-foot" }, button, input);
  }

  choose(id) {
    this.store.show(id);
    document.body.classList.remove("list-open");
  }

  chooseSort() {
    this.sort = this.sorting.value;
    localStorage.setItem(SORT_KEY, this.sort);
    this.arrange();
    this.follow();
  }

  // ---- order -------------------------------------------------------------------------------------------------

  arrange() {
    const { recordings, set } = this.store;
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const items = recordings.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
    const [, compare] = SORTS[this.sort];
    const amount = labelledIn(set);
    this.items = this.sort === "order" ? items : items.sort((a, b) => compare(a, b, amount));
    this.store.order = this.items.map(({ id }) => id);
    this.places = new Map(this.items.map(({ id }, place) => [id, place]));
    this.count.textContent = items.length === recordings.length ? `${recordings.length}`
      : `${items.length} of ${recordings.length}`;
    this.space.style.height = `${this.items.length * ROW_HEIGHT}px`;
    for (const { node } of this.rows.values()) node.remove();
    this.rows.clear();
    this.draw();
  }

  get current() {
    return this.store.opening ?? this.store.recording?.id ?? null;
  }

  // Scrolls to the recording that is shown.
  follow() {
    const place = this.places?.get(this.current);
    if (place !== undefined) {
      const top = place * ROW_HEIGHT;
      const { scrollTop, clientHeight } = this.box;
      const isSeen = top >= scrollTop && top + ROW_HEIGHT <= scrollTop + clientHeight;
      if (!isSeen) this.box.scrollTop = top - clientHeight / 2 + ROW_HEIGHT / 2;
    }
    this.draw();
  }

  onKey(event) {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || !this.items.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = clamp((this.places.get(this.current) ?? -1) + by, 0, this.items.length - 1);
    this.store.show(this.items[place].id);
    event.preventDefault();
    event.stopPropagation();
  }

  // ---- rows --------------------------------------------------------------------------------------------------

  draw() {
    const { scrollTop, clientHeight } = this.box;
    const first = clamp(Math.floor(scrollTop / ROW_HEIGHT) - SPARE_ROWS, 0, this.items.length);
    const end = clamp(Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + SPARE_ROWS, 0, this.items.length);
    for (const [place, { node }] of this.rows) {
      if (place >= first && place < end) continue;
      node.remove();
      this.rows.delete(place);
    }
    for (let place = first; place < end; place++) {
      if (!this.rows.has(place)) this.rows.set(place, { id: this.items[place].id, node: this.row(this.items[place], place) });
      const { id, node } = this.rows.get(place);
      const isCurrent = id === this.current;
      node.setAttribute("aria-selected", String(isCurrent));
      node.classList.toggle("opening", id === this.store.opening);
      if (isCurrent) this.box.setAttribute("aria-activedescendant", node.id);
    }
  }

  row(item, place) {
    const node = el("div", {
      class: "item", role: "option", id: `recording-${item.id}`, "data-id": item.id, "aria-setsize": this.items.length,
      "aria-posinset": place + 1,
      title: item.error ? `${item.name}: ${item.error}` : item.name,
    }, el("div", { class: "first" }, el("span", { class: "text", dir: "auto" }, item.name),
      el("span", { class: "long" }, item.duration === null ? "" : durationText(item.duration))),
    el("div", { class: "second" }, ...this.marks(item)));
    node.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    this.space.append(node);
    return node;
  }

  marks(item) {
    if (item.error) return [el("span", { class: "error", dir: "auto" }, item.error)];
    const { set } = this.store;
    const marks = [];
    const [labels, watched] = set === null ? [0, 0] : [item.labels[set] ?? 0, item.watched[set] ?? 0];
    if (item.kind !== "corpus") marks.push(el("span", {},
      item.kind === "dropped" ? "dropped here" : item.skeleton ?? "not read yet"));
    else if (set !== null && item.duration) {
      const share = clamp(watched / item.duration, 0, 1);
      marks.push(el("span", { class: "gauge", vars: { "--v": share }, title: `${percent(share, 0)} % looked at` }),
        el("span", {}, labels ? `${labels} label${labels === 1 ? "" : "s"}` : share ? "no labels" : "not labelled"));
    } else if (item.skeleton) marks.push(el("span", {}, item.skeleton));
    if (item.warnings) marks.push(el("span", { class: "warn",
      title: `${item.warnings} warning${item.warnings === 1 ? "" : "s"} of reading` }, `⚠ ${item.warnings}`));
    if (item.predicted) marks.push(el("span", { class: "mark", title: "A model has localized it" }, "predicted"));
    if (isNumber(item.uncertainty) && this.sort === "uncertain") marks.push(el("span", { title: "How unsure the model is" },
      `${percent(item.uncertainty, 0)} % unsure`));
    return marks;
  }
}
