// Rows of a timeline: spans, events, and lanes of scored candidates. Items come as { start, end, label, score, person },
// sorted by start; label is an index, and end is null for an event.

import { blend, inkOn, stripes } from "./colours.js";
import { clockText, el, isNumber, percent } from "./dom.js";

const EVENT_REACH = 0.2; // seconds around an event in which the caption names it
const MARK_REACH = 6; // pixels around a mark in which it can be pointed at

const TALLEST = 240; // pixels of a row with many lanes
const MOST_LANES = 60; // what overlaps even more is drawn over the last
const HAIR = 3; // pixels; what is thinner is drawn as a plain line

export const eventsAt = (events, time, reach = EVENT_REACH) => events.filter((event) => Math.abs(event.start - time) <= reach);
export const spansAt = (spans, time) => spans.filter((span) => span.start <= time && time < span.end);

// Items of a row put into as few lanes as possible so that none overlap: [{ item, lane }] and the number of lanes.
export function packLanes(items) {
  const ends = [];
  const placed = items.map((item) => {
    let lane = ends.findIndex((end) => end <= item.start + 1e-9);
    if (lane < 0) lane = ends.length;
    ends[lane] = item.end;
    return { item, lane };
  });
  return { placed, lanes: Math.max(1, ends.length) };
}

// The index of the first of items, sorted by start, that starts at or after a time.
export function firstFrom(items, time) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].start < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Calls draw(span) for the spans of a lane (sorted, none overlap) that are in view, but for those that would only be
// drawn over a pixel that has one already.
export function eachInView(lane, width, timeline, draw) {
  let drawnTo = -Infinity;
  for (let i = Math.max(0, firstFrom(lane, timeline.start) - 1); i < lane.length; i++) {
    const span = lane[i];
    if (span.start > timeline.end) return;
    const to = timeline.x(span.end, width);
    if (to <= drawnTo + 0.5) continue;
    draw(span);
    drawnTo = Math.max(to, timeline.x(span.start, width) + 2);
  }
}

// A line of the tooltip that says what an item is.
export function itemLine(labels, item) {
  const score = isNumber(item.score) ? ` · score ${item.score.toFixed(2)}` : "";
  const person = isNumber(item.person) ? ` · person ${item.person}` : "";
  const until = item.end === null ? "" : ` – ${clockText(item.end)}`;
  return el("div", {}, labels.swatch(item.label), el("b", {}, labels.name(item.label)),
    ` ${clockText(item.start)}${until}${score}${person}`);
}

export function spanRow(name, spans, labels, { height = 26, covered = null } = {}) {
  const { placed, lanes: needed } = packLanes(spans);
  const lanes = Math.min(needed, MOST_LANES);
  const tall = lanes > 1 ? Math.max(4, Math.min(20, Math.floor(TALLEST / lanes))) : height;
  const byLane = Array.from({ length: lanes }, () => []);
  for (const { item, lane } of placed) byLane[Math.min(lane, lanes - 1)].push(item);
  return {
    name,
    height: lanes * tall,
    draw(context, width, _, timeline) {
      drawPaper(context, width, lanes * tall, timeline, covered);
      byLane.forEach((items, lane) => eachInView(items, width, timeline, (item) =>
        drawSpan(context, width, item, labels, timeline, lane * tall + 1, tall - 2)));
    },
    describe(time, y) {
      const lane = Math.floor(y / tall);
      const pointed = spansAt(byLane[lanes === 1 ? 0 : lane] ?? [], time);
      return pointed.map((item) => itemLine(labels, item));
    },
  };
}

// Each event is a mark; a row of true events over one of predicted ones shows how far they are apart.
export function eventRow(name, events, labels, { covered = null } = {}) {
  return {
    name,
    height: 22,
    draw(context, width, height, timeline) {
      drawPaper(context, width, height, timeline, covered);
      for (const event of eventsInView(events, width, timeline)) drawMark(context, width, event, labels, timeline, height);
    },
    describe(time, _, timeline) {
      const near = eventsAt(events, time, MARK_REACH * timeline.secondsPerPixel);
      return near.sort((a, b) => Math.abs(a.start - time) - Math.abs(b.start - time)).map((event) => itemLine(labels, event));
    },
  };
}

// Events, sorted by time, in view; of those on one pixel the first.
export function eventsInView(events, width, timeline) {
  const reach = 8 * timeline.secondsPerPixel;
  const inView = events.slice(firstFrom(events, timeline.start - reach), firstFrom(events, timeline.end + reach));
  if (inView.length <= width) return inView;
  const pixels = new Set();
  return inView.filter(({ start }) => {
    const pixel = Math.floor(timeline.x(start, width));
    return !pixels.has(pixel) && pixels.add(pixel);
  });
}

// The candidates of one label; one is the more solid the higher its score. threshold() -> the score that is shown.
export function candidateRow(name, spans, labels, threshold) {
  const weakestFirst = [...spans].sort((a, b) => (a.score ?? 1) - (b.score ?? 1));
  const shown = () => weakestFirst.filter((span) => (span.score ?? 1) >= threshold());
  return {
    name,
    height: 18,
    kind: "thin",
    draw(context, width, height, timeline) {
      drawPaper(context, width, height, timeline);
      for (const span of shown()) {
        drawSpan(context, width, span, labels, timeline, 1, height - 2, 0.15 + 0.85 * (span.score ?? 1));
      }
    },
    describe: (time) => spansAt(shown(), time).reverse().map((span) => itemLine(labels, span)),
  };
}

// ---- drawing -------------------------------------------------------------------------------------------------

// The ground of a row; time that nobody looked at is striped.
export function drawPaper(context, width, height, timeline, covered = null) {
  const { sunken, ground } = timeline.colours;
  context.fillStyle = sunken;
  context.fillRect(0, 0, width, height);
  if (!covered) return;
  stripes(context, "diagonal", 0, 0, width, height, ground);
  for (const [start, end] of covered) {
    const [from, to] = [timeline.x(start, width), timeline.x(end, width)];
    if (to >= 0 && from <= width) context.fillRect(from, 0, to - from, height);
  }
}

export function drawSpan(context, width, span, labels, timeline, y, height, opacity = 1) {
  const [from, to] = [timeline.x(span.start, width), timeline.x(span.end, width)];
  if (to < 0 || from > width) return;
  const [left, right] = [Math.max(from, -8), Math.min(Math.max(to, from + 2), width + 8)];
  context.globalAlpha = opacity;
  if (right - left < HAIR) {
    context.fillStyle = labels.colour(span.label);
    context.fillRect(left, y, Math.max(right - left - 0.5, 1), height);
    context.globalAlpha = 1;
    return;
  }
  labels.fill(context, span.label, left + 0.5, y, Math.max(right - left - 1, 1.5), height, Math.min(4, (right - left) / 2));
  context.globalAlpha = 1;
  if (opacity < 0.6) return;
  context.fillStyle = inkOn(blend(labels.colour(span.label), timeline.colours.sunken, opacity));
  const text = height < 18 ? (isNumber(span.score) ? `${percent(span.score, 0)} %` : "") : labels.name(span.label);
  drawText(context, text, Math.max(left, 0), Math.min(right, width), y + height / 2, height < 18);
}

// A line across the row with a diamond in its middle.
export function drawMark(context, width, event, labels, timeline, height) {
  const x = timeline.x(event.start, width);
  if (x < -8 || x > width + 8) return;
  context.fillStyle = labels.colour(event.label);
  context.fillRect(x - 1, 1, 2, height - 2);
  context.beginPath();
  for (const [dx, dy] of [[0, -6], [5, 0], [0, 6], [-5, 0]]) context.lineTo(x + dx, height / 2 + dy);
  context.closePath();
  context.fill();
  stripes(context, labels.pattern(event.label), x - 5, height / 2 - 6, 10, 12, "rgb(255 255 255 / 0.45)");
}

// Text between two x, cut with an ellipsis; nothing where there is no room.
export function drawText(context, text, left, right, middle, small) {
  const room = right - left - 12;
  if (room < 22) return;
  context.font = `${small ? 500 : 600} ${small ? 10 : 11.5}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  let shown = text.length > 80 ? `${text.slice(0, 79)}…` : text;
  while (shown.length > 4 && context.measureText(shown).width > room) shown = `${shown.slice(0, -2).trimEnd()}…`;
  if (context.measureText(shown).width <= room) context.fillText(shown, left + 6, middle + 0.5);
}
