// Rows over one time axis with a playhead through all of them: click or drag to go to a time, zoom and shift.
//
// A row: { name: text or node, height: pixels, kind: a class or "", draw(context, width, height, timeline),
//   describe(time, y, timeline) -> nodes for the tooltip,
//   grab(event, time, y, timeline) -> { move(event, time), end(event, time, cancelled) } or null: it takes the gesture,
//   cursor(time, y, timeline) -> a CSS cursor or "" }; the last three may be left out. A node in place of a row is put
// between rows as it is.

import { theme } from "./colours.js";
import { canvasPainter, clamp, clockText, el, hideTip, showTip } from "./dom.js";

const TICKS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];
const SHORTEST_VIEW = 1; // seconds

export class Timeline {
  constructor(root, clock) {
    Object.assign(this, { root, clock, start: 0, end: 1, width: 0, rows: [], colours: theme() });
    this.playhead = el("div", { class: "playhead", "aria-hidden": "true" });
    this.tracks = el("div", {
      class: "tracks", role: "slider", tabindex: "0", "aria-label": "Time, seconds", "aria-valuemin": "0",
    });
    this.zoomOut = this.button("−", "Show a longer stretch of time", () => this.zoom(1.6));
    this.zoomIn = this.button("+", "Show a shorter stretch of time", () => this.zoom(1 / 1.6));
    this.fit = this.button("Fit", "Show the whole recording", () => this.setView(0, this.clock.duration));
    const tools = el("div", { class: "tools" }, this.zoomOut, this.zoomIn, this.fit);
    this.bar = el("div", { class: "bar" }, el("h2", {}, "Timelines"), tools);
    root.append(this.bar, this.tracks);
    this.listen();
  }

  button(text, title, onclick) {
    return el("button", { type: "button", class: "ghost", title, "aria-label": title, onclick }, text);
  }

  // ---- rows --------------------------------------------------------------------------------------------------

  // The rows of another recording, all of it in view.
  show(rows) {
    const { duration } = this.clock;
    this.tracks.setAttribute("aria-valuemax", duration.toFixed(2));
    [this.start, this.end] = [0, duration];
    this.setRows(rows);
  }

  // Other rows of the same recording; the view stays.
  setRows(rows) {
    this.rows = [];
    this.tracks.replaceChildren(this.playhead);
    this.addRow({ name: "", height: 24, kind: "axis", draw: (context, width, height) => this.drawAxis(context, width, height) });
    for (const row of rows) {
      if (row instanceof Node) this.tracks.append(row);
      else this.addRow(row);
    }
    this.refresh();
  }

  // Rows of the same recording, of which most are as they were: those that look alike keep their place and canvas.
  updateRows(rows) {
    const own = rows.filter((row) => !(row instanceof Node));
    const isSame = (row, { row: now }) => row.name === now.name && row.height === now.height && row.kind === now.kind;
    const nodes = rows.filter((row) => row instanceof Node);
    const isAlike = own.length === this.rows.length - 1 && own.every((row, i) => isSame(row, this.rows[i + 1])) &&
      nodes.every((node) => node.parentElement === this.tracks);
    if (!isAlike) return this.setRows(rows);
    own.forEach((row, i) => (this.rows[i + 1].row = row));
    this.paint();
  }

  // Paints one row again.
  repaint(row) {
    this.rows.find((entry) => entry.row === row)?.paint();
  }

  addRow(row) {
    const canvas = el("canvas", { vars: { height: `${row.height}px` }, "aria-hidden": "true" });
    const name = el("div", { class: "name", dir: "auto", title: typeof row.name === "string" ? row.name : null }, row.name);
    this.tracks.append(el("div", { class: `row ${row.kind ?? ""}`.trim() }, name, canvas));
    const entry = { row, canvas };
    entry.paint = canvasPainter(canvas, (context, width, height) => entry.row.draw(context, width, height, this));
    canvas.addEventListener("pointermove", (event) => this.hover(event, entry));
    canvas.addEventListener("pointerleave", hideTip);
    this.rows.push(entry);
  }

  retheme() {
    this.colours = theme();
    this.paint();
  }

  paint() {
    for (const entry of this.rows) entry.paint();
  }

  // ---- the view on time --------------------------------------------------------------------------------------

  x(time, width) {
    return ((time - this.start) / (this.end - this.start)) * width;
  }

  get secondsPerPixel() {
    return (this.end - this.start) / Math.max(1, this.width);
  }

  setView(start, end) {
    const { duration } = this.clock;
    const long = clamp(end - start, Math.min(SHORTEST_VIEW, duration), duration);
    this.start = clamp(start, 0, duration - long);
    this.end = this.start + long;
    this.refresh();
    this.root.dispatchEvent(new Event("view"));
  }

  zoom(factor, around = this.clock.time) {
    this.setView(around - (around - this.start) * factor, around + (this.end - around) * factor);
  }

  refresh() {
    const whole = this.end - this.start >= this.clock.duration - 1e-6;
    this.zoomOut.disabled = this.fit.disabled = whole;
    this.paint();
    this.movePlayhead();
  }

  movePlayhead() {
    const { time, duration } = this.clock;
    const long = this.end - this.start;
    this.playhead.hidden = time < this.start - 1e-6 || time > this.end + 1e-6;
    this.playhead.style.transform = `translateX(${clamp((time - this.start) / long, 0, 1) * this.width}px)`; // no layout
    this.tracks.setAttribute("aria-valuenow", time.toFixed(2));
    if (duration && !this.clock.playing) {
      this.tracks.setAttribute("aria-valuetext", `${time.toFixed(2)} seconds of ${duration.toFixed(2)}`);
    }
  }

  // Time went on: the view goes along where the playhead would leave it.
  follow() {
    const { time } = this.clock;
    const long = this.end - this.start;
    if (time < this.start - 1e-6 || time > this.end + 1e-6) this.setView(time - long * 0.1, time + long * 0.9);
    else this.movePlayhead();
  }

  timeAt(event) {
    const box = this.rows[0].canvas.getBoundingClientRect();
    return clamp(this.start + ((event.clientX - box.left) / box.width) * (this.end - this.start), this.start, this.end);
  }

  drawAxis(context, width, height) {
    if (width !== this.width) {
      this.width = width; // pixels; the other rows are as wide
      this.movePlayhead();
    }
    const long = this.end - this.start;
    const step = TICKS.find((tick) => (tick / long) * width >= 64) ?? TICKS[TICKS.length - 1];
    const minutes = this.clock.duration > 120;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let k = Math.ceil(this.start / step - 1e-9); k * step <= this.end + 1e-9; k++) {
      const at = this.x(k * step, width);
      const text = minutes ? clockText(k * step, step < 1 ? 1 : 0) : `${Number((k * step).toFixed(2))} s`;
      const wide = context.measureText(text).width;
      context.fillStyle = this.colours.line;
      context.fillRect(Math.min(at, width - 1), height - 6, 1, 6);
      context.fillStyle = this.colours.muted;
      context.fillText(text, clamp(at - wide / 2, 0, width - wide), height / 2 - 2);
    }
  }

  // ---- pointer -----------------------------------------------------------------------------------------------

  hover(event, { row, canvas }) {
    if (event.buttons) return hideTip();
    const time = this.timeAt(event);
    canvas.style.setProperty("cursor", row.cursor?.(time, event.offsetY, this) || "");
    if (!row.describe) return hideTip();
    showTip(event, ...row.describe(time, event.offsetY, this).slice(0, 5), el("div", { class: "when" }, `at ${clockText(time)}`));
  }

  // A gesture that goes to a time, for where no row takes it.
  seekGesture() {
    const resume = this.clock.playing;
    this.clock.pause();
    return {
      move: (event, time) => this.clock.seek(time),
      end: () => resume && this.clock.play(),
    };
  }

  listen() {
    let gesture = null;
    const release = (event, cancelled) => {
      const ended = gesture;
      gesture = null;
      ended?.end(event, this.timeAt(event), cancelled);
    };
    this.tracks.addEventListener("pointerdown", (event) => {
      if (event.target.tagName !== "CANVAS" || event.button) return;
      const entry = this.rows.find(({ canvas }) => canvas === event.target);
      const time = this.timeAt(event);
      const taken = entry?.row.grab?.(event, time, event.offsetY, this);
      gesture = taken ?? this.seekGesture();
      this.tracks.setPointerCapture(event.pointerId);
      if (!taken) this.clock.seek(time);
    });
    this.tracks.addEventListener("pointermove", (event) => gesture?.move(event, this.timeAt(event)));
    this.tracks.addEventListener("pointerup", (event) => release(event, false));
    this.tracks.addEventListener("pointercancel", (event) => release(event, true));
    this.tracks.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.clock.addEventListener("time", () => this.follow());
    this.clock.addEventListener("state", () => this.movePlayhead());
  }

  onWheel(event) {
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(clamp(event.deltaY, -120, 120) * 0.003), this.timeAt(event));
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && !this.fit.disabled) {
      const shift = event.deltaX * this.secondsPerPixel;
      this.setView(this.start + shift, this.end + shift);
    } else return;
    event.preventDefault();
  }
}
