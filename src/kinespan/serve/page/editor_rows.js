// The rows of the timeline that hands work on: spans in lanes, events and point labels, drafts. They are drawn from what
// the store has now; only the number of lanes is fixed when they are made. Thousands of items are drawn without lag: only
// those in view are looked at, and of those that fall into one pixel one is drawn.

import { inkOn } from "../../viewer/colours.js";
import { clockText, isNumber, percent } from "../../viewer/dom.js";
import { drawMark, drawPaper, drawSpan, drawText, itemLine, packLanes } from "../../viewer/rows.js";

const LANE = 26; // pixels of a row of one lane
const NARROW_LANE = 20; // of each of several
const MOST_LANES = 8;
const MARK_ROW = 26;
const DRAFT_LANE = 18;
const EDGE_PIXELS = 6; // around an edge in which it is grabbed
const TOUCH_PIXELS = 14;

// Items sorted by start, of which those in a stretch of time are found without looking at all.
class Lane {
  constructor(items) {
    this.items = items;
    let latest = -Infinity;
    this.ends = items.map(({ start, end }) => (latest = Math.max(latest, end ?? start)));
  }

  within(start, end) {
    let [low, high] = [0, this.items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle] < start) low = middle + 1;
      else high = middle;
    }
    const found = [];
    for (let i = low; i < this.items.length && this.items[i].start <= end; i++) {
      const item = this.items[i];
      if ((item.end ?? item.start) >= start) found.push(item);
    }
    return found;
  }
}

// Items in lanes in which none overlap, as far as there are that many.
function lanesOf(items) {
  const { placed, lanes } = packLanes(items);
  const filled = Array.from({ length: Math.min(lanes, MOST_LANES) }, () => []);
  for (const { item, lane } of placed) filled[Math.min(lane, MOST_LANES - 1)].push(item);
  return filled.map((own) => new Lane(own));
}

// Those of items that are worth drawing: one for each pixel.
function visible(items, timeline, width, isSpecial) {
  let last = -1;
  return items.filter((item) => {
    const [from, to] = [timeline.x(item.start, width), timeline.x(item.end ?? item.start, width)];
    const isHidden = to - from < 1 && Math.floor(from) === last && !isSpecial(item);
    last = Math.floor(Math.max(from, to));
    return !isHidden;
  });
}

// What all rows share: the band of a range, in and out marks, the gesture that the editor makes of a press.
class EditorRow {
  constructor(editor, name) {
    Object.assign(this, { editor, name, kind: "edited" });
  }

  get store() {
    return this.editor.page.store;
  }

  isSelected(item) {
    const { selection } = this.store;
    return selection?.kind === "item" && selection.item.number === item.number;
  }

  grab(event, time, y, timeline) {
    return this.editor.hands.grab(this, event, time, y, timeline);
  }

  // Bands and marks over what is drawn.
  drawOver(context, width, height, timeline) {
    const { editor, store } = this;
    const { accent } = timeline.colours;
    context.fillStyle = accent;
    const range = editor.hands.range ?? (store.selection?.kind === "range" ? store.selection : null);
    if (range) band(context, timeline, width, height, range, accent);
    for (const [time, by] of [[editor.marks.start, 1], [editor.marks.end, -1]]) {
      if (time === null) continue;
      const x = timeline.x(time, width);
      context.fillRect(x - 1, 0, 2, height);
      context.fillRect(x, 0, 6 * by, 2);
      context.fillRect(x, height - 2, 6 * by, 2);
    }
    const { guide } = editor.hands;
    if (guide === null) return;
    context.setLineDash([3, 3]);
    context.strokeStyle = accent;
    line(context, timeline.x(guide, width), height);
    context.setLineDash([]);
  }
}

export class SpanRow extends EditorRow {
  // person: whose spans; null for everybody's, undefined where people are not told apart
  constructor(editor, name, person) {
    super(editor, name);
    this.person = person;
    this.lanes = lanesOf(this.items());
    this.count = this.lanes.length || 1;
    this.tall = this.count > 1 ? NARROW_LANE : LANE;
    this.height = this.count * this.tall;
  }

  items() {
    return this.store.items.filter((item) => item.end !== null && (this.person === undefined || item.person === this.person));
  }

  // The items have changed: returns whether the row keeps its height.
  update() {
    this.lanes = lanesOf(this.items());
    return (this.lanes.length || 1) === this.count;
  }

  draw(context, width, height, timeline) {
    const { covered, labels } = this.store;
    drawPaper(context, width, height, timeline, covered);
    const { preview } = this.editor.hands;
    const isMoved = (item) => preview?.item && preview.item.number === item.number;
    this.lanes.forEach((lane, i) => {
      const shown = visible(lane.within(timeline.start, timeline.end), timeline, width, (item) => this.isSelected(item));
      for (const item of shown) {
        drawSpan(context, width, item, labels, timeline, i * this.tall + 1, this.tall - 2, isMoved(item) ? 0.25 : 1);
        if (this.isSelected(item) && !isMoved(item)) outline(context, timeline, width, item, i * this.tall, this.tall);
      }
    });
    if (preview?.row === this) {
      const lane = preview.item ? Math.max(0, this.laneOf(preview.item)) : 0;
      drawSpan(context, width, preview, labels, timeline, lane * this.tall + 1, this.tall - 2, 0.9);
      outline(context, timeline, width, preview, lane * this.tall, this.tall);
    }
    this.drawOver(context, width, height, timeline);
  }

  laneOf(item) {
    return this.lanes.findIndex((lane) => lane.items.includes(item));
  }

  // The item at a point and which of its parts: "start", "end" or "middle"; null on empty paper.
  hit(time, y, timeline, isTouch = false) {
    const lane = this.lanes[Math.min(this.count - 1, Math.floor(y / this.tall))];
    if (!lane) return null;
    const perPixel = timeline.secondsPerPixel;
    const reach = (isTouch ? TOUCH_PIXELS : EDGE_PIXELS) * perPixel;
    const candidates = lane.within(time - reach, time + reach).flatMap((item) => {
      const inner = Math.min(reach, (item.end - item.start) / 3);
      const isInside = item.start <= time && time < item.end;
      const edges = [["start", time - item.start], ["end", item.end - time]]
        .filter(([, into]) => (into >= 0 ? into <= inner : -into <= reach));
      const hits = edges.map(([part, into]) => ({ item, part, distance: Math.abs(into) + (isInside ? 0 : reach) }));
      return isInside ? [...hits, { item, part: "middle", distance: reach * 3 }] : hits;
    });
    const rank = ({ item, distance }) => distance - (this.isSelected(item) ? reach : 0);
    return candidates.sort((a, b) => rank(a) - rank(b))[0] ?? null;
  }

  cursor(time, y, timeline) {
    const { part } = this.hit(time, y, timeline) ?? {};
    if (!this.store.isEditable) return part ? "pointer" : "";
    return part === "middle" ? "grab" : part ? "ew-resize" : "crosshair";
  }

  describe(time, y, timeline) {
    const hit = this.hit(time, y, timeline);
    if (hit) return [itemLine(this.store.labels, hit.item)];
    return [coveredText(this.store.covered, time)];
  }
}

export class MarkRow extends EditorRow {
  constructor(editor) {
    super(editor, "Events and points");
    this.height = MARK_ROW;
    this.update();
  }

  update() {
    this.lane = new Lane(this.store.items.filter(({ end }) => end === null));
    return true;
  }

  draw(context, width, height, timeline) {
    const { covered, labels } = this.store;
    drawPaper(context, width, height, timeline, covered);
    const { preview } = this.editor.hands;
    const margin = 8 * timeline.secondsPerPixel;
    const near = this.lane.within(timeline.start - margin, timeline.end + margin);
    const shown = visible(near, timeline, width, (each) => this.isSelected(each));
    shown.forEach((item, i) => {
      const moved = preview?.item?.number === item.number ? { ...item, start: preview.start } : item;
      const x = timeline.x(moved.start, width);
      if (this.isSelected(item)) ring(context, x, height, timeline.colours.accent);
      this.drawItem(context, width, moved, labels, timeline, height);
      const next = shown[i + 1];
      this.drawName(context, x, (next ? timeline.x(next.start, width) : width) - x, labels.name(item.label), timeline, height);
    });
    this.drawOver(context, width, height, timeline);
  }

  // A point label is a dot, an event a mark across the row.
  drawItem(context, width, item, labels, timeline, height) {
    if (this.store.isEvent(item.label)) return drawMark(context, width, item, labels, timeline, height);
    const x = timeline.x(item.start, width);
    context.beginPath();
    context.arc(x, height / 2, 6, 0, 2 * Math.PI);
    context.fillStyle = labels.colour(item.label);
    context.fill();
    context.strokeStyle = timeline.colours.surface;
    context.lineWidth = 1.5;
    context.stroke();
  }

  // The name of an item in the pixels until the next one.
  drawName(context, x, room, name, timeline, height) {
    if (room < 40) return;
    context.font = "500 11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.fillStyle = timeline.colours.ink;
    let shown = name.slice(0, 40);
    while (shown.length > 2 && context.measureText(shown).width > room - 20) shown = `${shown.slice(0, -2).trimEnd()}…`;
    context.fillText(shown, x + 10, height / 2 + 0.5);
  }

  hit(time, y, timeline, isTouch = false) {
    const reach = (isTouch ? TOUCH_PIXELS : EDGE_PIXELS + 2) * timeline.secondsPerPixel;
    const near = this.lane.within(time - reach, time + reach);
    const item = near.sort((a, b) => Math.abs(a.start - time) - Math.abs(b.start - time))[0];
    return item ? { item, part: "middle" } : null;
  }

  cursor(time, y, timeline) {
    return this.hit(time, y, timeline) ? (this.store.isEditable ? "grab" : "pointer") : "";
  }

  describe(time, y, timeline) {
    const hit = this.hit(time, y, timeline);
    return hit ? [itemLine(this.store.labels, hit.item)] : [coveredText(this.store.covered, time)];
  }
}

// Proposals of the loaded model, which nobody accepted yet.
export class DraftRow extends EditorRow {
  constructor(editor) {
    super(editor, "Drafts");
    this.kind = "edited thin";
    this.lanes = lanesOf(this.sorted());
    this.count = this.lanes.length || 1;
    this.height = this.count * DRAFT_LANE;
  }

  sorted() {
    return [...this.store.drafts].sort((a, b) => a.start - b.start)
      .map((draft) => ({ ...draft, end: draft.end ?? draft.start, draft }));
  }

  update() {
    this.lanes = lanesOf(this.sorted());
    return (this.lanes.length || 1) === this.count;
  }

  isSelected({ draft }) {
    const { selection } = this.store;
    return selection?.kind === "draft" && selection.draft.start === draft.start && selection.draft.end === draft.end
      && selection.draft.name === draft.name && selection.draft.person === draft.person;
  }

  draw(context, width, height, timeline) {
    drawPaper(context, width, height, timeline);
    this.lanes.forEach((lane, i) => {
      const shown = visible(lane.within(timeline.start, timeline.end), timeline, width, (item) => this.isSelected(item));
      for (const item of shown) {
        drawDraft(context, width, item.draft, this.store.labels, timeline, i * DRAFT_LANE + 1, DRAFT_LANE - 2);
        if (this.isSelected(item)) outline(context, timeline, width, item, i * DRAFT_LANE, DRAFT_LANE);
      }
    });
    this.drawOver(context, width, height, timeline);
  }

  hit(time, y, timeline) {
    const reach = EDGE_PIXELS * timeline.secondsPerPixel;
    const lane = this.lanes[Math.min(this.count - 1, Math.floor(y / DRAFT_LANE))];
    const item = lane?.within(time - reach, time + reach)[0];
    return item ? { item, draft: item.draft, part: "middle" } : null;
  }

  cursor(time, y, timeline) {
    return this.hit(time, y, timeline) ? "pointer" : "";
  }

  describe(time, y, timeline) {
    const hit = this.hit(time, y, timeline);
    return hit ? [draftLine(this.store.labels, hit.draft), "Draft: a accepts, x rejects"] : [];
  }
}

// ---- drawing -------------------------------------------------------------------------------------------------

// A draft: outlined and dashed, with its label and score.
export function drawDraft(context, width, draft, labels, timeline, y, height) {
  const [from, to] = [timeline.x(draft.start, width), timeline.x(draft.end ?? draft.start, width)];
  const [left, right] = [Math.max(from, -8), Math.min(Math.max(to, from + 3), width + 8)];
  const colour = labels.colour(draft.label);
  context.save();
  context.beginPath();
  context.roundRect(left + 1, y + 0.5, Math.max(right - left - 2, 2), height - 1, 4);
  context.globalAlpha = 0.22;
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 1;
  context.setLineDash([4, 3]);
  context.lineWidth = 1.5;
  context.strokeStyle = labels.lineColour(draft.label, timeline.colours.dark);
  context.stroke();
  context.clip();
  if (right - left > 34) {
    const name = draft.label >= 0 ? labels.name(draft.label) : draft.name;
    context.fillStyle = timeline.colours.ink;
    const score = isNumber(draft.score) && right - left > 80 ? ` ${percent(draft.score, 0)} %` : "";
    drawText(context, `${name}${score}`, Math.max(left, 0), Math.min(right, width), y + height / 2, true);
  }
  context.restore();
}

function draftLine(labels, draft) {
  const line = itemLine(labels, draft);
  if (draft.label < 0) line.querySelector("b").textContent = draft.name;
  return line;
}

function outline(context, timeline, width, { start, end }, y, height) {
  const [from, to] = [timeline.x(start, width), Math.max(timeline.x(end, width), timeline.x(start, width) + 4)];
  context.lineWidth = 2;
  context.strokeStyle = timeline.colours.ink;
  context.beginPath();
  context.roundRect(from + 0.5, y + 1, to - from - 1, height - 2, 5);
  context.stroke();
  if (to - from < 24) return;
  context.fillStyle = inkOn(timeline.colours.ink.length === 7 ? timeline.colours.ink : "#000000");
  context.globalAlpha = 0.75;
  for (const x of [from + 4, to - 6]) context.fillRect(x, y + height * 0.3, 2, height * 0.4);
  context.globalAlpha = 1;
}

function ring(context, x, height, colour) {
  context.beginPath();
  context.arc(x, height / 2, 10, 0, 2 * Math.PI);
  context.lineWidth = 2;
  context.strokeStyle = colour;
  context.stroke();
}

function band(context, timeline, width, height, { start, end }, colour) {
  const [from, to] = [timeline.x(start, width), timeline.x(end, width)];
  context.globalAlpha = 0.18;
  context.fillRect(from, 0, to - from, height);
  context.globalAlpha = 1;
  context.strokeStyle = colour;
  context.lineWidth = 1;
  line(context, from, height);
  line(context, to, height);
}

function line(context, x, height) {
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x, height);
  context.stroke();
}

function coveredText(covered, time) {
  const range = covered.find(([start, end]) => start <= time && time < end);
  return range ? `Looked at, ${clockText(range[0])} – ${clockText(range[1])}: background where no label is`
    : "Nobody looked here yet: ignored in training";
}
