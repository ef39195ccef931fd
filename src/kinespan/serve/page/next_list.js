// What to label next: recordings and moments, ranked by how much a label of them would help.

import { el, percent } from "../../viewer/dom.js";
import { getJson } from "./api.js";
import { momentText, nameOf, nameText, playMoment } from "./moments.js";
import { PickList } from "./pick_list.js";

const ROW = 54; // pixels
const NO_MODEL = "A model must have seen the recordings first: train one, or load one under Train.";
const NOT_PREDICTED = "The ranking is made of what the model says of each recording. Let it predict all of them first.";
const NOTHING_LEFT = "Nothing is left to suggest: all time is labelled or was looked at.";
const MEANING = {
  uncertainty: "how unsure the model is",
  disagreement: "how far its two networks differ",
  novelty: "how unlike what is labelled it is",
};

export class NextList {
  constructor(page) {
    Object.assign(this, { page, store: page.store, answer: null, isStale: true, isShown: false, what: "moments" });
    this.hint = el("p", { class: "hint", dir: "auto" });
    this.predict = el("button", { type: "button", onclick: () => this.predictAll() }, "Predict all recordings");
    this.refresh = el("button", { type: "button", class: "ghost", onclick: () => this.load() }, "Refresh");
    this.choices = ["moments", "recordings"].map((what) => el("button", { type: "button", onclick: () => this.choose(what) },
      what === "moments" ? "Moments" : "Recordings"));
    this.bar = el("div", { class: "buttons-row" },
      el("div", { class: "segments", role: "group", "aria-label": "What is ranked" }, ...this.choices), this.refresh);
    this.list = new PickList({ name: "What to label next", rowHeight: ROW, row: (item) => this.row(item),
      pick: (item) => this.goTo(item), keys: { Enter: (item) => this.goTo(item) } });
    this.node = el("div", { class: "loop-view" }, this.bar, this.hint, this.predict, this.list.node);
    this.store.on("session drafts", () => this.outdate());
    this.store.on("jobs", () => this.onJobs());
    this.choose(this.what);
  }

  shown() {
    this.isShown = true;
    if (this.isStale) this.load();
  }

  hidden() {
    this.isShown = false;
  }

  predictAll() {
    return this.store.startJob({ kind: "predict", model: this.store.model, recordings: null });
  }

  // Another model, or new predictions: what was suggested is not what would be now.
  outdate() {
    if (this.model === this.store.model) return;
    this.isStale = true;
    if (this.isShown) this.load();
  }

  // Also a finished prediction changes what is suggested.
  onJobs() {
    const done = this.store.jobs.filter(({ kind, state }) => state === "done" && (kind === "predict" || kind === "embed")).length;
    if (done === this.done) return;
    this.done = done;
    this.isStale = true;
    if (this.isShown) this.load();
  }

  async load() {
    const { store } = this;
    if (!store.session) return;
    Object.assign(this, { isStale: false, model: store.model });
    this.answer = null;
    let problem = null;
    const isPredicted = store.recordings.some(({ predicted }) => predicted);
    try {
      if (isPredicted) this.answer = await getJson("suggestions", { set: store.set });
    } catch (error) {
      problem = error;
    }
    this.explain(problem, !isPredicted || problem?.status === 404);
    this.choose(this.what);
  }

  explain(problem, isMissing) {
    const { store } = this;
    this.predict.hidden = !(isMissing && store.model !== null && store.session.jobs);
    const { recordings, moments } = this.answer ?? { recordings: [], moments: [] };
    if (isMissing) this.hint.textContent = store.model === null ? NO_MODEL : NOT_PREDICTED;
    else if (problem) this.hint.textContent = problem.message;
    else if (!recordings.length && !moments.length) this.hint.textContent = NOTHING_LEFT;
    else this.hint.textContent = `Ranked by ${this.answer.by.map((name) => MEANING[name] ?? name).join(", ")}.`;
  }

  choose(what) {
    this.what = what;
    const keys = ["moments", "recordings"];
    this.choices.forEach((choice, i) => choice.setAttribute("aria-pressed", String(keys[i] === what)));
    const items = this.answer?.[what] ?? [];
    this.list.node.hidden = !items.length;
    this.bar.hidden = !this.answer;
    this.list.setItems(items);
  }

  row(item) {
    const reasons = item.reasons.join("; ");
    return [el("div", { class: "two-lines" },
      el("div", { class: "line" }, nameText(nameOf(this.store, item.id)),
        item.start === undefined ? null : el("span", { class: "when" }, momentText(item)),
        el("span", { class: "worth", title: `${percent(item.value, 0)} of 100`, vars: { "--v": item.value } })),
      el("div", { class: "line reasons", title: reasons, dir: "auto" }, reasons || "–"))];
  }

  // A moment is selected and plays in a loop; a recording plays from its beginning.
  async goTo(item) {
    const { store } = this;
    if (item.start === undefined) {
      await store.show(item.id, 0);
      if (store.recording?.id === item.id) store.clock.play();
      return;
    }
    await playMoment(store, item.id, item.start, item.end);
    if (store.recording?.id === item.id) store.select({ kind: "range", start: item.start, end: item.end });
  }
}
