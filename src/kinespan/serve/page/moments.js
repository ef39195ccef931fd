// Moments of any recording: as text, played in a loop, and fitted into what a recording holds already.

import { clockText, el, isNumber } from "../../viewer/dom.js";

const SHORTEST = 0.05; // seconds that a fitted span must have

export const nameOf = (store, id) => store.recordings.find((item) => item.id === id)?.name ?? `recording ${id}`;

// "0:12.30 – 0:14.10 · person 1"; an event has no end
export function momentText({ start, end, person }, digits = 2) {
  const until = end === null || end === undefined ? "" : ` – ${clockText(end, digits)}`;
  return `${clockText(start, digits)}${until}${isNumber(person) ? ` · person ${person}` : ""}`;
}

// A name of the user's as text that keeps its own direction.
export const nameText = (name, kind = "name-text") => el("bdi", { class: kind, title: name }, name);

// Shows a recording and plays the time from start to end over and over.
export async function playMoment(store, id, start, end) {
  await store.show(id, start);
  if (store.recording?.id === id) store.clock.playLoop(start, end);
}

// Spans cut to the time that is free for them: where labels exclude each other, what is there already stays as it is, and
// of a span that it cuts in two the longer part is taken. Those without room are left out; events always fit.
export function fitted(spans, items, exclusive) {
  if (!exclusive) return spans;
  const placed = items.filter((item) => item.end !== null);
  const fitting = [];
  for (const span of spans) {
    const fit = span.end === null ? span : longestFree(span, placed.filter((item) => isOfOne(item, span)));
    if (!fit) continue;
    fitting.push(fit);
    if (fit.end !== null) placed.push(fit);
  }
  return fitting;
}

const isOfOne = (a, b) => (a.person ?? null) === null || (b.person ?? null) === null || a.person === b.person;

function longestFree(span, taken) {
  let free = [[span.start, span.end]];
  for (const { start, end } of taken) {
    free = free.flatMap(([a, b]) => (end <= a || start >= b ? [[a, b]] : [[a, start], [end, b]].filter(([c, d]) => d > c)));
  }
  const [start, end] = free.reduce((best, part) => (part[1] - part[0] > best[1] - best[0] ? part : best), [0, 0]);
  return end - start >= Math.min(SHORTEST, span.end - span.start) ? { ...span, start, end } : null;
}
