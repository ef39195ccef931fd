// Compare: how far two annotation sets agree, and where they differ, to walk through.

import { clockText, durationText, el, isNumber, percent } from "../../viewer/dom.js";
import { table } from "../../viewer/tables.js";
import { getJson } from "./api.js";
import { showNote } from "./dialog.js";
import { button } from "./draft_list.js";
import { momentText, nameOf, nameText } from "./moments.js";
import { PickList } from "./pick_list.js";
import { addMissingLabels, itemsOf, takeOver } from "./sets.js";

const ROW = 54; // pixels
const ONE_SET = "There is one annotation set. A second annotator begins one in the bar at the top, “New set…”; then both " +
  "can be compared here.";
const LENGTHS = [0, 0.1, 0.2, 0.5, 1, 2]; // seconds, of which the least length of differences is chosen
const AROUND = 1; // seconds before a difference where it begins to play

export class ComparePanel {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store, answer: null, isShown: false });
    root.classList.add("loop");
    this.left = this.chooser("A");
    this.right = this.chooser("B");
    this.hint = el("p", { class: "hint", dir: "auto", role: "status" });
    this.figures = el("dl", { class: "tally" });
    this.perLabel = el("div", {});
    this.details = el("details", {}, el("summary", {}, "Agreement of each label"), this.perLabel);
    this.filter = el("select", { "aria-label": "Differences of", onchange: () => this.showDifferences() });
    this.least = el("select", { "aria-label": "Least length of differences", onchange: () => this.showDifferences() },
      ...LENGTHS.map((value) => el("option", { value }, value ? `from ${value} s` : "of any length")));
    this.count = el("span", { class: "hint" });
    this.list = new PickList({
      name: "Differences", rowHeight: ROW, row: (difference) => this.row(difference), pick: (difference) => this.goTo(difference),
      keys: { Enter: () => this.goTo(this.list.chosen), a: () => this.take("left"), b: () => this.take("right") },
    });
    this.takes = { left: this.takeButton("left", "A", "a"), right: this.takeButton("right", "B", "b") };
    const walk = (text, title, by) => {
      const onclick = () => this.list.step(by);
      return el("button", { type: "button", class: "ghost", title, "aria-label": title, onclick }, text);
    };
    this.actions = el("div", { class: "buttons-row" }, walk("‹", "Previous difference", -1), walk("›", "Next difference", 1),
      this.takes.left, this.takes.right);
    this.result = el("section", { class: "filling" }, this.figures, this.details,
      el("div", { class: "buttons-row between" }, el("h3", {}, "Where they differ"), this.count),
      el("div", { class: "halves" }, this.filter, this.least), this.list.node, this.actions);
    root.append(el("section", { class: "pair" },
      el("label", { class: "field" }, el("b", {}, "A"), this.left),
      el("label", { class: "field" }, el("b", {}, "B"), this.right)),
    this.hint, this.result);
    this.store.on("session", () => this.onSession());
    this.store.on("labels", () => this.list.redraw());
    this.result.hidden = true;
  }

  get isUsed() {
    return Boolean(this.store.session?.sets.length);
  }

  chooser(side) {
    return el("select", { "aria-label": `Annotation set ${side}`, onchange: () => this.load() });
  }

  takeButton(side, name, key) {
    return button(`Take ${name}’s`, key, () => this.take(side));
  }

  // ---- two sets ----------------------------------------------------------------------------------------------

  shown() {
    this.isShown = true;
    this.load();
  }

  hidden() {
    if (this.isShown) this.page.timelines.compareSets([]);
    this.isShown = false;
  }

  onSession() {
    const names = this.store.session.sets.map(({ name }) => name);
    if (names.join("\n") === this.names?.join("\n")) return this.showTakes();
    this.names = names;
    const first = names.includes(this.left.value) ? this.left.value : this.store.set ?? this.store.session.set ?? names[0];
    const second = names.includes(this.right.value) && this.right.value !== first ? this.right.value
      : names.find((name) => name !== first) ?? first;
    for (const [select, chosen] of [[this.left, first], [this.right, second]]) {
      select.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === chosen }, name)));
    }
    if (this.isShown) this.load();
    return this.showTakes();
  }

  // index: the difference that is chosen then, -1 for none
  async load(index = -1) {
    const [left, right] = [this.left.value, this.right.value];
    if (!this.store.session) return;
    this.page.timelines.compareSets([left, right]);
    if ((this.names?.length ?? 0) < 2) return this.explain(ONE_SET);
    if (left === right) return this.explain("Choose two different sets.");
    try {
      const answer = await getJson("compare", { left, right });
      if (left !== this.left.value || right !== this.right.value) return; // others were chosen meanwhile
      this.answer = answer;
    } catch (error) {
      return this.explain(error.message);
    }
    this.explain("");
    this.showFigures();
    this.showDifferences(index);
    return this.showTakes();
  }

  explain(text) {
    this.hint.textContent = text;
    this.hint.hidden = !text;
    this.result.hidden = Boolean(text);
    if (text) this.answer = null;
  }

  showFigures() {
    const { f1, kappa, event_f1: eventF1, tolerance, seconds, recordings, label_kappa: labelKappa } = this.answer;
    const fact = (value, text, title) => el("div", { title }, el("dd", {}, value), el("dt", {}, text));
    const two = (value) => (isNumber(value) ? value.toFixed(2) : "–");
    this.figures.replaceChildren(
      fact(percent(f1), "F1@50",
        "Segments of A that have one of the same label in B which shares at least half of their time, and the other way round"),
      fact(two(kappa), "Cohen’s κ", "Agreement by frame beyond chance: 1 is perfect, 0 is chance"),
      ...(isNumber(eventF1) ? [fact(percent(eventF1), `events ± ${tolerance} s`,
        "Events of A that have one of the same label in B within the tolerance")] : []),
      fact(clockText(seconds, 0), `minutes in ${recordings} ${recordings === 1 ? "recording" : "recordings"}`,
        "Time that both looked at"));
    const measured = Object.entries(labelKappa).filter(([, value]) => isNumber(value));
    const byKappa = measured.sort((a, b) => a[1] - b[1]);
    const rows = byKappa.map(([name, value]) => [nameText(name), two(value)]);
    const caption = "Cohen’s κ by frame, of the labels that occur, least first";
    this.perLabel.replaceChildren(table(caption, ["label", "κ"], rows, "kappas"));
  }

  // ---- differences -------------------------------------------------------------------------------------------

  // Those of the chosen label and length. index: the one that is chosen then; without it the one that was.
  showDifferences(index = null) {
    if (!this.answer) return;
    const { differences } = this.answer;
    const { chosen: before } = this.list;
    const least = Number(this.least.value);
    const names = [...new Set(differences.flatMap(({ left, right }) => [left, right]))].filter(Boolean).sort();
    const chosen = names.includes(this.filter.value) ? this.filter.value : "";
    this.filter.replaceChildren(el("option", { value: "" }, "of all labels"),
      ...names.map((name) => el("option", { value: name, selected: name === chosen }, `of ${name}`)));
    const isListed = ({ left, right, start, end }) => (!chosen || left === chosen || right === chosen)
      && end - start >= least - 1e-6;
    const listed = differences.filter(isListed);
    const long = listed.reduce((sum, { start, end }) => sum + end - start, 0);
    this.count.textContent = listed.length ? `${listed.length}, ${durationText(long)}` : "nowhere";
    this.list.node.hidden = this.actions.hidden = !listed.length;
    this.list.setItems(listed, index ?? listed.indexOf(before));
    this.showTakes();
  }

  row(difference) {
    return [el("div", { class: "two-lines" },
      el("div", { class: "line" }, nameText(nameOf(this.store, difference.recording)),
        el("span", { class: "when" }, momentText(difference))),
      el("div", { class: "line reasons" }, ...this.side("A", difference.left), ...this.side("B", difference.right)))];
  }

  side(name, label) {
    const { labels } = this.store;
    const index = labels.index(label);
    const swatch = index >= 0 ? labels.swatch(index) : el("span", { class: "swatch unknown", "aria-hidden": "true" });
    return [el("b", {}, name), swatch, label ? nameText(label) : el("span", { class: "name-text weak" }, "nothing")];
  }

  // Plays around a difference, which is selected as a range of time.
  async goTo({ recording, start, end }) {
    const { store } = this;
    await store.show(recording, Math.max(0, start - AROUND));
    if (store.recording?.id !== recording) return;
    store.select({ kind: "range", start, end });
    store.clock.playLoop(Math.max(0, start - AROUND), end + AROUND);
    this.showTakes();
  }

  showTakes() {
    for (const side of ["left", "right"]) {
      const isOwn = this[side].value === this.store.set;
      this.takes[side].hidden = !this.store.session?.editable;
      this.takes[side].disabled = isOwn || !this.store.session?.editable || !this.list.chosen;
      this.takes[side].title = isOwn ? "The set that is shown says so already"
        : `Into the set “${this.store.set}”, one step of undo`;
    }
  }

  // What a side says in the chosen difference goes into the set that is shown; then the next one is shown.
  async take(side) {
    const { store } = this;
    const difference = this.list.chosen;
    const set = this[side].value;
    if (!difference || set === store.set || !store.session.editable) return;
    await this.goTo(difference);
    if (!store.isEditable || store.recording.id !== difference.recording) return;
    if (!(await addMissingLabels(store, [difference[side]].filter(Boolean)))) return;
    const both = [store.set, set].map((name) => itemsOf(store, name, difference.recording));
    const items = await store.attempt(() => Promise.all(both));
    if (items === null) return;
    const change = this.changeFor(difference, ...items);
    const about = `what ${set} says of ${momentText(difference)}`;
    if (!change.delete.length && !change.change.length && !change.add.length) showNote("The set that is shown says so already.");
    else if ((await store.edit({ about, ...change })) === null) return;
    await this.goOn(difference);
  }

  changeFor({ start, end, person, left, right }, own, others) {
    const { store } = this;
    const label = store.exclusive ? null : store.labels.index(left || right);
    return takeOver(own, others, { start, end, person, label }, 1 / store.recording.fps);
  }

  // Where one of the two sets was changed the comparison is made again; else the difference remains, and the next follows.
  async goOn(difference) {
    const { list, store } = this;
    const index = list.items.indexOf(difference);
    const isChanged = store.set === this.left.value || store.set === this.right.value;
    if (isChanged) await this.load(-1);
    if (list.items.length) list.choose(isChanged ? index : index + 1);
    else store.clock.pause();
  }
}
