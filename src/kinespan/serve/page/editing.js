// What a hand does to the items of a recording, as one edit each for `store.edit`. Functions of items alone: nothing here
// draws, asks or sends. In a set whose labels exclude each other a span takes its time from its neighbours, in the same edit.

const SHORTEST_FRAMES = 1;

// A time at the nearest boundary of frames.
export const toBoundary = (time, fps) => Math.round(time * fps) / fps;

// The time at which a frame has its label: its centre.
export const frameCentre = (frame, fps) => (frame + 0.5) / fps;
export const frameAt = (time, fps) => Math.floor(time * fps + 1e-6);

export const isSpan = (item) => item.end !== null;
const isSamePerson = (a, b) => (a ?? null) === null || (b ?? null) === null || a === b;

// Spans that take no time from each other: of one set { items, exclusive, fps, duration }.
export class Editing {
  constructor({ items, exclusive, fps, duration }) {
    Object.assign(this, { items, exclusive, fps, duration });
  }

  // A span within the recording, of a frame at least, on boundaries of frames.
  fit({ start, end }) {
    const shortest = SHORTEST_FRAMES / this.fps;
    const first = Math.min(Math.max(0, toBoundary(start, this.fps)), Math.max(0, this.duration - shortest));
    return { start: first, end: Math.min(this.duration, Math.max(toBoundary(end, this.fps), first + shortest)) };
  }

  // What the neighbours of spans become so that nobody does two things at once. changed: the items that the spans replace.
  carve(spans, changed = []) {
    const edit = { delete: [], change: [], add: [] };
    if (!this.exclusive) return edit;
    for (const item of this.items) {
      if (!isSpan(item) || changed.some(({ number }) => number === item.number)) continue;
      const rest = spans.reduce((pieces, span) => cut(pieces, span, item, 0.5 / this.fps), [[item.start, item.end]]);
      const isWhole = rest.length === 1 && rest[0][0] === item.start && rest[0][1] === item.end;
      if (isWhole) continue;
      const [first, ...others] = rest.map(([start, end]) => ({ ...item, start, end }));
      if (!first) edit.delete.push(item);
      else edit.change.push({ from: item, to: first });
      edit.add.push(...others);
    }
    return edit;
  }

  // A new span { start, end, label, person }.
  add(span, about) {
    const item = { ...span, ...this.fit(span) };
    const edit = this.carve([item]);
    return { about, ...edit, add: [item, ...edit.add], selected: 0 };
  }

  // An event or a point label.
  mark(time, label, person, about) {
    return { about, add: [{ start: this.clampTime(time), end: null, label, person }], selected: 0 };
  }

  clampTime(time) {
    return Math.min(Math.max(0, time), this.duration);
  }

  // An item with other values; null where nothing changes.
  change(item, values, about) {
    const to = { ...item, ...values };
    Object.assign(to, isSpan(to) ? this.fit(to) : { start: this.clampTime(to.start) });
    if (["start", "end", "label", "person"].every((field) => to[field] === item[field])) return null;
    const edit = isSpan(to) ? this.carve([to], [item]) : { delete: [], change: [], add: [] };
    return { about, ...edit, change: [{ from: item, to }, ...edit.change] };
  }

  // Two spans of one; null where the time is at its edge or outside.
  split(item, time, about) {
    const at = toBoundary(time, this.fps);
    if (!isSpan(item) || at <= item.start + 1e-6 || at >= item.end - 1e-6) return null;
    return { about, change: [{ from: item, to: { ...item, end: at } }], add: [{ ...item, start: at }], selected: 0 };
  }

  // One span of an item and the next of its label, or the one before where there is none after; null where there is
  // neither, or where in an exclusive set something else lies between.
  merge(item, about) {
    const alike = this.items.filter((each) => isSpan(each) && each.label === item.label && each.person === item.person)
      .sort((a, b) => a.start - b.start);
    const at = alike.findIndex(({ number }) => number === item.number);
    for (const other of at < 0 ? [] : [alike[at + 1], alike[at - 1]]) {
      if (!other) continue;
      const to = { ...item, start: Math.min(item.start, other.start), end: Math.max(item.end, other.end) };
      const taken = this.carve([to], [item, other]);
      if (!taken.delete.length && !taken.change.length) return { about, delete: [other], change: [{ from: item, to }] };
    }
    return null;
  }
}

// What is left of the pieces of an item where a span takes its time; pieces under `shortest` seconds go.
function cut(pieces, span, item, shortest) {
  if (!isSamePerson(span.person, item.person)) return pieces;
  return pieces.flatMap(([start, end]) => {
    if (span.end <= start + 1e-6 || span.start >= end - 1e-6) return [[start, end]];
    return [[start, span.start], [span.end, end]].filter(([from, to]) => to - from > shortest);
  });
}

// The boundaries of items in order, each once.
export function boundaries(items) {
  const times = new Set(items.flatMap(({ start, end }) => (end === null ? [start] : [start, end])));
  return [...times].sort((a, b) => a - b);
}
