// Drafts of the shown recording: accepted one by one, all above a score, or rejected.

import { el, isNumber } from "../../viewer/dom.js";
import { showNote } from "./dialog.js";
import { JobCard, isOpen } from "./job_card.js";
import { fitted, momentText, nameText } from "./moments.js";
import { PickList, rowButtons } from "./pick_list.js";
import { addMissingLabels } from "./sets.js";

const ROW = 34; // pixels
const NO_MODEL = "Drafts are what a model proposes. There is no model yet: label a few moments of each action, then press Train.";
const NO_ROOM = "Its time has labels already, and labels exclude each other in this set.";
const scoreOf = (draft) => draft.score ?? 1;

export class DraftList {
  constructor(page) {
    Object.assign(this, { page, store: page.store, drafts: [], threshold: 0.5, tasks: Promise.resolve() });
    this.hint = el("p", { class: "hint", dir: "auto" });
    this.predictOne = el("button", { type: "button", onclick: () => this.predict(false) }, "This recording");
    this.predictAll = el("button", { type: "button", onclick: () => this.predict(true) }, "All recordings");
    this.predictBar = el("div", { class: "buttons-row" }, el("span", { class: "lead" }, "Predict"), this.predictOne,
      this.predictAll);
    this.job = new JobCard(page.store, { isBrief: true });
    this.slider = el("input", {
      type: "range", min: "0", max: "1", step: "0.01", value: this.threshold,
      "aria-label": "Least score of drafts to accept together",
      oninput: () => this.setThreshold(Number(this.slider.value)),
    });
    this.level = el("output", {});
    this.acceptAll = button("", "A", () => this.acceptAbove());
    this.above = el("div", { class: "above" }, el("label", {}, el("span", {}, "Score ≥"), this.slider, this.level),
      this.acceptAll);
    this.list = new PickList({
      name: "Drafts", rowHeight: ROW, row: (draft) => this.row(draft), pick: (draft) => this.goTo(draft),
      keys: { Enter: () => this.acceptSelected() },
    });
    this.actions = el("div", { class: "buttons-row" },
      button("Accept", "a", () => this.acceptSelected()), button("Reject", "x", () => this.rejectSelected()),
      button("Next", "g", () => this.nextDraft()));
    this.node = el("div", { class: "loop-view" }, this.predictBar, this.job.node, this.hint, this.above, this.list.node,
      this.actions);
    this.store.on("session recording drafts items labels", () => this.show());
    this.store.on("selection", () => this.showSelection());
    this.store.on("jobs", () => this.showJob());
    this.showJob();
  }

  // ---- what is shown -----------------------------------------------------------------------------------------

  show() {
    const { store } = this;
    if (!store.session) return;
    this.drafts = [...(store.session.editable ? store.drafts : this.predictions())].sort((a, b) => a.start - b.start
      || (a.end ?? a.start) - (b.end ?? b.start));
    this.list.setItems(this.drafts, this.drafts.findIndex((draft) => draft === this.selected));
    this.hint.textContent = this.explain();
    this.hint.hidden = !this.hint.textContent;
    const canPredict = Boolean(store.session.jobs) && store.model !== null;
    this.predictBar.hidden = !canPredict;
    this.predictOne.disabled = !store.recording;
    this.list.node.hidden = !this.drafts.length;
    this.actions.hidden = this.above.hidden = !this.drafts.length || !store.isEditable;
    this.setThreshold(this.threshold);
    this.onCount?.(this.drafts.length);
  }

  // What the model predicts, for looking at where nothing can be labelled.
  predictions() {
    const { predictions, labels } = this.store;
    const all = predictions ? [...predictions.spans, ...predictions.instants] : [];
    return all.map((draft) => ({ ...draft, label: labels.index(draft.label), name: draft.label }));
  }

  // Why there is no draft, in words; empty where there are some.
  explain() {
    const { store } = this;
    if (store.model === null) {
      return store.models.length ? "No model is loaded. Choose one under Train." : NO_MODEL;
    }
    const model = store.models.find(({ id }) => id === store.model)?.name ?? "the model";
    if (!store.recording) return "No recording is shown.";
    if (!store.predictions) return `${model} has not predicted this recording yet.`;
    const { spans, instants } = store.predictions;
    if (!spans.length && !instants.length) return `${model} found nothing in this recording.`;
    return this.drafts.length ? "" : "No draft is left: each was accepted or rejected, or its time is labelled already.";
  }

  row(draft) {
    const { labels } = this.store;
    const isKnown = draft.label >= 0;
    const buttons = this.store.isEditable
      ? [rowButtons(["✓", "Accept (a)", () => this.after(() => this.accept([draft]))],
        ["×", "Reject (x)", () => this.after(() => this.reject(draft))])] : [];
    return [
      isKnown ? labels.swatch(draft.label) : el("span", { class: "swatch unknown", "aria-hidden": "true" }),
      nameText(draft.name, `name-text${scoreOf(draft) < this.threshold ? " weak" : ""}`),
      el("span", { class: "when" }, momentText(draft, 1)),
      el("span", { class: "score" }, isNumber(draft.score) ? draft.score.toFixed(2) : "–"), ...buttons,
    ];
  }

  get selected() {
    const { selection } = this.store;
    return selection?.kind === "draft" ? this.drafts.find((draft) => isSame(draft, selection.draft)) : undefined;
  }

  showSelection() {
    this.list.mark(this.drafts.findIndex((draft) => draft === this.selected));
  }

  setThreshold(value) {
    const isOther = value !== this.threshold;
    this.threshold = value;
    this.level.textContent = value.toFixed(2);
    const count = this.drafts.filter((draft) => scoreOf(draft) >= value).length;
    this.acceptAll.firstElementChild.textContent = `Accept ${count}`;
    this.acceptAll.disabled = !count;
    if (isOther) this.list.redraw();
  }

  showJob() {
    const job = this.store.jobs.find(({ kind }) => kind === "predict");
    const isShown = Boolean(job) && (isOpen(job) || job.state === "failed");
    if (job) this.job.show(job);
    this.job.node.hidden = !isShown;
  }

  predict(isAll) {
    const { store } = this;
    return store.startJob({ kind: "predict", model: store.model, recordings: isAll ? null : [store.recording.id] });
  }

  // ---- what the keys do too ----------------------------------------------------------------------------------

  goTo(draft) {
    this.store.select({ kind: "draft", draft });
    this.store.clock.seek(draft.start);
  }

  // The selected draft, else the one under the playhead.
  get current() {
    const { time } = this.store.clock;
    return this.selected ?? this.drafts.find(({ start, end }) => start <= time && time < (end ?? start + 0.2));
  }

  acceptSelected() {
    return this.after(() => this.withCurrent((draft) => this.accept([draft])));
  }

  rejectSelected() {
    return this.after(() => this.withCurrent((draft) => this.reject(draft)));
  }

  acceptAbove() {
    return this.after(() => {
      const strong = this.drafts.filter((draft) => scoreOf(draft) >= this.threshold);
      return strong.length ? this.accept(strong) : showNote(`No draft has a score of ${this.threshold.toFixed(2)} or more.`);
    });
  }

  // Presses that come faster than the server answers wait for each other.
  after(task) {
    this.tasks = this.tasks.then(task);
    return this.tasks;
  }

  withCurrent(use) {
    if (this.current) return use(this.current);
    return showNote(this.drafts.length ? "Choose a draft first, for example with g." : "There is no draft here.");
  }

  // Goes to the next draft after the selected one or the playhead, at the end to the first.
  nextDraft() {
    if (!this.drafts.length) return showNote("No draft is left here; n goes to the next recording.");
    const { selected } = this;
    const index = selected ? this.drafts.indexOf(selected) + 1
      : this.drafts.findIndex(({ start }) => start > this.store.clock.time + 1e-6);
    return this.list.choose(index < 0 || index >= this.drafts.length ? 0 : index);
  }

  // Adds drafts to the set, one step of undo. Labels that the set lacks are added; where labels exclude each other, drafts
  // are cut to the time that has no label. Then goes on to the next draft.
  async accept(drafts) {
    const { store } = this;
    const { recording } = store;
    if (!store.isEditable) return;
    const events = new Set(store.predictions?.events ?? []);
    if (!(await addMissingLabels(store, drafts.map(({ name }) => name), (name) => events.has(name)))) return;
    const spans = drafts.map(({ start, end, name, person }) => ({ start, end, label: store.labels.index(name), person }));
    const add = fitted(spans, store.items, store.exclusive);
    if (!add.length) return showNote(NO_ROOM);
    const about = drafts.length === 1 ? "draft accepted" : `${drafts.length} drafts accepted`;
    if ((await store.edit({ about, add })) === null) return;
    if (drafts.length > 1) showNote(about);
    this.goOn(recording, drafts[0].start);
  }

  async reject(draft) {
    const { recording } = this.store;
    if (!this.store.isEditable) return;
    await this.store.reject([draft]);
    this.goOn(recording, draft.start);
  }

  // To the next draft, unless another recording is shown by now.
  goOn(recording, time) {
    if (recording !== this.store.recording) return;
    const index = this.drafts.findIndex(({ start }) => start >= time - 1e-6);
    if (index >= 0) this.list.choose(index);
    else this.store.select(null);
  }
}

const isSame = (a, b) => a.start === b.start && a.end === b.end && a.name === b.name && a.person === b.person;

// A button with the key that does the same.
export function button(text, key, onclick) {
  return el("button", { type: "button", onclick }, el("span", {}, text), el("kbd", {}, key));
}
