// Rows of spans and of events over one time axis, with a playhead through all of them: click or drag to go to a time.

const LANES_SHOWN = 10; // lanes of proposals before "show all"
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

const spanOf = ([start, end, label, score, person]) => ({ start, end, label, score, person });
const eventOf = ([time, label, score, person]) => ({ start: time, end: null, label, score, person });
const EVENT_REACH = 0.2; // seconds around an event in which the caption names it
const MARK_REACH = 6; // pixels around a mark in which it can be pointed at
const eventsAt = (events, time, reach = EVENT_REACH) => events.filter((event) => Math.abs(event.start - time) <= reach);
const spansAt = (spans, time) => spans.filter((span) => span.start <= time && time < span.end);

// Spans of a row put into as few lanes as possible so that none overlap; they come sorted by start.
function packLanes(spans) {
  const ends = [];
  for (const span of spans) {
    let lane = ends.findIndex((end) => end <= span.start + 1e-9);
    if (lane < 0) lane = ends.length;
    ends[lane] = span.end;
    span.lane = lane;
  }
  return Math.max(1, ends.length);
}

class Timeline {
  constructor(root, clock, labels) {
    Object.assign(this, { root, clock, labels, start: 0, end: 1, rows: [], threshold: 0, allLanes: false });
    this.playhead = el("div", { class: "playhead", "aria-hidden": "true" });
    this.tracks = el("div", {
      class: "tracks", role: "slider", tabindex: "0", "aria-label": "Time, seconds", "aria-valuemin": "0",
    });
    this.zoomOut = this.button("−", "Show a longer stretch of time", () => this.zoom(1.6));
    this.zoomIn = this.button("+", "Show a shorter stretch of time", () => this.zoom(1 / 1.6));
    this.fit = this.button("Fit", "Show the whole recording", () => this.setView(0, this.clock.duration));
    const tools = el("div", { class: "tools" }, this.zoomOut, this.zoomIn, this.fit);
    root.append(el("div", { class: "bar" }, el("h2", {}, "Timelines"), tools), this.tracks);
    this.listen();
  }

  button(text, title, onclick) {
    return el("button", { type: "button", class: "ghost", title, "aria-label": title, onclick }, text);
  }

  // ---- rows --------------------------------------------------------------------------------------------------

  // `extra` rows (the score curves) come below the spans: { name, height, draw(context, w, h), describe(time) }.
  show(recording, extra) {
    Object.assign(this, { recording, extra, threshold: 0, allLanes: false });
    this.tracks.setAttribute("aria-valuemax", recording.duration.toFixed(2));
    [this.start, this.end] = [0, recording.duration];
    this.build();
  }

  build() {
    const { truth, segmentation, proposals, trueEvents, events } = this.recording;
    this.rows = [];
    this.tracks.replaceChildren(this.playhead);
    this.addRow({ name: "", height: 24, draw: (...at) => this.drawAxis(...at), describe: () => [] });
    for (const person of this.people()) {
      const own = (spans) => (person === null ? spans : spans.filter((span) => (span.person ?? person) === person));
      const of = person === null ? "" : `, person ${person}`;
      if (truth) this.addSpans(`Truth${of}`, own(truth), 26, this.recording.covered);
      if (segmentation) this.addSpans(`Predicted${of}`, own(segmentation), 26); // empty where nothing is predicted
      if (trueEvents) this.addEvents(`True events${of}`, own(trueEvents), this.recording.covered);
      if (events) this.addEvents(`Predicted events${of}`, own(events));
    }
    if (proposals.length) this.addLanes(proposals);
    for (const row of this.extra) this.addRow(row);
    this.refresh();
  }

  // The person slots that have rows of their own; null: all people share rows, as no span says whose it is.
  people() {
    const { truth, segmentation, trueEvents, events, motion } = this.recording;
    const named = [truth ?? [], segmentation ?? [], trueEvents ?? [], events ?? []].flat().some((span) => isNumber(span.person));
    return named && motion.people > 1 ? motion.slots : [null];
  }

  addRow(row) {
    const canvas = el("canvas", { vars: { height: `${row.height}px` }, "aria-hidden": "true" });
    const kind = row.kind ? ` ${row.kind}` : "";
    const name = el("div", { class: "name", title: typeof row.name === "string" ? row.name : null }, row.name);
    this.tracks.append(el("div", { class: `row${kind}` }, name, canvas));
    const entry = { ...row, canvas };
    entry.paint = canvasPainter(canvas, (...at) => row.draw(...at));
    canvas.addEventListener("pointermove", (event) => this.describe(event, entry));
    canvas.addEventListener("pointerleave", hideTip);
    this.rows.push(entry);
  }

  addSpans(name, all, height, covered = null) {
    const spans = all.map((span) => ({ ...span })); // rows have lanes of their own
    const lanes = packLanes(spans);
    const tall = lanes > 1 ? 20 : height;
    const draw = (context, width) => {
      this.drawPaper(context, width, lanes * tall, covered);
      for (const span of spans) this.drawSpan(context, width, span, span.lane * tall + 1, tall - 2, 1);
    };
    const describe = (time, y) => spansAt(spans, time).filter((span) => lanes === 1 || Math.floor(y / tall) === span.lane);
    this.addRow({ name, height: lanes * tall, draw, describe });
  }

  // Each event is a mark, one below the other so that those of two rows can be compared.
  addEvents(name, events, covered = null) {
    let reach = 0; // seconds, of MARK_REACH as drawn last
    const draw = (context, width, height) => {
      reach = (MARK_REACH / width) * (this.end - this.start);
      this.drawPaper(context, width, height, covered);
      for (const event of events) this.drawMark(context, width, event, height);
    };
    const describe = (time) => eventsAt(events, time, reach).sort((a, b) => Math.abs(a.start - time) - Math.abs(b.start - time));
    this.addRow({ name, height: 22, draw, describe });
  }

  // One lane a label; a proposal is the more solid the higher its score.
  addLanes(proposals) {
    const best = new Map();
    for (const { label, score } of proposals) best.set(label, Math.max(best.get(label) ?? 0, score ?? 1));
    const ranked = [...best.keys()].sort((a, b) => best.get(b) - best.get(a));
    const shown = this.allLanes ? ranked : ranked.slice(0, LANES_SHOWN);
    this.tracks.append(this.laneTools(ranked.length, shown.length));
    for (const label of shown.sort((a, b) => a - b)) {
      const spans = proposals.filter((span) => span.label === label).sort((a, b) => (a.score ?? 1) - (b.score ?? 1));
      const kept = () => spans.filter((span) => (span.score ?? 1) >= this.threshold);
      const draw = (context, width, height) => {
        this.drawPaper(context, width, height);
        for (const span of kept()) this.drawSpan(context, width, span, 1, height - 2, 0.15 + 0.85 * (span.score ?? 1));
      };
      const name = el("span", { class: "lane", title: this.labels[label] }, swatch(label), this.labels[label]);
      this.addRow({ name, height: 18, kind: "thin", draw, describe: (time) => spansAt(kept(), time).reverse() });
    }
  }

  laneTools(all, shown) {
    const read = el("output", {}, this.threshold.toFixed(2));
    const oninput = (event) => {
      this.threshold = Number(event.target.value);
      read.textContent = this.threshold.toFixed(2);
      this.paint();
    };
    const slider = el("input", { type: "range", min: "0", max: "1", step: "0.01", value: this.threshold, oninput });
    const flip = () => {
      this.allLanes = !this.allLanes;
      this.build();
    };
    const text = shown < all ? `Show all ${all} lanes` : "Show fewer lanes";
    const more = all > LANES_SHOWN ? el("button", { type: "button", class: "ghost", onclick: flip }, text) : null;
    const filter = el("label", { class: "filter" }, "score at least", slider, read);
    return el("div", { class: "group" }, el("span", {}, "Proposals"), more, filter);
  }

  // ---- drawing -----------------------------------------------------------------------------------------------

  x(time, width) {
    return ((time - this.start) / (this.end - this.start)) * width;
  }

  drawPaper(context, width, height, covered = null) {
    const { sunken, ground } = this.colours;
    context.fillStyle = sunken;
    context.fillRect(0, 0, width, height);
    if (!covered) return;
    hatch(context, 0, 0, width, height, ground);
    for (const [start, end] of covered) context.fillRect(this.x(start, width), 0, this.x(end, width) - this.x(start, width), height);
  }

  drawSpan(context, width, span, y, height, opacity) {
    const [from, to] = [this.x(span.start, width), this.x(span.end, width)];
    if (to < 0 || from > width) return;
    const [left, right] = [Math.max(from, -8), Math.min(Math.max(to, from + 2), width + 8)];
    const colour = labelColour(span.label);
    context.globalAlpha = opacity;
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(left + 0.5, y, Math.max(right - left - 1, 1.5), height, Math.min(4, (right - left) / 2));
    context.fill();
    if (labelHatched(span.label)) hatch(context, left + 0.5, y, right - left - 1, height, "rgb(255 255 255 / 0.45)");
    context.globalAlpha = 1;
    if (opacity < 0.6) return;
    context.fillStyle = inkOn(blend(colour, this.colours.sunken, opacity));
    this.drawName(context, span, Math.max(left, 0), Math.min(right, width), y + height / 2, height);
  }

  // A line across the row with a diamond in its middle.
  drawMark(context, width, event, height) {
    const x = this.x(event.start, width);
    if (x < -8 || x > width + 8) return;
    context.fillStyle = labelColour(event.label);
    context.fillRect(x - 1, 1, 2, height - 2);
    context.beginPath();
    for (const [dx, dy] of [[0, -6], [5, 0], [0, 6], [-5, 0]]) context.lineTo(x + dx, height / 2 + dy);
    context.closePath();
    context.fill();
    if (labelHatched(event.label)) hatch(context, x - 5, height / 2 - 6, 10, 12, "rgb(255 255 255 / 0.45)");
  }

  drawName(context, span, left, right, middle, height) {
    const room = right - left - 12;
    if (room < 22) return;
    const thin = height < 18;
    const text = thin ? (isNumber(span.score) ? `${percent(span.score, 0)} %` : "") : this.labels[span.label];
    context.font = `${thin ? 500 : 600} ${thin ? 10 : 11.5}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    let shown = text;
    while (shown.length > 4 && context.measureText(shown).width > room) shown = `${shown.slice(0, -2).trimEnd()}…`;
    if (context.measureText(shown).width <= room) context.fillText(shown, left + 6, middle + 0.5);
  }

  drawAxis(context, width, height) {
    const long = this.end - this.start;
    const step = TICKS.find((tick) => (tick / long) * width >= 64) ?? TICKS[TICKS.length - 1];
    const minutes = this.clock.duration > 120;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let k = Math.ceil(this.start / step - 1e-9); k * step <= this.end + 1e-9; k++) {
      const at = this.x(k * step, width);
      const text = minutes ? clockText(k * step, step < 1 ? 1 : 0) : `${Number((k * step).toFixed(1))} s`;
      const wide = context.measureText(text).width;
      context.fillStyle = this.colours.line;
      context.fillRect(Math.min(at, width - 1), height - 6, 1, 6);
      context.fillStyle = this.colours.muted;
      context.fillText(text, clamp(at - wide / 2, 0, width - wide), height / 2 - 2);
    }
  }

  retheme() {
    this.colours = theme();
    this.paint();
  }

  paint() {
    for (const row of this.rows) row.paint();
  }

  // ---- the view on time --------------------------------------------------------------------------------------

  setView(start, end) {
    const { duration } = this.clock;
    const long = clamp(end - start, Math.min(1, duration), duration);
    this.start = clamp(start, 0, duration - long);
    this.end = this.start + long;
    this.refresh();
  }

  zoom(factor, around = this.clock.time) {
    this.setView(around - (around - this.start) * factor, around + (this.end - around) * factor);
  }

  refresh() {
    const whole = this.end - this.start >= this.clock.duration - 1e-6;
    this.zoomOut.disabled = this.fit.disabled = whole;
    this.retheme();
    this.movePlayhead();
  }

  movePlayhead() {
    const { time, duration } = this.clock;
    const long = this.end - this.start;
    if (time < this.start - 1e-6 || time > this.end + 1e-6) {
      this.setView(time - long * 0.1, time + long * 0.9);
      return;
    }
    this.tracks.style.setProperty("--at", clamp((time - this.start) / long, 0, 1));
    this.tracks.setAttribute("aria-valuenow", time.toFixed(2));
    if (!duration) return;
    if (!this.clock.playing) this.tracks.setAttribute("aria-valuetext", `${time.toFixed(2)} seconds of ${duration.toFixed(2)}`);
  }

  timeAt(event) {
    const box = this.rows[0].canvas.getBoundingClientRect();
    return clamp(this.start + ((event.clientX - box.left) / box.width) * (this.end - this.start), this.start, this.end);
  }

  describe(event, row) {
    if (event.buttons) return hideTip();
    const time = this.timeAt(event);
    const spans = row.describe(time, event.offsetY);
    const lines = spans.slice(0, 5).map((span) => (span instanceof Node ? span : this.spanLine(span)));
    showTip(event, ...lines, el("div", { class: "when" }, `at ${clockText(time)}`));
  }

  spanLine(span) {
    const score = isNumber(span.score) ? ` · score ${span.score.toFixed(2)}` : "";
    const person = isNumber(span.person) ? ` · person ${span.person}` : "";
    const until = span.end === null ? "" : ` – ${clockText(span.end)}`;
    const times = `${clockText(span.start)}${until}${score}${person}`;
    return el("div", {}, swatch(span.label), el("b", {}, this.labels[span.label]), ` ${times}`);
  }

  listen() {
    let dragging = false;
    let resume = false;
    this.tracks.addEventListener("pointerdown", (event) => {
      if (event.target.tagName !== "CANVAS" || event.button) return;
      [dragging, resume] = [true, this.clock.playing];
      this.clock.pause();
      this.tracks.setPointerCapture(event.pointerId);
      this.clock.seek(this.timeAt(event));
    });
    this.tracks.addEventListener("pointermove", (event) => {
      if (dragging) this.clock.seek(this.timeAt(event));
    });
    const stop = () => {
      if (dragging && resume) this.clock.play();
      dragging = false;
    };
    for (const name of ["pointerup", "pointercancel"]) this.tracks.addEventListener(name, stop);
    const onWheel = (event) => {
      const long = this.end - this.start;
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(clamp(event.deltaY, -120, 120) * 0.003), this.timeAt(event));
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && !this.fit.disabled) {
        const shift = (event.deltaX / this.tracks.clientWidth) * long;
        this.setView(this.start + shift, this.end + shift);
      } else return;
      event.preventDefault();
    };
    this.tracks.addEventListener("wheel", onWheel, { passive: false });
    this.clock.addEventListener("time", () => this.movePlayhead());
    this.clock.addEventListener("state", () => this.movePlayhead());
  }
}
