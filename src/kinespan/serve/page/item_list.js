// The items of the recording as text, for screen readers and for precise numbers: a list to pick from, and a form that
// changes the selected item.

import { clockText, el } from "../../viewer/dom.js";
import { showError } from "./dialog.js";
import { frameAt, frameCentre, isSpan } from "./editing.js";
import { PickList } from "./pick_list.js";

const ROW = 30; // pixels
const UNIT_KEY = "kinespan-item-unit";

export class ItemList {
  constructor(page) {
    Object.assign(this, { page, store: page.store, unit: localStorage.getItem(UNIT_KEY) ?? "seconds" });
    this.count = el("span", { class: "value" });
    this.unitChoice = el("select", { "aria-label": "Unit of times", onchange: () => this.useUnit(this.unitChoice.value) },
      ...["seconds", "frames"].map((unit) => el("option", { value: unit, selected: unit === this.unit }, unit)));
    this.list = new PickList({
      name: "Labels of this recording", rowHeight: ROW, row: (item) => this.row(item), pick: (item) => this.pick(item),
      keys: { Enter: () => page.editor.relabel(), Delete: () => page.editor.remove(), Backspace: () => page.editor.remove() },
    });
    this.empty = el("p", { class: "about" }, "Nothing is labelled here yet.");
    this.form = el("form", { class: "item-form", "aria-label": "Selected item", onsubmit: (event) => event.preventDefault() });
    this.actions = el("div", { class: "actions", role: "group", "aria-label": "What to do with the selection" });
    this.node = el("section", { class: "items" },
      el("div", { class: "head" }, el("h3", {}, "In this recording", this.count), this.unitChoice),
      this.empty, this.form, this.actions, this.list.node);
    this.store.on("items labels recording", () => this.update());
    this.store.on("selection", () => this.onSelection());
  }

  useUnit(unit) {
    this.unit = unit;
    localStorage.setItem(UNIT_KEY, unit);
    this.update();
  }

  update() {
    const { items } = this.store;
    this.count.textContent = items.length ? ` ${items.length}` : "";
    this.empty.hidden = items.length > 0;
    this.list.node.hidden = this.unitChoice.hidden = !items.length;
    this.list.setItems(items, this.index);
    this.showForm();
  }

  get index() {
    const { item } = this.page.editor;
    return item ? this.store.items.findIndex(({ number }) => number === item.number) : -1;
  }

  onSelection() {
    this.list.mark(this.index);
    this.showForm();
  }

  pick(item) {
    this.store.select({ kind: "item", item });
    this.page.editor.goTo(item);
  }

  row(item) {
    const { labels } = this.store;
    const kind = isSpan(item) ? "" : this.store.isEvent(item.label) ? "event" : "point";
    const whose = item.person === null ? "" : ` · person ${item.person}`;
    return [
      labels.swatch(item.label), el("bdi", { class: "name-text", title: labels.name(item.label) }, labels.name(item.label)),
      el("span", { class: "when" }, kind && `${kind} `, this.timesText(item), whose),
    ];
  }

  timesText({ start, end }) {
    const isSeconds = this.unit === "seconds";
    const text = isSeconds ? (time) => clockText(time) : (time) => String(frameAt(time, this.fps) + 1);
    if (end === null) return text(start);
    return `${text(start)} – ${isSeconds ? clockText(end) : Math.round(end * this.fps)}`;
  }

  get fps() {
    return this.store.recording.fps;
  }

  // ---- the selected item ---------------------------------------------------------------------------------------

  showForm() {
    const { item } = this.page.editor;
    const isShown = Boolean(item) && this.store.isEditable;
    this.form.hidden = !isShown;
    this.showActions();
    if (!isShown) {
      this.formed = null;
      return;
    }
    const facts = JSON.stringify([item, this.unit, this.store.labels.names]);
    if (facts === this.formed) return; // somebody may be typing in it
    this.formed = facts;
    const focused = this.form.contains(document.activeElement) ? document.activeElement.name : null;
    this.form.replaceChildren(...this.fields(item));
    if (focused) this.form.elements[focused]?.focus();
  }

  // What can be done with the selected item or range, with the keys that do the same.
  showActions() {
    const { editor, loop } = this.page;
    const { selection, isEditable } = this.store;
    const kind = selection?.kind === "item" ? (isSpan(selection.item) ? "span" : "event") : selection?.kind;
    const facts = JSON.stringify([kind, isEditable, loop?.isUsed]);
    if (facts === this.acted) return;
    this.acted = facts;
    const isStretch = kind === "span" || kind === "range";
    const actions = [
      [isStretch, "Loop", "p", () => editor.toggleLoop()],
      [isEditable && kind === "span", "Split", "s", () => editor.split()],
      [isEditable && kind === "span", "Merge", "m", () => editor.merge()],
      [isEditable && kind === "range", "Label", "Enter", () => editor.chooseByName()],
      [isEditable && isStretch, "Looked at", "c", () => editor.setLookedAt(true)],
      [isEditable && kind === "range", "Not looked at", "Shift c", () => editor.setLookedAt(false)],
      [isStretch && loop?.isUsed, "More like this", "q", () => editor.findSimilar()],
      [isEditable && (kind === "span" || kind === "event"), "Delete", "Del", () => editor.remove()],
    ].filter(([isOffered]) => isOffered);
    this.actions.hidden = !actions.length;
    this.actions.replaceChildren(...actions.map(([, name, key, onclick]) =>
      el("button", { type: "button", onclick }, name, el("kbd", {}, key))));
  }

  fields(item) {
    const { editor } = this.page;
    const { labels, labelFacts } = this.store;
    const suited = labels.names.map((_, i) => i).filter((i) => !isSpan(item) || !labelFacts[i].event);
    const label = el("select", { name: "label", onchange: () => editor.setLabel(item, Number(label.value)) },
      ...suited.map((i) => el("option", { value: i, selected: i === item.label }, labels.name(i))));
    const people = editor.people;
    const person = people.length || item.person !== null ? el("select", {
      name: "person", onchange: () => editor.change(item, { person: person.value === "" ? null : Number(person.value) }),
    }, el("option", { value: "" }, "everybody"),
      ...people.map((each) => el("option", { value: each, selected: each === item.person }, `person ${each}`))) : null;
    return [
      field("Label", label), field(isSpan(item) ? "Start" : "At", this.timeInput(item, "start")),
      isSpan(item) && field("End", this.timeInput(item, "end")), person && field("Whose", person),
    ].filter(Boolean);
  }

  timeInput(item, edge) {
    const isSeconds = this.unit === "seconds";
    const time = item[edge];
    const value = isSeconds ? Number(time.toFixed(4)) : edge === "end" ? Math.round(time * this.fps)
      : frameAt(time, this.fps) + 1;
    const input = el("input", {
      name: edge, type: "text", inputmode: "decimal", value, autocomplete: "off",
      onchange: () => this.setTime(item, edge, input),
    });
    return input;
  }

  // Frames are counted from 1 as everywhere on the page, and an end in frames is the last frame.
  setTime(item, edge, input) {
    const isSeconds = this.unit === "seconds";
    const number = Number(input.value.trim().replace(",", "."));
    const { duration } = this.page.clock;
    const most = isSeconds ? duration : this.store.recording.frames;
    const least = isSeconds ? 0 : 1;
    const time = isSeconds ? number : edge === "end" ? number / this.fps : isSpan(item) ? (number - 1) / this.fps
      : frameCentre(number - 1, this.fps);
    const problem = input.value.trim() === "" || !Number.isFinite(number) || number < least - 1e-6 || number > most + 1e-3
      ? `a number from ${least} to ${Number(most.toFixed(3))}`
      : edge === "start" && isSpan(item) && time >= item.end ? "a start before its end"
      : edge === "end" && time <= item.start ? "an end after its start" : null;
    if (problem) {
      const what = `${edge === "start" ? "Start" : "End"} of ${this.store.labels.name(item.label)}`;
      showError(new Error(`${what}: expected ${problem}, and not "${input.value}".`));
      this.formed = null;
      return this.showForm();
    }
    return this.page.editor.change(item, { [edge]: time });
  }
}

const field = (name, input) => el("label", {}, el("span", {}, name), input);
