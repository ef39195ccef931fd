// Find more like this: moments that are like a chosen one, accepted as its label or rejected, one after the other.

import { el } from "../../viewer/dom.js";
import { postJson } from "./api.js";
import { showError, showNote } from "./dialog.js";
import { button } from "./draft_list.js";
import { JobCard, isOpen } from "./job_card.js";
import { fitted, momentText, nameOf, nameText, playMoment } from "./moments.js";
import { PickList, rowButtons } from "./pick_list.js";
import { addMissingLabels, editRecording, itemsOf, undoIn } from "./sets.js";

const ROW = 54; // pixels
const NOTHING_SELECTED = "Choose a span, a draft, or a range of time (Shift-drag on the timeline), and all recordings are " +
  "searched for moments like it.";
const SHORTEST = 0.1; // seconds of a moment that others can be like

export class SimilarPanel {
  constructor(page) {
    Object.assign(this, { page, store: page.store, query: null, hits: [], accepted: [], embedding: null,
      tasks: Promise.resolve() });
    this.hint = el("p", { class: "hint", dir: "auto" });
    this.findButton = el("button", { type: "button", class: "strong wide", onclick: () => this.find() },
      el("span", {}, "Find more like this"), el("kbd", {}, "q"));
    this.about = el("p", { class: "query" });
    this.label = el("select", { "aria-label": "Label of what is accepted", onchange: () => this.show() });
    this.labelField = el("label", { class: "field" }, el("span", {}, "Accept as"), this.label);
    this.job = new JobCard(page.store, { isBrief: true });
    this.standing = el("p", { class: "hint", role: "status" });
    this.list = new PickList({
      name: "Moments like it", rowHeight: ROW, row: (hit) => this.row(hit), pick: (hit) => this.play(hit),
      keys: { Enter: () => this.acceptHit(), Backspace: () => this.takeBack() },
    });
    this.backButton = button("Undo", "⌫", () => this.takeBack());
    this.actions = el("div", { class: "buttons-row" }, button("Accept", "Enter", () => this.acceptHit()),
      button("Reject", "x", () => this.rejectHit()), this.backButton);
    this.node = el("div", { class: "loop-view" }, this.findButton, this.hint, this.job.node, this.about, this.labelField,
      this.standing, this.list.node, this.actions);
    this.store.on("session recording selection", () => this.show());
    this.store.on("labels", () => {
      this.fillLabels(this.label.value || null);
      this.show();
    });
    this.store.on("jobs", () => this.onJobs());
    this.show();
  }

  // ---- the moment that is looked for -------------------------------------------------------------------------

  // What is selected as a moment: { id, start, end, person, name of its label or null }; null where there is none.
  get selected() {
    const { selection, recording, labels } = this.store;
    const { item, draft } = selection ?? {};
    const moment = item ?? draft ?? (selection?.kind === "range" ? selection : null);
    if (!moment || !recording || moment.end === null || moment.end - moment.start < SHORTEST) return null;
    const name = draft?.name ?? (item ? labels.name(item.label) : null);
    const { start, end, person = null } = moment;
    return { id: recording.id, recording: recording.name, start, end, person, name };
  }

  async find(query = this.selected) {
    const { store } = this;
    if (!query) return showNote("Choose a span, a draft or a range of time first.");
    Object.assign(this, { query, hits: [], accepted: [], isSearching: true });
    this.fillLabels(query.name);
    this.show();
    try {
      if (!this.isEmbedded && this.embedding === null) return await this.embed();
      const { id, start, end, person } = query;
      const { hits } = await postJson("similar", { recording: id, start, end, person }, { set: store.set });
      if (this.query !== query) return;
      Object.assign(this, { hits, isSearching: false, embedding: null });
      this.show();
      (this.label.value ? this.list : this.label).focus();
      if (this.listed.length) this.list.choose(0);
    } catch (error) {
      if (this.query === query) await this.onProblem(error);
    }
  }

  // Whether all recordings were made searchable once, as far as the jobs tell.
  get isEmbedded() {
    return !this.store.session.jobs || this.store.jobs.some(({ kind, state }) => kind === "embed" && state === "done");
  }

  // Makes the recordings searchable; the search goes on when that is done.
  async embed() {
    this.isSearching = false;
    const job = await this.store.startJob({ kind: "embed" });
    if (!job) return this.fail();
    this.embedding = job.number;
    this.onJobs();
    return this.show();
  }

  // Recordings that came since are made searchable first; anything else is told.
  onProblem(error) {
    return error.status === 404 && this.store.session.jobs && this.embedding === null ? this.embed() : this.fail(error.message);
  }

  fail(text = null) {
    Object.assign(this, { problem: text, query: null, embedding: null, isSearching: false });
    this.show();
    this.problem = null;
  }

  onJobs() {
    const job = this.store.jobs.find(({ number }) => number === this.embedding);
    if (job) this.job.show(job);
    this.job.node.hidden = !job || job.state === "done";
    if (!job) return;
    if (isOpen(job) || !this.query || this.hits.length || this.isSearching) return;
    if (job.state === "done") this.find(this.query);
    else this.embedding = null; // failed or cancelled, which its card says; the next search asks again
  }

  // ---- what is shown -----------------------------------------------------------------------------------------

  // Labels of spans with the one of the moment chosen; a range of time has none, so that it is asked for.
  fillLabels(chosen) {
    const { labelFacts } = this.store;
    const names = labelFacts.filter(({ event }) => !event).map((fact) => fact.name);
    if (chosen && !names.includes(chosen)) names.push(chosen);
    const options = names.map((each) => el("option", { value: each, selected: each === chosen }, each));
    this.label.replaceChildren(...(chosen ? [] : [el("option", { value: "" }, "choose a label")]), ...options);
  }

  // Hits that do not have the label yet.
  get listed() {
    return this.hits.filter(({ label }) => label === null || label !== this.label.value);
  }

  show() {
    const { query, selected, store } = this;
    const isOther = selected && (!query || ["id", "start", "end", "person"].some((key) => selected[key] !== query[key]));
    this.findButton.disabled = !selected || Boolean(this.isSearching);
    this.findButton.hidden = Boolean(query) && !isOther;
    const whatFor = selected ? `Looks through all recordings for moments like ${momentText(selected)}.` : NOTHING_SELECTED;
    this.hint.textContent = this.problem ?? (query ? "" : whatFor);
    this.hint.hidden = !this.hint.textContent;
    this.about.hidden = !query;
    if (query) {
      const play = el("button", { type: "button", class: "link", onclick: () => this.play(query) }, momentText(query));
      this.about.replaceChildren("Like ", play, " of ", nameText(query.recording));
    }
    const { listed } = this;
    const index = this.current ? listed.indexOf(this.current) : -1;
    this.list.setItems(listed, index);
    this.list.node.hidden = !listed.length;
    this.actions.hidden = !this.hits.length && !this.accepted.length || !store.session?.editable;
    this.backButton.disabled = !this.accepted.length;
    this.labelField.hidden = !query || !store.session?.editable;
    this.standing.textContent = this.stand(listed.length);
    this.standing.hidden = !this.standing.textContent;
  }

  stand(left) {
    if (!this.query) return "";
    if (this.embedding !== null && !this.hits.length) return "The search goes on by itself when that is done.";
    if (this.isSearching) return "Searching …";
    if (!this.hits.length && !this.accepted.length) return "Nothing like it was found.";
    const labelled = this.hits.length - left;
    const known = labelled > 0 ? `${labelled} have this label already` : null;
    const accepted = this.accepted.length ? `${this.accepted.length} accepted` : null;
    return [`${left} to look at`, accepted, known].filter(Boolean).join(" · ");
  }

  row(hit) {
    const buttons = this.store.session?.editable
      ? [rowButtons(["✓", "Accept (Enter)", () => this.acceptHit(hit)], ["×", "Reject (x)", () => this.rejectHit(hit)])] : [];
    const { labels } = this.store;
    const swatch = labels.swatch(labels.index(hit.label));
    const label = hit.label === null ? null : el("span", { class: "line" }, "now ", swatch, nameText(hit.label));
    return [el("div", { class: "two-lines" },
      el("div", { class: "line" }, nameText(nameOf(this.store, hit.id)),
        el("span", { class: "score" }, hit.similarity.toFixed(2))),
      el("div", { class: "line reasons" }, el("span", { class: "when" }, momentText(hit)), label)), ...buttons];
  }

  // ---- one hit after the other -------------------------------------------------------------------------------

  get current() {
    return this.list.chosen;
  }

  play({ id, start, end }) {
    return playMoment(this.store, id, start, end);
  }

  // Presses that come faster than the server answers wait for each other.
  inTurn(task) {
    this.tasks = this.tasks.then(task).catch(showError);
    return this.tasks;
  }

  acceptHit(hit = null) {
    return this.inTurn(() => this.accept(hit ?? this.current));
  }

  rejectHit(hit = null) {
    return this.inTurn(() => this.reject(hit ?? this.current));
  }

  async accept(hit) {
    const { store } = this;
    const name = this.label.value;
    if (!hit || !store.session.editable) return;
    if (!name) {
      this.label.focus();
      return showNote("Choose the label first, above the list.");
    }
    if (!(await addMissingLabels(store, [name]))) return;
    const items = await store.attempt(() => itemsOf(store, store.set, hit.id)); // its own may not be loaded yet
    if (items === null) return;
    const span = { start: hit.start, end: hit.end, label: store.labels.index(name), person: hit.person };
    const add = fitted([span], items, store.exclusive);
    if (!add.length) showNote("Its time has labels already, and labels exclude each other in this set.");
    const about = `${name}: like ${momentText(this.query)} of ${this.query.recording}`;
    if (add.length && (await editRecording(store, hit.id, { about, add })) === null) return;
    if (add.length) this.accepted.push({ hit, index: this.hits.indexOf(hit) });
    this.goOn(hit);
  }

  // Undoes the last acceptance, in whatever recording it was; it is to look at again.
  takeBack() {
    return this.inTurn(async () => {
      const last = this.accepted.at(-1);
      if (!last || !(await undoIn(this.store, last.hit.id))) return;
      this.accepted.pop();
      this.hits.splice(last.index, 0, last.hit);
      this.show();
      this.list.choose(this.listed.indexOf(last.hit));
    });
  }

  async reject(hit) {
    const { store } = this;
    if (!hit || !store.session.editable) return;
    const draft = { start: hit.start, end: hit.end, label: this.label.value, score: hit.similarity, person: hit.person };
    const isKept = await store.attempt(() => postJson(`drafts/${hit.id}/rejected`, { drafts: [draft] }, { set: store.set }));
    if (isKept) this.goOn(hit);
  }

  // Takes a hit from the list; the next one plays.
  goOn(hit) {
    const index = Math.max(0, this.listed.indexOf(hit));
    this.hits = this.hits.filter((other) => other !== hit);
    this.show();
    if (this.listed.length) this.list.choose(Math.min(index, this.listed.length - 1));
    else this.store.clock.pause();
  }
}
