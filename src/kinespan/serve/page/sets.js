// Annotation sets and recordings that are not those shown: what they hold, and changes of them.

import { getJson, postJson } from "./api.js";

const EPSILON = 1e-6; // seconds

// The items of a recording in a set, with labels as indices of the set that is shown (-1: it has no such label).
export async function itemsOf(store, set, id) {
  const { items } = await getJson(`annotations/${id}`, { set });
  return items.map((item) => ({ ...item, name: item.label, label: store.labels.index(item.label) }));
}

// One change of any recording in the set that is shown, as Store.edit takes it. Returns the numbers of the added items,
// null where it was refused, which was told.
export function editRecording(store, id, change) {
  if (store.recording?.id === id) return store.edit(change);
  return store.attempt(async () => {
    const body = { about: change.about, add: (change.add ?? []).map((item) => store.plain(item)) };
    return (await postJson(`annotations/${id}/edit`, body, { set: store.set })).numbers;
  });
}

// Takes back the author's last change of any recording in the set that is shown; returns whether that was asked for, and
// what was refused was told.
export async function undoIn(store, id) {
  if (store.recording?.id !== id) return store.attempt(() => postJson(`annotations/${id}/undo`, {}, { set: store.set }));
  await store.undo();
  return true;
}

// Makes sure that the set that is shown has labels; returns false where one could not be made, which was told.
export async function addMissingLabels(store, names, isEvent = () => false) {
  for (const name of new Set(names)) {
    if (store.labels.index(name) < 0) await store.changeLabels({ do: "add", name, event: isEvent(name) });
    if (store.labels.index(name) < 0) return false;
  }
  return true;
}

// What makes the items of one set in a time those of another: { delete, change, add } for Store.edit.
//
// difference: { start, end, person, label }; label is null where labels exclude each other, else the one that it is
// about. Its bounds are those of frames; bounds of items within a frame (seconds) of them are meant. Items that reach
// beyond the time are cut there, and what then touches an item of the same label becomes one with it.
export function takeOver(own, others, { start, end, person, label }, frame) {
  const isMeant = (item) => item.end !== null && (label === null || item.label === label) &&
    (person === null || item.person === null || item.person === person);
  const [before, after] = [own.filter(isMeant), others.filter(isMeant)];
  const bounds = [...before, ...after].flatMap((item) => [item.start, item.end]);
  const from = nearest(bounds, start, frame);
  const to = nearest(bounds, end, frame);
  const touched = before.filter((item) => item.start <= to + EPSILON && item.end >= from - EPSILON);
  const pieces = [];
  const put = (item, first, last, source) => {
    const piece = { start: first, end: last, label: item.label, person: item.person, sources: source ? [source] : [] };
    if (last - first > EPSILON) pieces.push(piece);
  };
  for (const item of touched) {
    put(item, item.start, Math.min(item.end, from), item);
    put(item, Math.max(item.start, to), item.end, item);
  }
  for (const item of after) put(item, Math.max(item.start, from), Math.min(item.end, to), null);
  return changeOf(touched, joined(pieces));
}

function nearest(bounds, time, reach) {
  const close = bounds.filter((bound) => Math.abs(bound - time) <= reach + EPSILON);
  return close.reduce((best, bound) => (Math.abs(bound - time) < Math.abs(best - time) ? bound : best), close[0] ?? time);
}

// Pieces that touch, of one label and person and at least one of them new, as one.
function joined(pieces) {
  const whole = [];
  for (const piece of [...pieces].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const isNew = !piece.sources.length;
    const last = whole.find((other) => other.label === piece.label && other.person === piece.person &&
      Math.abs(other.end - piece.start) <= EPSILON && (isNew || other.isNew));
    if (!last) whole.push({ ...piece, isNew });
    else Object.assign(last, { end: piece.end, sources: [...last.sources, ...piece.sources], isNew: true });
  }
  return whole;
}

// The items that were touched, as what is left of them: the first piece of an item is the item, changed.
function changeOf(touched, pieces) {
  const used = new Set();
  const [change, add] = [[], []];
  for (const { start, end, label, person, sources } of pieces) {
    const item = sources.find((source) => !used.has(source));
    const to = { start, end, label, person };
    if (!item) add.push(to);
    else {
      used.add(item);
      if (item.start !== start || item.end !== end) change.push({ from: item, to });
    }
  }
  return { delete: touched.filter((item) => !used.has(item)), change, add };
}
