// Frame scores: the curves under the timelines, and the list of labels beside the scene with their scores now.

import { BACKGROUND } from "./colours.js";
import { clamp, el, percent } from "./dom.js";
import { spansAt } from "./rows.js";

const SCORE_ROW_HEIGHT = 132;
const WORTH_LISTING = 0.2; // a label no span has is listed when its score reaches this

// Score of a label (BACKGROUND is column 0) at a time, 0 to 1.
export function scoreAt(scores, label, time) {
  const frame = clamp(Math.floor(time * scores.fps), 0, scores.frames - 1);
  return scores.levels[frame * scores.columns + label + 1] / 255;
}

// Labels that matter in a recording, in the label set's order.
export function listedLabels(recording) {
  const { truth, segmentation, proposals, trueEvents, events, scores } = recording;
  const all = [truth ?? [], segmentation ?? [], proposals, trueEvents ?? [], events ?? []].flat();
  const listed = new Set(all.map((span) => span.label));
  for (let at = 0; scores && at < scores.levels.length; at++) {
    if (at % scores.columns && scores.levels[at] >= WORTH_LISTING * 255) listed.add((at % scores.columns) - 1);
  }
  return [...listed].sort((a, b) => a - b);
}

// The row of curves for the timeline. `choice` holds the labels that are listed, those that are hidden and the one that
// stands out.
export function scoreRow(scores, labels, choice) {
  const draw = (context, width, height, timeline) => {
    drawScoreGrid(context, width, height, timeline.colours);
    const { current } = choice;
    const visible = choice.listed.filter((label) => !choice.hidden.has(label) && label !== current);
    if (current !== null && !choice.hidden.has(current)) visible.push(current);
    for (const label of visible) drawScoreCurve(context, width, height, scores, label, labels, timeline, label === current);
  };
  const describe = (time) => {
    const values = choice.listed.filter((label) => !choice.hidden.has(label)).map((label) =>
      [label, scoreAt(scores, label, time)]);
    values.sort((a, b) => b[1] - a[1]);
    return values.slice(0, 4).map(([label, value]) =>
      el("div", {}, labels.swatch(label), el("b", {}, labels.name(label)), ` ${percent(value)} %`));
  };
  const name = el("span", {}, "Frame scores", el("small", {}, "0 to 100 %"));
  return { name, height: SCORE_ROW_HEIGHT, kind: "scores", draw, describe };
}

function drawScoreGrid(context, width, height, colours) {
  context.fillStyle = colours.sunken;
  context.fillRect(0, 0, width, height);
  context.fillStyle = colours.line;
  for (const part of [0.25, 0.5, 0.75]) context.fillRect(0, Math.round(height * part), width, 1);
}

const PEAK_FRAMES = 32;

// The highest level of a label in each PEAK_FRAMES frames, so that an hour need not be looked through for each picture.
function peaksOf(scores, label) {
  scores.peaks ??= new Map();
  if (!scores.peaks.has(label)) {
    const peaks = new Uint8Array(Math.ceil(scores.frames / PEAK_FRAMES));
    for (let frame = 0; frame < scores.frames; frame++) {
      const at = Math.floor(frame / PEAK_FRAMES);
      peaks[at] = Math.max(peaks[at], scores.levels[frame * scores.columns + label + 1]);
    }
    scores.peaks.set(label, peaks);
  }
  return scores.peaks.get(label);
}

function drawScoreCurve(context, width, height, scores, label, labels, timeline, strong) {
  const [first, last] = [timeline.start, timeline.end].map((time) => clamp(Math.floor(time * scores.fps), 0, scores.frames - 1));
  const y = (level) => height - 3 - (level / 255) * (height - 6);
  const x = (frame) => timeline.x((frame + 0.5) / scores.fps, width);
  let hop = Math.max(1, Math.floor((last - first) / (2 * width))); // of an hour, the highest of a pixel
  if (hop > PEAK_FRAMES) hop -= hop % PEAK_FRAMES;
  const peaks = hop >= PEAK_FRAMES ? peaksOf(scores, label) : null;
  const levelOf = (frame) => {
    let level = 0;
    const end = Math.min(frame + hop, scores.frames);
    if (peaks) for (let k = frame / PEAK_FRAMES; k < end / PEAK_FRAMES; k++) level = Math.max(level, peaks[k]);
    else for (let k = frame; k < end; k++) level = Math.max(level, scores.levels[k * scores.columns + label + 1]);
    return level;
  };
  context.beginPath();
  const from = Math.max(0, first - 1);
  for (let frame = from - (from % hop); frame <= Math.min(scores.frames - 1, last + 1); frame += hop) context.lineTo(x(frame),
    y(levelOf(frame)));
  context.strokeStyle = labels.lineColour(label, timeline.colours.dark);
  context.lineWidth = strong ? 2.4 : 1.4;
  context.globalAlpha = strong ? 1 : 0.6;
  context.lineJoin = "round";
  context.setLineDash(label < 0 ? [4, 3] : []);
  context.stroke();
  context.setLineDash([]);
  if (strong) {
    context.lineTo(x(last), height);
    context.lineTo(x(first), height);
    context.globalAlpha = 0.16;
    context.fillStyle = context.strokeStyle;
    context.fill();
  }
  context.globalAlpha = 1;
}

// The list beside the scene: every label's score at this moment; it is also the key to the colours. Pressing a
// label shows or hides its curve.
export class Moment {
  constructor(root, labels, choice, onchoice) {
    Object.assign(this, { root, labels, choice, onchoice, rows: [] });
  }

  show(recording) {
    const { choice } = this;
    this.recording = recording;
    choice.listed = [...(recording.scores ? [BACKGROUND] : []), ...listedLabels(recording)];
    choice.hidden = new Set([BACKGROUND]);
    choice.current = null;
    this.revealed = null;
    this.rows = choice.listed.map((label) => this.row(label));
    const head = el("div", { class: "head" }, el("h2", {}, recording.scores ? "Scores now" : "Labels"));
    if (recording.scores) head.append(this.allButton());
    this.root.replaceChildren(head, el("div", { class: "labels" }, ...this.rows.map((row) => row.node)));
    this.root.hidden = !choice.listed.length;
    this.root.parentElement.classList.toggle("alone", this.root.hidden);
  }

  allButton() {
    const flip = () => {
      const { choice } = this;
      const labels = choice.listed.filter((label) => label >= 0);
      const some = labels.some((label) => !choice.hidden.has(label));
      choice.hidden = new Set(some ? choice.listed : [BACKGROUND]);
      this.refresh();
    };
    return el("button", { type: "button", class: "ghost", title: "Show or hide all curves", onclick: flip }, "All / none");
  }

  row(label) {
    const text = this.labels.name(label);
    const bar = el("span", { class: "bar-fill" });
    const value = el("span", { class: "value" });
    const flip = () => {
      const { hidden } = this.choice;
      if (!hidden.delete(label)) hidden.add(label);
      this.refresh();
    };
    const node = el("button", { type: "button", class: "label-row", vars: { "--c": this.labels.colour(label) }, onclick: flip },
      this.labels.swatch(label), el("span", { class: "text", title: text }, text), value, bar);
    if (!this.recording.scores) node.disabled = true;
    return { label, node, bar, value };
  }

  refresh() {
    for (const { label, node } of this.rows) node.setAttribute("aria-pressed", String(!this.choice.hidden.has(label)));
    this.onchoice();
  }

  setTime(time) {
    const { scores, segmentation, proposals } = this.recording;
    const now = scores ? [] : spansAt(proposals.length ? proposals : segmentation ?? [], time);
    for (const { label, node, bar, value } of this.rows) {
      const spanScores = now.filter((span) => span.label === label).map((span) => span.score);
      const score = scores ? scoreAt(scores, label, time) : spanScores.length ? Math.max(...spanScores) : null;
      bar.style.setProperty("--v", score ?? 0);
      bar.hidden = score === null;
      value.textContent = score === null ? "" : percent(score, 0);
      node.classList.toggle("current", label === this.choice.current);
    }
    if (this.choice.current !== this.revealed) this.reveal(this.choice.current);
  }

  // Scrolls the list, and only the list, to where the label is.
  reveal(label) {
    this.revealed = label;
    const row = this.rows.find((other) => other.label === label);
    if (!row) return;
    const list = row.node.parentElement;
    const top = row.node.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + row.node.offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = top - list.clientHeight / 2;
    }
  }
}
