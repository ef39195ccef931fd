// Puts the parts together: which recording is shown, the caption, the buttons and the keys.

import { Clock } from "../viewer/clock.js";
import { Labels, onThemeChange } from "../viewer/colours.js";
import { byId, clamp, durationText, el, isNumber } from "../viewer/dom.js";
import { WholeMotion, firstTime, unpackScores } from "../viewer/motion.js";
import { candidateRow, eventRow, eventsAt, spanRow, spansAt } from "../viewer/rows.js";
import { Scene } from "../viewer/scene.js";
import { Moment, scoreRow } from "../viewer/scores.js";
import { table } from "../viewer/tables.js";
import { Timeline } from "../viewer/timeline.js";
import { Transport } from "../viewer/transport.js";
import { showConfusion, showCurves, showFacts, showMetrics } from "./tables.js";

const LANES_SHOWN = 10; // lanes of proposals before "show all"
const ROWS_LISTED = 500; // rows of the table of spans

const spanOf = ([start, end, label, score, person]) => ({ start, end, label, score, person });
const eventOf = ([time, label, score, person]) => ({ start: time, end: null, label, score, person });

// A recording with its arrays unpacked; done when it is first shown.
async function openRecording(packed) {
  return {
    ...packed,
    motion: await WholeMotion.unpack(packed.motion, packed.skeleton.joints),
    scores: await unpackScores(packed.scores),
    truth: packed.truth && packed.truth.map(spanOf),
    segmentation: packed.segmentation && packed.segmentation.map(spanOf),
    proposals: packed.proposals.map(spanOf),
    trueEvents: packed.trueEvents && packed.trueEvents.map(eventOf),
    events: packed.events && packed.events.map(eventOf),
  };
}

class Viewer {
  constructor(data) {
    this.data = data;
    this.labels = new Labels(data.labels);
    this.clock = new Clock();
    this.lanes = { threshold: 0, all: false };
    this.choice = { listed: [], hidden: new Set(), current: null };
    this.opened = new Map();
    this.scene = new Scene(byId("scene"));
    this.timeline = new Timeline(byId("timeline"), this.clock);
    this.moment = new Moment(byId("moment"), this.labels, this.choice, () => this.timeline.paint());
    byId("viewer").hidden = false;
    this.buildChooser();
    this.transport = new Transport(byId("transport"), this.clock);
    byId("reset").addEventListener("click", () => this.scene.reset());
    this.clock.addEventListener("time", () => this.update());
    document.addEventListener("keydown", (event) => this.onKey(event));
    onThemeChange(() => {
      this.scene.retheme();
      this.timeline.retheme();
    });
  }

  async show(index) {
    this.index = clamp(index, 0, this.data.recordings.length - 1);
    const wanted = this.index;
    this.clock.pause();
    if (!this.opened.has(wanted)) this.opened.set(wanted, await openRecording(this.data.recordings[wanted]));
    if (wanted !== this.index) return; // another one was chosen meanwhile
    this.recording = this.opened.get(wanted);
    const { recording } = this;
    this.lanes = { threshold: 0, all: false };
    this.scene.show(recording.motion, recording.skeleton);
    this.moment.show(recording);
    this.transport.show(recording.sourceFps, recording.sourceFrames);
    this.clock.load(recording.duration);
    this.timeline.show(this.rows());
    this.moment.refresh();
    this.clock.seek(firstTime(recording.motion));
    this.describeRecording();
    this.listSpans();
  }

  // ---- timelines ---------------------------------------------------------------------------------------------

  rows() {
    const { truth, segmentation, proposals, trueEvents, events, scores, covered } = this.recording;
    const { labels } = this;
    const rows = [];
    for (const person of this.people()) {
      const own = (items) => (person === null ? items : items.filter((item) => (item.person ?? person) === person));
      const of = person === null ? "" : `, person ${person}`;
      if (truth) rows.push(spanRow(`Truth${of}`, own(truth), labels, { covered }));
      if (segmentation) rows.push(spanRow(`Predicted${of}`, own(segmentation), labels)); // empty where nothing is predicted
      if (trueEvents) rows.push(eventRow(`True events${of}`, own(trueEvents), labels, { covered }));
      if (events) rows.push(eventRow(`Predicted events${of}`, own(events), labels));
    }
    if (proposals.length) rows.push(...this.proposalRows());
    return scores ? [...rows, scoreRow(scores, labels, this.choice)] : rows;
  }

  // The person slots that have rows of their own; null: all people share rows, as no span says whose it is.
  people() {
    const { truth, segmentation, trueEvents, events, motion } = this.recording;
    const named = [truth ?? [], segmentation ?? [], trueEvents ?? [], events ?? []].flat().some((item) => isNumber(item.person));
    return named && motion.people > 1 ? motion.slots : [null];
  }

  // A row a label, those with the best scores first to be shown.
  proposalRows() {
    const { proposals } = this.recording;
    const best = new Map();
    for (const { label, score } of proposals) best.set(label, Math.max(best.get(label) ?? 0, score ?? 1));
    const ranked = [...best.keys()].sort((a, b) => best.get(b) - best.get(a));
    const shown = this.lanes.all ? ranked : ranked.slice(0, LANES_SHOWN);
    const rows = shown.sort((a, b) => a - b).map((label) => {
      const name = el("span", { class: "lane", title: this.labels.name(label) }, this.labels.swatch(label), this.labels.name(label));
      return candidateRow(name, proposals.filter((span) => span.label === label), this.labels, () => this.lanes.threshold);
    });
    return [this.laneTools(ranked.length, shown.length), ...rows];
  }

  laneTools(all, shown) {
    const read = el("output", {}, this.lanes.threshold.toFixed(2));
    const oninput = (event) => {
      this.lanes.threshold = Number(event.target.value);
      read.textContent = this.lanes.threshold.toFixed(2);
      this.timeline.paint();
    };
    const slider = el("input", { type: "range", min: "0", max: "1", step: "0.01", value: this.lanes.threshold, oninput });
    const flip = () => {
      this.lanes.all = !this.lanes.all;
      this.timeline.setRows(this.rows());
    };
    const text = shown < all ? `Show all ${all} lanes` : "Show fewer lanes";
    const more = all > LANES_SHOWN ? el("button", { type: "button", class: "ghost", onclick: flip }, text) : null;
    const filter = el("label", { class: "filter" }, "score at least", slider, read);
    return el("div", { class: "group" }, el("span", {}, "Proposals"), more, filter);
  }

  // ---- which recording ---------------------------------------------------------------------------------------

  buildChooser() {
    const { recordings } = this.data;
    const step = (by) => () => this.show(this.index + by);
    this.select = el("select", { id: "recording", onchange: () => this.show(Number(this.select.value)) },
      ...recordings.map((recording, i) => el("option", { value: i }, recording.name)));
    this.previous = el("button", { type: "button", class: "ghost", "aria-label": "Previous recording", onclick: step(-1) }, "‹");
    this.next = el("button", { type: "button", class: "ghost", "aria-label": "Next recording", onclick: step(1) }, "›");
    this.about = el("p", { class: "about" });
    const several = recordings.length > 1;
    const chooser = [el("label", { for: "recording" }, "Recording"), this.previous, this.select, this.next];
    byId("chooser").append(...(several ? chooser : [el("h2", {}, recordings[0].name)]), this.about);
  }

  describeRecording() {
    const { recording } = this;
    const people = recording.motion.people === 1 ? "1 person" : `${recording.motion.people} people`;
    const attributes = recording.attributes.map(([name, value]) => `${name} ${value}`);
    const rate = `${Number(recording.sourceFps.toFixed(2))} fps`;
    const facts = [durationText(recording.duration), rate, people, recording.skeleton.name];
    this.about.textContent = [...facts, ...attributes, recording.source].filter(Boolean).join(" · ");
    this.select.value = this.index;
    this.previous.disabled = this.index === 0;
    this.next.disabled = this.index === this.data.recordings.length - 1;
  }

  // ---- playing -----------------------------------------------------------------------------------------------

  // The time whose labels are told: at the very end that of the last moment.
  get now() {
    return Math.min(this.clock.time, this.clock.duration - 1e-4);
  }

  update() {
    const { recording, clock } = this;
    if (!recording) return;
    this.frame = clamp(Math.floor(clock.time * recording.motion.fps), 0, recording.motion.frames - 1);
    this.scene.setFrame(this.frame);
    const current = this.tellLabels();
    if (current !== this.choice.current) {
      this.choice.current = current;
      this.timeline.paint();
    }
    this.moment.setTime(this.now);
    this.tellUnseen();
  }

  // Fills the caption; returns the label that stands out now: predicted, or else true.
  tellLabels() {
    const { recording, now } = this;
    const best = (spans) => spans.reduce((a, b) => ((b.score ?? 1) > (a.score ?? 1) ? b : a));
    const spans = spansAt(recording.segmentation ?? recording.proposals, now);
    const people = [...new Set(spans.map((span) => span.person))];
    const bestOfEach = people.map((person) => best(spans.filter((span) => span.person === person)));
    const predicted = [...bestOfEach, ...eventsAt(recording.events ?? [], now)];
    const truth = [...spansAt(recording.truth ?? [], now), ...eventsAt(recording.trueEvents ?? [], now)];
    const covered = !recording.covered || recording.covered.some(([start, end]) => start <= now && now < end);
    const lines = [];
    if (recording.truth || recording.trueEvents) lines.push(this.captionLine("Truth", truth, covered ? "no action" : "not labelled"));
    const predicts = recording.segmentation || recording.events || recording.proposals.length;
    if (predicts) lines.push(this.captionLine("Predicted", predicted, "no action"));
    const key = lines.map((line) => line.textContent).join("\n");
    if (key !== this.captionKey) byId("caption").replaceChildren(...lines);
    this.captionKey = key;
    return (predicted[0] ?? truth[0])?.label ?? null;
  }

  captionLine(name, spans, none) {
    const labels = [...new Set(spans.map((span) => span.label))];
    const texts = labels.map((label) => el("span", { class: "tag" }, this.labels.swatch(label), this.labels.name(label)));
    const said = texts.length ? texts : [el("span", { class: "tag none" }, none)];
    return el("div", { class: name.toLowerCase() }, el("dt", {}, name), el("dd", {}, ...said));
  }

  tellUnseen() {
    const unseen = this.scene.unseen();
    const text = !unseen.length ? "" : this.recording.motion.people === 1 ? "not seen in this frame"
      : `person ${unseen.join(", ")} not seen in this frame`;
    if (byId("notices").textContent !== text) byId("notices").textContent = text;
  }

  // ---- spans as text -----------------------------------------------------------------------------------------

  listSpans() {
    const { truth, segmentation, proposals, trueEvents, events } = this.recording;
    const kinds = [
      ["truth", [...(truth ?? []), ...(trueEvents ?? [])]],
      ["predicted", [...(segmentation ?? []), ...(events ?? [])]],
      ["proposal", proposals],
    ];
    const all = kinds.flatMap(([kind, spans]) => spans.map((span) => ({ ...span, kind })));
    all.sort((a, b) => a.start - b.start || (a.end ?? a.start) - (b.end ?? b.start));
    const rows = all.slice(0, ROWS_LISTED).map((span) => {
      const go = el("button", { type: "button", class: "link", onclick: () => this.clock.seek(span.start) }, span.start.toFixed(2));
      const label = el("span", { class: "lane" }, this.labels.swatch(span.label), this.labels.name(span.label));
      return [label, span.kind, go, span.end === null ? "–" : span.end.toFixed(2), isNumber(span.score) ? span.score.toFixed(3) : "–"];
    });
    const fold = byId("spans");
    fold.hidden = !rows.length;
    const left = all.length > ROWS_LISTED ? `, the first ${ROWS_LISTED} of ${all.length}` : "";
    fold.replaceChildren(fold.firstElementChild,
      table(`Spans of ${this.recording.name}${left}`, ["Label", "Kind", "Start, s", "End, s", "Score"], rows, "spans"));
  }

  // ---- keys --------------------------------------------------------------------------------------------------

  onKey(event) {
    if (!this.recording || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("select, input, textarea, .scroller")) return;
    if (event.key === " " && event.target.closest("button, summary, a")) return; // they use it themselves
    const { clock, scene } = this;
    const actions = {
      " ": () => clock.toggle(),
      ArrowLeft: () => (event.shiftKey ? clock.seek(clock.time - 1) : this.transport.step(-1)),
      ArrowRight: () => (event.shiftKey ? clock.seek(clock.time + 1) : this.transport.step(1)),
      Home: () => clock.seek(0),
      End: () => clock.seek(clock.duration),
      a: () => scene.turn(-0.12, 0),
      d: () => scene.turn(0.12, 0),
      w: () => scene.turn(0, 0.08),
      s: () => scene.turn(0, -0.08),
      "+": () => scene.zoom(1 / 1.12),
      "=": () => scene.zoom(1 / 1.12),
      "-": () => scene.zoom(1.12),
      0: () => scene.reset(),
      n: () => this.show(this.index + 1),
      p: () => this.show(this.index - 1),
    };
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action) return;
    action();
    event.preventDefault();
  }
}

// ---- start ---------------------------------------------------------------------------------------------------

async function start() {
  const data = JSON.parse(byId("data").textContent);
  showMetrics(data, new Labels(data.labels));
  showConfusion(data);
  showCurves(data);
  showFacts(data);
  if (data.recordings.length) await new Viewer(data).show(0);
  document.documentElement.dataset.ready = "true";
}

start();
