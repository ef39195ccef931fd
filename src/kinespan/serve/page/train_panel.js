// Train: what there is to learn from, the jobs, and the models that came of them.

import { onThemeChange } from "../../viewer/colours.js";
import { clockText, el, isNumber, percent } from "../../viewer/dom.js";
import { JobCard, isOpen } from "./job_card.js";
import { nameText } from "./moments.js";

const FEW = 3; // a label with fewer items than this is hardly learned
const OLD_JOBS = 3; // ended jobs that are shown before "earlier"

const BEGIN = "It goes on from a model where labels only grew since; else it begins from the start, and says why";
const NOTHING = "Nothing is labelled yet. Mark a few moments of each action, in several recordings, then train.";
const ONE_LABEL = "There is one label and no time marked as looked at, so there is nothing to tell it from.";
const NOT_WATCHED = "No time is marked as looked at: what lies between the spans counts as unknown, not as background.";
const NO_MODEL = "No model yet. The first takes a minute or two to train; it then draws drafts in every recording, which you " +
  "accept or correct.";

const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

// The nodes of "a, b and 3 more".
function listed(names, most = 4) {
  const parts = names.slice(0, most).map((name) => nameText(name, "quoted"));
  if (names.length > most) parts.push(`${names.length - most} more`);
  return parts.flatMap((part, i) => [i === 0 ? "" : i === parts.length - 1 ? " and " : ", ", part]);
}

export class TrainPanel {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store, cards: new Map() });
    root.classList.add("loop");
    this.facts = el("dl", { class: "tally" });
    this.lacks = el("ul", { class: "hints" });
    this.trainButton = el("button", { type: "button", class: "strong wide", onclick: () => this.train() }, "Train");
    this.running = el("div", { class: "jobs", "aria-label": "Jobs" });
    this.ended = el("div", { class: "jobs" });
    this.earlier = el("details", {}, el("summary", {}, "Earlier jobs"), this.ended);
    this.models = el("div", { class: "models", role: "radiogroup", "aria-label": "Loaded model" });
    this.jobs = el("section", {}, this.running, this.earlier);
    this.training = el("section", {}, el("h3", {}, "Train on what is labelled"), this.facts, this.lacks, this.trainButton,
      this.more());
    root.append(
      this.training,
      this.jobs,
      el("section", {}, el("h3", {}, "Models"), this.models));
    this.store.on("session recordings labels", () => this.showFacts());
    this.store.on("session jobs", () => this.showJobs());
    this.store.on("session", () => this.showModels());
    this.store.on("session", () => this.showChoices());
    onThemeChange(() => [...this.cards.values()].forEach((card) => card.charts.forEach(({ paint }) => paint())));
  }

  get isUsed() {
    return Boolean(this.store.session?.jobs);
  }

  // ---- what to train on ------------------------------------------------------------------------------------------

  more() {
    const option = (name, value, text, checked) => el("label", { class: "choice" },
      el("input", { type: "radio", name, value, checked, onchange: () => this.showChoices() }), el("span", {}, text));
    this.kinds = el("div", { role: "radiogroup", "aria-label": "How to train" },
      option("train-kind", "finetune", "Fast: one network, from the labels", true),
      option("train-kind", "learn", "Thorough: learns from the recordings without labels too, and takes far longer", false));
    this.split = el("select", {});
    this.from = el("select", {});
    this.steps = el("input", { type: "number", min: "1", step: "1", placeholder: "by itself", inputmode: "numeric" });
    this.splitField = el("label", { class: "field" }, el("span", {}, "Test on"), this.split);
    this.fromField = el("label", { class: "field", title: BEGIN }, el("span", {}, "Begin"), this.from);
    this.stepsField = el("label", { class: "field" }, el("span", {}, "Steps"), this.steps);
    return el("details", { class: "more" }, el("summary", {}, "More"), this.kinds, this.splitField, this.fromField,
      this.stepsField);
  }

  get kind() {
    return this.kinds.querySelector("input:checked").value;
  }

  showChoices() {
    const { session, models } = this.store;
    if (!session) return;
    refill(this.split, [["", "nothing: all labels train"],
      ...Object.keys(session.splits).map((name) => [name, splitText(name, session.splits[name])])]);
    refill(this.from, [["", "on from the last model"], ["start", "from the start"],
      ...models.map(({ id, name }) => [id, `on from ${name}`])]);
    this.stepsField.hidden = this.kind !== "finetune";
    this.splitField.hidden = Object.keys(session.splits).length === 0;
  }

  // What is labelled now: { recordings, seconds, labels: [facts with items], few: [names], none: [names] }.
  tally() {
    const { recordings, set, labelFacts } = this.store;
    const labelled = recordings.filter((item) => (item.labels?.[set] ?? 0) > 0);
    const seconds = recordings.reduce((sum, item) => sum + (item.watched?.[set] ?? 0), 0);
    const used = labelFacts.filter(({ items }) => items > 0);
    return {
      recordings: labelled.length, seconds, used, items: used.reduce((sum, { items }) => sum + items, 0),
      few: used.filter(({ items }) => items < FEW).map(({ name }) => name),
      none: labelFacts.filter(({ items }) => !items).map(({ name }) => name),
    };
  }

  showFacts() {
    const { store } = this;
    if (!store.session) return;
    this.training.hidden = !store.session.editable;
    const { recordings, seconds, used, items, few, none } = this.tally();
    const fact = (value, text) => el("div", {}, el("dd", {}, value), el("dt", {}, text));
    this.facts.replaceChildren(
      fact(String(recordings), recordings === 1 ? "recording with labels" : "recordings with labels"),
      fact(String(items), `${items === 1 ? "item" : "items"} of ${counted(used.length, "label")}`),
      fact(clockText(seconds, 0), "minutes looked at"));
    const lacks = [];
    if (!items) lacks.push(NOTHING);
    else if (!seconds) lacks.push(used.length < 2 ? ONE_LABEL : NOT_WATCHED);
    if (few.length) lacks.push([`Fewer than ${FEW} examples of `, ...listed(few), ": of so few little is learned."]);
    if (items && none.length) lacks.push(["No example yet of ", ...listed(none), "."]);
    this.lacks.replaceChildren(...lacks.map((lack) => el("li", {}, ...[lack].flat())));
    this.trainButton.disabled = !items || store.set === null;
  }

  async train() {
    const { store } = this;
    const body = { kind: this.kind, set: store.set, split: this.split.value || null, from: this.from.value || null };
    if (this.kind === "finetune") body.steps = this.steps.value ? Math.round(Number(this.steps.value)) : null;
    this.trainButton.disabled = true;
    await store.startJob(body);
    this.trainButton.disabled = false;
  }

  // ---- jobs ------------------------------------------------------------------------------------------------------

  showJobs() {
    const { jobs } = this.store;
    const open = jobs.filter(isOpen).reverse(); // the running one first, then the queue
    const ended = jobs.filter((job) => !isOpen(job));
    const isNotable = (job) => job.kind === "finetune" || job.kind === "learn" || job.state === "failed" || job.resumable;
    const recent = ended.filter(isNotable).slice(0, OLD_JOBS).filter((job, i) => i === 0 || job.state !== "done");
    const earlier = ended.filter((job) => !recent.includes(job));
    place(this.running, [...open, ...recent].map((job) => this.card(job)));
    place(this.ended, earlier.map((job) => this.card(job)));
    this.earlier.hidden = !earlier.length;
    this.jobs.hidden = !jobs.length;
    this.earlier.firstElementChild.textContent = `Earlier jobs (${earlier.length})`;
  }

  card(job) {
    if (!this.cards.has(job.number)) this.cards.set(job.number, new JobCard(this.store));
    return this.cards.get(job.number).show(job).node;
  }

  // ---- models ----------------------------------------------------------------------------------------------------

  showModels() {
    const { models, model } = this.store;
    if (!models.length) {
      this.models.replaceChildren(el("p", { class: "hint" }, NO_MODEL));
      return;
    }
    const none = { id: null, name: "none", labels: null };
    this.models.replaceChildren(...[...models, none].map((each) => this.modelRow(each, each.id === model)));
  }

  modelRow({ id, name, labels, time, figures, training }, isLoaded) {
    const facts = id === null ? ["no drafts are shown"] : [counted(labels, "label"), timeText(time), training];
    const text = isNumber(figures?.f1) ? `F1@50 ${percent(figures.f1)}` : null;
    const figure = text && el("span", { class: "hint" }, el("b", {}, text), ` on ${figures.split}`);
    const radio = el("input", { type: "radio", name: "model", checked: isLoaded, onchange: () => this.store.chooseModel(id) });
    return el("label", { class: "model" }, radio, el("span", { class: "model-text" },
      el("span", { class: "model-name", dir: "auto" }, name), figure,
      el("span", { class: "hint", dir: "auto" }, facts.filter(Boolean).join(" · "))));
  }
}

const splitText = (name, folds) => `the test side of “${name}”${folds > 1 ? `, first of ${folds} folds` : ""}`;

function timeText(time) {
  const when = new Date(isNumber(time) ? time * 1000 : time ?? NaN);
  return Number.isNaN(when.getTime()) ? null : when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

// Other options of a select; the choice stays where it is still one.
function refill(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

// The nodes in order, without taking out those that are in their place (which would lose focus and scroll).
function place(parent, nodes) {
  nodes.forEach((node, i) => parent.children[i] !== node && parent.insertBefore(node, parent.children[i] ?? null));
  while (parent.children.length > nodes.length) parent.lastElementChild.remove();
}
