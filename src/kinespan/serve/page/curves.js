// Curves of joints under the timelines: height, speed and angle, as the server measures them for the time in view.

import { el } from "../../viewer/dom.js";
import { getJson } from "./api.js";
import { showError } from "./dialog.js";

export const CURVE_KINDS = ["height", "speed", "angle"];
const VIEW_PAUSE = 120; // milliseconds that a view rests before its curves are loaded
const MOST_BINS = 2000;
const HEIGHT = 56; // pixels
const UNITS = { degrees: "°" };

export class Curves {
  // curves: [{ kind, joint, person }] with the joint by name and the slot of the person; onchange() when rows come or go
  constructor(page, onchange) {
    Object.assign(this, { page, store: page.store, timeline: page.timeline, onchange, curves: [] });
    this.timeline.root.addEventListener("view", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.curves.forEach((curve) => this.load(curve)), VIEW_PAUSE);
    });
  }

  // The chosen curves of another recording; those of joints that it lacks are left out, but stay chosen.
  show(chosen) {
    this.chosen = chosen;
    const { skeleton, motion } = this.store.recording;
    const known = chosen.filter(({ joint }) => skeleton.names.includes(joint));
    this.curves = known.map((curve) => this.make({ ...curve,
      person: motion.slots.includes(curve.person) ? curve.person : motion.slots[0] }));
    this.curves.forEach((curve) => this.load(curve));
  }

  rows() {
    return this.curves.map(({ row }) => row);
  }

  add(curve) {
    const isThere = this.chosen.some((other) => isSame(other, curve));
    if (isThere) return;
    this.chosen.push(curve);
    const made = this.make(curve);
    this.curves.push(made);
    this.load(made);
    this.onchange();
  }

  remove(curve) {
    this.curves = this.curves.filter((other) => other !== curve);
    this.chosen = this.chosen.filter((other) => !isSame(other, curve));
    this.onchange();
  }

  make(curve) {
    const several = this.store.recording.motion.slots.length > 1;
    const kind = `${curve.kind}${several ? ` · person ${curve.person}` : ""}`;
    const text = `${curve.joint}${several ? `, person ${curve.person}` : ""}`;
    const made = { ...curve, data: null, low: Infinity, high: -Infinity, unit: "" };
    const close = el("button", { type: "button", class: "ghost small",
      "aria-label": `Remove the curve ${curve.kind} of ${text}`, title: "Remove", onclick: () => this.remove(made) }, "×");
    const name = el("span", { class: "curve-name" }, el("span", { class: "text", title: `${curve.kind} of ${text}`,
      dir: "auto" }, curve.joint, el("small", {}, kind)), close);
    made.row = {
      name, height: HEIGHT, kind: "curve",
      draw: (context, width, height, timeline) => drawCurve(context, width, height, made, timeline),
      describe: (time) => [el("div", {}, el("b", {}, `${curve.kind} `), text, ` ${valueText(made, time)}`)],
    };
    return made;
  }

  // Loads a curve for the time in view, as fine as the pixels are; what was there is drawn until it has come.
  async load(curve) {
    const { recording } = this.store;
    const { timeline } = this;
    const [start, stop] = [timeline.start, timeline.end];
    if (!(stop > start)) return;
    const frames = Math.ceil((stop - start) * recording.motion.fps);
    const bins = Math.max(1, Math.min(Math.round(timeline.width) || 800, frames, MOST_BINS));
    const number = (curve.number = (curve.number ?? 0) + 1);
    const joint = recording.skeleton.names.indexOf(curve.joint);
    try {
      const data = await getJson(`recordings/${recording.id}/curve`,
        { kind: curve.kind, joint, person: curve.person, start, stop, bins });
      if (number !== curve.number || recording !== this.store.recording) return;
      this.use(curve, data);
    } catch (error) {
      if (!this.curves.includes(curve)) return;
      showError(error);
      this.remove(curve); // such as an angle where no two bones meet
    }
  }

  // The scale holds all that was seen of the curve so far, so that it does not jump as time is zoomed.
  use(curve, data) {
    curve.data = data;
    curve.unit = UNITS[data.unit] ?? ` ${data.unit}`;
    for (const value of data.low) if (value !== null) curve.low = Math.min(curve.low, value);
    for (const value of data.high) if (value !== null) curve.high = Math.max(curve.high, value);
    this.timeline.repaint(curve.row);
  }
}

const isSame = (a, b) => a.kind === b.kind && a.joint === b.joint && a.person === b.person;

function valueText({ data, unit }, time) {
  if (!data || time < data.start || time >= data.stop) return "";
  const bin = Math.floor(((time - data.start) / (data.stop - data.start)) * data.low.length);
  const [low, high] = [data.low[bin], data.high[bin]];
  if (low === null || low === undefined) return "not seen";
  const digits = unit === "°" ? 0 : 2;
  return low.toFixed(digits) === high.toFixed(digits) ? `${low.toFixed(digits)}${unit}`
    : `${low.toFixed(digits)} – ${high.toFixed(digits)}${unit}`;
}

// The band between the least and the greatest of each part, a line where they are one; gaps where nothing was seen.
function drawCurve(context, width, height, curve, timeline) {
  const { colours } = timeline;
  context.fillStyle = colours.sunken;
  context.fillRect(0, 0, width, height);
  const { data, low, high, unit } = curve;
  if (!data || !Number.isFinite(low)) return;
  const range = high - low || 1;
  const y = (value) => height - 5 - ((value - low) / range) * (height - 10);
  const step = (data.stop - data.start) / data.low.length;
  const [first, last] = [timeline.start, timeline.end].map((time) => Math.floor((time - data.start) / step));
  context.strokeStyle = context.fillStyle = colours.accent;
  context.lineWidth = 1.4;
  context.lineJoin = "round";
  context.beginPath();
  let isDown = false;
  for (let bin = Math.max(0, first - 1); bin <= Math.min(data.low.length - 1, last + 1); bin++) {
    if (data.low[bin] === null) {
      isDown = false;
      continue;
    }
    const x = timeline.x(data.start + (bin + 0.5) * step, width);
    const [top, bottom] = [y(data.high[bin]), y(data.low[bin])];
    if (isDown) context.lineTo(x, top);
    else context.moveTo(x, top);
    if (bottom > top) context.lineTo(x, bottom);
    isDown = true;
  }
  context.stroke();
  const digits = unit === "°" ? 0 : 2;
  drawBound(context, `${high.toFixed(digits)}${unit}`, 8, colours);
  drawBound(context, `${low.toFixed(digits)}${unit}`, height - 7, colours);
}

// A bound of the scale, readable over the curve.
function drawBound(context, text, middle, colours) {
  context.font = "10px system-ui, sans-serif";
  context.textBaseline = "middle";
  [context.strokeStyle, context.lineWidth, context.fillStyle] = [colours.sunken, 4, colours.muted];
  context.strokeText(text, 4, middle);
  context.fillText(text, 4, middle);
}
