// The rows under the stage: what can be edited, then drafts and predictions, other annotation sets, truth, curves of
// joints and frame scores. Which of them are shown is kept by the browser for each corpus.

import { Labels } from "../../viewer/colours.js";
import { el, isNumber } from "../../viewer/dom.js";
import { unpackScores } from "../../viewer/motion.js";
import { eventRow, spanRow } from "../../viewer/rows.js";
import { listedLabels, scoreRow } from "../../viewer/scores.js";
import { getJson } from "./api.js";
import { CURVE_KINDS, Curves } from "./curves.js";
import { showError } from "./dialog.js";
import { check, menu } from "./menu.js";

const SWITCHES = [["predictions", "Predictions"], ["truth", "Truth"], ["scores", "Frame scores"]];
const UNSURE_LISTED = 3; // labels whose scores are shown where the model is sure of none
const byStart = (a, b) => a.start - b.start;

// The labels with the highest score anywhere, in the label set's order.
function bestLabels(scores, count) {
  const best = new Uint8Array(count);
  for (let at = 0; at < scores.levels.length; at++) {
    const label = (at % scores.columns) - 1;
    if (label >= 0 && label < count) best[label] = Math.max(best[label], scores.levels[at]);
  }
  return [...best.keys()].sort((a, b) => best[b] - best[a]).slice(0, UNSURE_LISTED).sort((a, b) => a - b);
}

export class Timelines {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store, timeline: page.timeline, scores: null, others: new Map() });
    this.choice = { off: [], sets: [], curves: [], scores: {} };
    this.scoreChoice = { listed: [], hidden: new Set(), current: null };
    this.curves = new Curves(page, () => this.keepAndRefresh());
    this.rowMenu = menu("Rows", "Which rows are shown");
    this.curveMenu = menu("Add curve", "The height, speed or angle of a joint");
    this.chips = el("div", { class: "score-chips", role: "group", "aria-label": "Labels whose scores are shown" });
    this.hint = el("p", { class: "row-hint" }, "Add a curve to see how high, how fast or how bent a joint is over time.");
    page.timeline.bar.firstElementChild.after(el("div", { class: "row-tools" }, this.rowMenu.node, this.curveMenu.node));
    this.compared = [];
    this.store.on("recording", () => this.show());
    this.store.on("items labels", () => this.refresh());
    this.store.on("drafts", () => this.loadScores());
    this.store.on("session", () => this.onSession());
  }

  // ---- what is shown -----------------------------------------------------------------------------------------

  get key() {
    const { corpus, title } = this.store.session;
    return `kinespan-rows:${corpus ?? title}`;
  }

  loadChoice() {
    const kept = JSON.parse(localStorage.getItem(this.key) ?? "{}");
    const off = this.store.session.editable ? ["predictions"] : []; // where labels are made they are drafts
    this.choice = { off, sets: [], curves: [], scores: {}, ...kept };
    this.choiceKey = this.key;
  }

  keepAndRefresh() {
    this.choice.curves = this.curves.chosen;
    localStorage.setItem(this.key, JSON.stringify(this.choice));
    this.refresh();
  }

  show() {
    const { recording } = this.store;
    if (this.choiceKey !== this.key) this.loadChoice();
    Object.assign(this, { scores: null, predicted: null });
    this.truth = recording.truth && this.named(recording.truth.items);
    this.others.clear();
    [this.timeline.start, this.timeline.end] = [0, recording.duration];
    this.curves.show(this.choice.curves);
    this.timeline.show(this.rows());
    this.page.stage.setCaption(this.captionLines());
    this.buildCurveMenu();
    this.buildRowMenu();
    this.loadOthers();
  }

  refresh() {
    if (!this.store.recording) return;
    this.readPredictions();
    this.timeline.updateRows(this.rows());
    this.page.stage.setCaption(this.captionLines());
  }

  onSession() {
    if (!this.store.recording) return;
    this.buildRowMenu();
    this.loadOthers();
  }

  buildRowMenu() {
    const { session, set } = this.store;
    const isThere = { predictions: session.models.length > 0, truth: Boolean(this.hasTruth), scores: session.models.length > 0 };
    const switches = SWITCHES.filter(([key]) => isThere[key]).map(([key, name]) =>
      check(name, !this.choice.off.includes(key), (on) => {
      this.choice.off = [...this.choice.off.filter((other) => other !== key), ...(on ? [] : [key])];
      this.keepAndRefresh();
    }));
    const others = session.sets.filter(({ name }) => name !== set);
    const sets = others.map(({ name, author }) => check(author ? `${name} (${author})` : name,
      this.choice.sets.includes(name), (on) => this.showSet(name, on)));
    this.rowMenu.node.hidden = !switches.length && !sets.length;
    this.rowMenu.box.replaceChildren(...switches, ...(sets.length ? [el("h3", {}, "Other annotation sets")] : []), ...sets);
  }

  // Shows or hides the rows of another annotation set.
  async showSet(name, isShown) {
    this.choice.sets = [...this.choice.sets.filter((other) => other !== name), ...(isShown ? [name] : [])];
    this.buildRowMenu();
    await this.loadOthers();
    this.keepAndRefresh();
  }

  // Annotation sets have rows while they are compared, also those that were not chosen.
  compareSets(names) {
    if (names.join("\n") === this.compared.join("\n")) return null;
    this.compared = names;
    return this.store.recording && this.loadOthers();
  }

  // ---- other sets and predictions ----------------------------------------------------------------------------

  async loadOthers() {
    const { recording, session, set } = this.store;
    const known = session.sets.map(({ name }) => name).filter((name) => name !== set);
    const chosen = [...new Set([...this.choice.sets, ...this.compared])];
    const wanted = recording.kind === "corpus" ? chosen.filter((name) => known.includes(name)) : [];
    for (const name of [...this.others.keys()]) if (!wanted.includes(name)) this.others.delete(name);
    await Promise.all(wanted.map((name) => this.loadOther(recording, name)));
    if (recording === this.store.recording) this.refresh();
  }

  async loadOther(recording, name) {
    try {
      const [{ items, covered }, labels] = await Promise.all([
        getJson(`annotations/${recording.id}`, { set: name }), getJson("labels", { set: name }),
      ]);
      if (recording === this.store.recording) this.others.set(name, { ...this.named(items, labels.labels), covered });
    } catch (error) {
      showError(error);
    }
  }

  // Items whose labels are names, with labels of which each is one: those of the set where it has them all.
  named(items, facts = []) {
    const { labels } = this.store;
    const names = [...new Set([...facts.map(({ name }) => name), ...items.map((item) => item.label)])];
    const missing = names.filter((name) => labels.index(name) < 0);
    const colours = missing.map((name) => facts.find((fact) => fact.name === name)?.colour ?? null);
    const all = missing.length ? new Labels([...labels.names, ...missing],
      [...labels.names.map((_, i) => labels.colours[i] ?? null), ...colours]) : labels;
    return { labels: all, items: items.map((item) => ({ ...item, label: all.index(item.label) })).sort(byStart) };
  }

  readPredictions() {
    const { predictions } = this.store;
    const all = predictions ? [...predictions.spans, ...predictions.instants] : [];
    this.predicted = predictions && this.named(all, predictions.labels.map((name) => ({ name, colour: null })));
  }

  async loadScores() {
    const { predictions, labels } = this.store;
    const scores = predictions?.scores ? await unpackScores(predictions.scores) : null;
    if (predictions !== this.store.predictions) return;
    this.scores = scores;
    if (scores) this.listScores(predictions, labels);
    this.refresh();
  }

  listScores({ labels: names, spans }, labels) {
    const { scores, scoreChoice } = this;
    this.scoreLabels = new Labels(names, names.map((name) =>
      (labels.index(name) < 0 ? null : labels.colour(labels.index(name)))));
    const own = spans.map((span) => ({ ...span, label: names.indexOf(span.label) }));
    const listed = listedLabels({ segmentation: own, proposals: [], scores }).filter((label) => label >= 0 &&
      label < names.length);
    scoreChoice.listed = listed.length ? listed : bestLabels(scores, names.length);
    scoreChoice.hidden = new Set(scoreChoice.listed.filter((label) => this.choice.scores[names[label]] === false));
    this.scoresRow = scoreRow(scores, this.scoreLabels, scoreChoice);
    this.chips.replaceChildren(...scoreChoice.listed.map((label) => this.scoreChip(label)));
  }

  scoreChip(label) {
    const { hidden } = this.scoreChoice;
    const name = this.scoreLabels.name(label);
    const chip = el("button", {
      type: "button", class: "chip", "aria-pressed": String(!hidden.has(label)),
        vars: { "--c": this.scoreLabels.colour(label) }, title: name,
      onclick: () => {
        if (!hidden.delete(label)) hidden.add(label);
        this.choice.scores[name] = !hidden.has(label);
        chip.setAttribute("aria-pressed", String(!hidden.has(label)));
        localStorage.setItem(this.key, JSON.stringify(this.choice));
        this.timeline.repaint(this.scoresRow);
      },
    }, this.scoreLabels.swatch(label), el("span", { class: "text", dir: "auto" }, name));
    return chip;
  }

  // ---- rows --------------------------------------------------------------------------------------------------

  rows() {
    const { store, choice } = this;
    const isOn = (key) => !choice.off.includes(key);
    const rows = [...this.page.editor.rows()];
    if (!rows.length && store.set !== null && store.recording.kind === "corpus") {
      rows.push(...this.itemRows(store.set, { labels: store.labels, items: store.items, covered: store.covered }));
    }
    if (this.predicted && isOn("predictions")) rows.push(...this.itemRows(`Predicted by ${this.modelName}`, this.predicted));
    for (const [name, shown] of this.others) rows.push(...this.itemRows(`Set ${name}`, shown));
    if (this.hasTruth && isOn("truth")) rows.push(...this.itemRows("Truth",
      { ...this.truth, covered: store.recording.truth.covered }));
    rows.push(...this.curves.rows());
    if (this.scores && isOn("scores")) rows.push(this.scoresRow, this.chips);
    return rows.length ? rows : [this.hint];
  }

  // Labels beside motion files and predictions; those of a corpus are in its annotation sets.
  get hasTruth() {
    const { set, recording } = this.store;
    return this.truth && (set === null || recording.kind !== "corpus");
  }

  get modelName() {
    const { models, predictions } = this.store;
    return models.find(({ id }) => id === predictions?.model)?.name ?? "the model";
  }

  // Rows of spans and of events; where they say whose they are and there are several people, for each person.
  itemRows(name, { labels, items, covered = null }) {
    const { slots } = this.store.recording.motion;
    const toldApart = slots.length > 1 && items.some((item) => isNumber(item.person));
    return (toldApart ? slots : [null]).flatMap((person) => {
      const own = person === null ? items : items.filter((item) => (item.person ?? person) === person);
      const title = person === null ? name : `${name}, person ${person}`;
      const [spans, events] = [own.filter((item) => item.end !== null), own.filter((item) => item.end === null)];
      const rows = spans.length || !events.length ? [spanRow(title, spans, labels, { covered })] : [];
      return events.length ? [...rows, eventRow(rows.length ? `${title}, events` : title, events, labels, { covered })] : rows;
    });
  }

  // What the caption of the stage names, for as long as the items are as they are: [{ name, spans, events, labels,
  // none(time) }], the last of which says what it is to have no label.
  captionLines() {
    const { store, truth, predicted } = this;
    const line = (name, { items, labels }, none) => ({
      name, labels, none, spans: items.filter((item) => item.end !== null), events: items.filter((item) => item.end === null),
    });
    const isLookedAt = (covered, time) => covered === null || covered.some(([start, end]) => start <= time && time < end);
    const lines = [];
    if (store.set !== null && store.recording.kind === "corpus") {
      const { covered } = store;
      lines.push(line("Labelled", store, (time) => (isLookedAt(covered, time) ? "no action" : "not looked at")));
    }
    if (this.hasTruth) {
      const { covered } = store.recording.truth;
      lines.push(line("Truth", truth, (time) => (isLookedAt(covered, time) ? "no action" : "not labelled")));
    }
    if (predicted) lines.push(line("Predicted", predicted, () => "no action"));
    return lines;
  }

  // ---- choosing a curve --------------------------------------------------------------------------------------

  buildCurveMenu() {
    const { skeleton, motion } = this.store.recording;
    const kind = el("select", { "aria-label": "Kind" }, ...CURVE_KINDS.map((name) => el("option", {}, name)));
    const joint = el("select", { "aria-label": "Joint" }, ...skeleton.names.map((name) => el("option", { value: name }, name)));
    const bends = skeleton.names.map((_, at) => skeleton.parents[at] >= 0 && skeleton.parents.includes(at));
    kind.addEventListener("change", () => { // an angle is where two bones meet
      [...joint.options].forEach((option, at) => (option.disabled = kind.value === "angle" && !bends[at]));
      if (joint.selectedOptions[0]?.disabled) joint.selectedIndex = bends.indexOf(true);
    });
    const person = el("select", { "aria-label": "Person", hidden: motion.slots.length < 2 },
      ...motion.slots.map((slot) => el("option", { value: slot }, `person ${slot}`)));
    const add = () => {
      this.curves.add({ kind: kind.value, joint: joint.value, person: Number(person.value) });
      this.curveMenu.node.open = false;
    };
    this.curveMenu.box.replaceChildren(el("div", { class: "curve-form" }, kind, el("span", {}, "of"), joint, person,
      el("button", { type: "button", class: "strong", onclick: add }, "Add")));
  }
}
