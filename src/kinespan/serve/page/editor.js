// Hands on the timeline: makes, moves, splits and deletes spans, events and point labels. The mouse (hands.js), the keys
// (keys.js) and the panel of labels call the same methods. "change" is sent when the current label, a mark or a mode is
// another.

import { clockText } from "../../viewer/dom.js";
import { showNote } from "./dialog.js";
import { Editing, boundaries, frameAt, frameCentre, isSpan } from "./editing.js";
import { DraftRow, MarkRow, SpanRow } from "./editor_rows.js";
import { Hands } from "./hands.js";
import { chooseLabel } from "./label_chooser.js";
import { LabelKeys } from "./label_keys.js";
import { Unsaved } from "./unsaved.js";
import { Watching } from "./watching.js";

const REACTION_KEY = "kinespan-reaction";
const EDGES = [null, "start", "end", "both"];

export class Editor extends EventTarget {
  constructor(page) {
    super();
    Object.assign(this, {
      page, shown: [], currentName: null, marks: { start: null, end: null }, isPointing: false, edge: null,
      reaction: Number(localStorage.getItem(REACTION_KEY) ?? 0), hands: new Hands(this), labelKeys: new LabelKeys(page.store),
      watching: new Watching(page), unsaved: new Unsaved(page),
    });
    const { store } = page;
    store.on("recording", () => this.reset());
    store.on("items drafts labels session", () => this.update());
    store.on("selection person", () => this.changed());
  }

  changed() {
    this.dispatchEvent(new Event("change"));
    this.page.timeline.paint();
  }

  reset() {
    Object.assign(this, { marks: { start: null, end: null }, edge: null });
    this.hands.cancel?.();
    this.makeRows();
  }

  // ---- rows --------------------------------------------------------------------------------------------------

  // The rows of the timeline that can be edited.
  rows() {
    return this.shown;
  }

  get people() {
    const { recording, items } = this.page.store;
    const told = new Set([...(recording?.motion?.slots ?? []), ...items.map(({ person }) => person)]
      .filter((person) => person !== null && person !== undefined));
    return told.size > 1 ? [...told].sort((a, b) => a - b) : [];
  }

  makeRows() {
    const { store } = this.page;
    const isLabelled = store.set !== null && store.recording?.kind === "corpus";
    const people = isLabelled ? this.people : [];
    const spans = people.length
      ? [new SpanRow(this, "Everybody", null), ...people.map((person) => new SpanRow(this, `Person ${person}`, person))]
      : [new SpanRow(this, "Labels", undefined)];
    const drafts = store.isEditable && store.drafts.length ? [new DraftRow(this)] : [];
    this.shown = isLabelled ? [...spans, new MarkRow(this), ...drafts] : [];
    this.form = this.formOf(people);
  }

  formOf(people) {
    const { store } = this.page;
    const hasDrafts = store.isEditable && store.drafts.length > 0;
    return JSON.stringify([store.set, store.recording?.id, store.recording?.kind, people, hasDrafts]);
  }

  // Takes up what the store has now: rows stay where they keep their height.
  update() {
    if (!this.page.store.recording) return;
    const isSame = this.shown.map((row) => row.update()).every(Boolean) && this.form === this.formOf(this.people);
    if (!isSame) this.makeRows();
    this.dispatchEvent(new Event("change")); // the timelines paint what is new
  }

  // ---- what is current -----------------------------------------------------------------------------------------

  // The index of the label that a drag on empty paper makes; -1 where none was chosen.
  get current() {
    return this.currentName === null ? -1 : this.page.store.labels.index(this.currentName);
  }

  setCurrent(label) {
    this.currentName = label < 0 ? null : this.page.store.labels.name(label);
    this.changed();
  }

  personOf(row) {
    return row.person === undefined ? null : row.person;
  }

  // Whose the next label is: the chosen person's, null for everybody.
  get person() {
    return this.people.length ? this.page.store.person : null;
  }

  // Everybody, then one after the other, where people are told apart.
  nextPerson() {
    const people = [null, ...this.people];
    this.page.store.choosePerson(people[(people.indexOf(this.person) + 1) % people.length]);
    if (people.length > 1) showNote(`The next label is for ${this.person === null ? "everybody" : `person ${this.person}`}`);
  }

  get item() {
    const { selection } = this.page.store;
    return selection?.kind === "item" ? selection.item : null;
  }

  get draft() {
    const { selection } = this.page.store;
    return selection?.kind === "draft" ? selection.draft : null;
  }

  get fps() {
    return this.page.store.recording.fps;
  }

  get editing() {
    const { items, exclusive, recording } = this.page.store;
    return new Editing({ items, exclusive, fps: recording.fps, duration: recording.duration });
  }

  // Whether labels can be changed here; says so where they cannot.
  canEdit() {
    const { isEditable } = this.page.store;
    const why = this.page.store.session?.editable ? "This recording has no labels to change."
      : "Labels are only shown here: kinespan label changes them.";
    if (!isEditable) showNote(why);
    return isEditable;
  }

  send(edit) {
    return edit ? this.page.store.edit(edit) : Promise.resolve(null);
  }

  // ---- making ------------------------------------------------------------------------------------------------

  // A span { start, end, label, person }; asks for the label where none is current or the current one names an event.
  async makeSpan({ start, end, label = this.current, person = this.person }) {
    if (!this.canEdit()) return;
    const { store } = this.page;
    const isSuited = label >= 0 && !store.isEvent(label);
    const chosen = isSuited ? label : await chooseLabel(store, { title: "Label of the new span", kind: "span" });
    if (chosen === null) return;
    this.currentName = store.labels.name(chosen);
    this.clearMarks();
    this.send(this.editing.add({ start, end, label: chosen, person }, `added ${store.labels.name(chosen)}`));
  }

  // An event, or a point label, at the playhead.
  makeMark(label) {
    if (!this.canEdit()) return;
    const { store, clock } = this.page;
    const delay = clock.playing ? this.reaction * clock.speed : 0;
    const frame = frameAt(Math.max(0, clock.time - delay), this.fps);
    const name = store.labels.name(label);
    const about = store.isEvent(label) ? `added ${name}` : `point label ${name}`;
    const edit = this.editing.mark(frameCentre(frame, this.fps), label, this.person, about);
    this.send({ ...edit, selected: clock.playing ? null : 0 });
  }

  // Asks which event is at the playhead; a span's label makes a point label.
  async markByName() {
    if (!this.canEdit()) return;
    const { store } = this.page;
    const kind = store.labelFacts.some(({ event }) => event) ? null : "event";
    const label = await chooseLabel(store, { title: `Event at ${clockText(this.page.clock.time)}`, kind });
    if (label !== null) this.makeMark(label);
  }

  // The event key: the current label where it names events, the only one, or one that is asked for.
  markEvent() {
    const { labelFacts } = this.page.store;
    const events = labelFacts.map((_, i) => i).filter((i) => labelFacts[i].event);
    if (events.includes(this.current)) this.makeMark(this.current);
    else if (events.length === 1) this.makeMark(events[0]);
    else this.markByName();
  }

  // A label's key, or a click on it: a point label or an event at the playhead, else a span of the marks or the range, else
  // the selected item's or draft's label, else the current label from now on.
  useLabel(label) {
    const { store } = this.page;
    const { selection } = store;
    const stretch = this.markedStretch();
    if (!store.isEditable) this.setCurrent(label);
    else if (this.isPointing || store.isEvent(label)) this.makeMark(label);
    else if (stretch) this.makeSpan({ ...stretch, label });
    else if (selection?.kind === "item") this.setLabel(selection.item, label);
    else if (selection?.kind === "draft") this.acceptAs(selection.draft, label);
    else this.setCurrent(label);
    this.currentName = store.labels.name(label);
    this.changed();
  }

  // The stretch between the marks (to the playhead's frame where one is missing), or the selected range; else null.
  markedStretch() {
    const { selection } = this.page.store;
    const { start, end } = this.marks;
    const range = selection?.kind === "range" ? { start: selection.start, end: selection.end } : null;
    if (start === null && end === null) return range;
    const frame = frameAt(this.page.clock.time, this.fps);
    const times = [start ?? frame / this.fps, end ?? (frame + 1) / this.fps];
    return { start: Math.min(...times), end: Math.max(...times) };
  }

  // ---- changing ------------------------------------------------------------------------------------------------

  change(item, values, about = null) {
    if (!this.canEdit()) return null;
    const what = "label" in values ? "relabelled" : "person" in values ? "given to another person" : "moved";
    const { labels, outbox } = this.page.store;
    const numbered = { ...item, number: outbox.numberOf(item.number) }; // it may have come while a dialog or a drag went on
    return this.send(this.editing.change(numbered, values, about ?? `${what} ${labels.name(item.label)}`));
  }

  setLabel(item, label) {
    if (isSpan(item) && this.page.store.isEvent(label)) return showNote("A span cannot have the label of an event.");
    const { labels } = this.page.store;
    return this.change(item, { label }, `relabelled ${labels.name(item.label)} as ${labels.name(label)}`);
  }

  async relabel() {
    const { item, draft } = this;
    if ((!item && !draft) || !this.canEdit()) return;
    const { store } = this.page;
    const kind = (item ?? draft).end !== null ? "span" : null;
    const title = item ? "Another label" : "Accept with the label";
    const label = await chooseLabel(store, { title, kind, current: (item ?? draft).label });
    if (label === null) return;
    if (item) this.setLabel(item, label);
    else this.acceptAs(draft, label);
  }

  // Accepts a draft with another label.
  acceptAs(draft, label) {
    return this.page.loop.drafts.accept([{ ...draft, label, name: this.page.store.labels.name(label) }]);
  }

  // Enter: another label for what is selected, a span of what is marked, else the current label.
  async chooseByName() {
    if (this.item || this.draft) return this.relabel();
    const { store } = this.page;
    const stretch = this.markedStretch();
    const title = this.isPointing ? "Point label here" : stretch ? "Label of the new span" : "Current label";
    const label = await chooseLabel(store, { title, kind: stretch ? "span" : null, current: this.current });
    if (label !== null) this.useLabel(label);
    return null;
  }

  remove(item = this.item) {
    if (!item || !this.canEdit()) return;
    this.page.store.select(null);
    this.send({ about: `deleted ${this.page.store.labels.name(item.label)}`, delete: [item] });
  }

  split() {
    if (!this.canEdit()) return;
    const { clock, store } = this.page;
    const time = frameAt(clock.time, this.fps) / this.fps;
    const isHere = (item) => isSpan(item) && item.start < time && time < item.end;
    const item = this.item && isHere(this.item) ? this.item : store.items.find(isHere);
    if (!item) return void showNote("No span is under the playhead.");
    this.send(this.editing.split(item, time, `split ${store.labels.name(item.label)}`));
  }

  merge() {
    const { item } = this;
    if (!item || !this.canEdit()) return;
    const edit = this.editing.merge(item, `merged ${this.page.store.labels.name(item.label)}`);
    if (edit) this.send(edit);
    else showNote("There is no span of the same label beside this one.");
  }

  // What was looked at: the selected range or span, else the whole recording.
  setLookedAt(isLookedAt) {
    if (!this.canEdit()) return;
    const { selection, recording } = this.page.store;
    const span = selection?.kind === "item" && isSpan(selection.item) ? selection.item : null;
    const { start, end } = this.markedStretch() ?? span ?? { start: 0, end: recording.duration };
    const stretch = [[start, end]];
    const where = end - start >= recording.duration - 1e-6 ? "The whole recording" : `${clockText(start)} – ${clockText(end)}`;
    showNote(`${where}: ${isLookedAt ? "looked at" : "not looked at"}`);
    this.send({ about: isLookedAt ? "marked as looked at" : "marked as not looked at",
      [isLookedAt ? "watched" : "unwatched"]: stretch });
  }

  // Moves an edge of the selected item by frames: "start", "end" or "both". The playhead goes with it.
  nudge(edge, frames) {
    const { item } = this;
    if (!item || !this.canEdit()) return;
    const by = frames / this.fps;
    const { start, end } = item;
    const long = isSpan(item) ? end - start : 0;
    const to = edge === "both" || !isSpan(item) ? Math.min(Math.max(0, start + by), this.page.clock.duration - long) : start;
    if (edge === "both" || !isSpan(item)) this.change(item, { start: to, end: isSpan(item) ? to + long : null });
    else if (edge === "start") this.change(item, { start: Math.min(start + by, end - 1 / this.fps) });
    else this.change(item, { end: Math.max(end + by, start + 1 / this.fps) });
    const now = this.item ?? item;
    this.page.clock.pause();
    const half = isSpan(now) ? 0.5 / this.fps : 0; // to the centre of the first or the last frame
    this.page.clock.seek(edge === "end" && isSpan(now) ? now.end - half : now.start + half);
  }

  // Edge mode: the arrows move the start, then the end, then all of the selected item, then the playhead again.
  nextEdge() {
    if (!this.item) return showNote("Select an item first: , and . go from one to the next.");
    this.edge = isSpan(this.item) ? EDGES[(EDGES.indexOf(this.edge) + 1) % EDGES.length] : this.edge ? null : "both";
    const words = { start: "Arrows move its start", end: "Arrows move its end", both: "Arrows move all of it" };
    this.changed();
    return showNote(words[this.edge] ?? "Arrows move the playhead");
  }

  // ---- marks, modes, going around ------------------------------------------------------------------------------

  // In mark: the playhead's frame is the first. Out mark: it is the last.
  setMark(which) {
    const frame = frameAt(this.page.clock.time, this.fps);
    this.marks[which] = (which === "start" ? frame : frame + 1) / this.fps;
    const { start, end } = this.marks;
    if (start !== null && end !== null && end <= start) {
      const [other, text] = which === "start" ? ["end", "The out mark was before"] : ["start", "The in mark was after"];
      this.marks[other] = null;
      showNote(`${text} this frame: it is gone`);
    }
    this.page.store.select(null);
    this.changed();
  }

  clearMarks() {
    this.marks = { start: null, end: null };
    this.changed();
  }

  togglePointing(isPointing = !this.isPointing) {
    this.isPointing = isPointing;
    if (isPointing) this.page.store.select(null);
    showNote(isPointing ? "Point labels: a label's key marks it at the playhead" : "Point labels are off");
    this.changed();
  }

  setReaction(seconds) {
    this.reaction = Math.min(Math.max(0, seconds || 0), 2);
    localStorage.setItem(REACTION_KEY, this.reaction);
    this.changed();
  }

  toggleLoop() {
    const { clock } = this.page;
    if (clock.loop) return this.stopLoop();
    const stretch = this.item && isSpan(this.item) ? this.item : this.draft?.end ? this.draft : this.markedStretch();
    if (stretch) return clock.playLoop(stretch.start, stretch.end);
    return showNote("Select a span or a range first.");
  }

  stopLoop() {
    this.page.clock.setLoop(null);
    this.page.clock.pause();
  }

  // To the boundary before or after the playhead's frame.
  toBoundary(by) {
    const { clock, store } = this.page;
    const frames = [...new Set([0, ...boundaries(store.items), clock.duration]
      .map((time) => Math.min(Math.round(time * this.fps), store.recording.frames - 1)))];
    this.toFrame(nextOf(frames, frameAt(clock.time, this.fps), by));
  }

  toFrame(frame) {
    if (frame === undefined) return;
    this.page.clock.pause();
    this.page.clock.seek(frameCentre(frame, this.fps));
  }

  // Selects the item before or after the selected one, or the playhead.
  toItem(by) {
    const { items } = this.page.store;
    const next = this.item ? items[items.findIndex(({ number }) => number === this.item.number) + by]
      : nearest(items, this.page.clock.time, by);
    if (!next) return;
    this.page.store.select({ kind: "item", item: next });
    this.goTo(next);
  }

  goTo({ start, end }) {
    const { clock } = this.page;
    clock.pause();
    clock.seek(end === null ? start : frameCentre(frameAt(start, this.fps), this.fps));
  }

  // Moments like the selected item, draft or range.
  findSimilar() {
    const stretch = this.item ?? this.draft ?? this.markedStretch();
    if (!stretch || stretch.end === null) return showNote("Select a span or a range first.");
    return this.page.loop?.findSimilar();
  }

  // ---- back ----------------------------------------------------------------------------------------------------

  // Escape: takes back the last of what is on: a drag, a loop, edge mode, marks, the selection, point labels.
  stepBack() {
    const { store } = this.page;
    if (this.hands.cancel) this.hands.cancel();
    else if (this.page.clock.loop) this.stopLoop();
    else if (this.edge) this.edge = null;
    else if (this.marks.start !== null || this.marks.end !== null) this.clearMarks();
    else if (store.selection) store.select(null);
    else if (this.isPointing) this.togglePointing(false);
    this.changed();
  }
}

// The first value after one, or the last before it.
function nextOf(values, value, by) {
  const further = values.filter((each) => (by > 0 ? each > value : each < value));
  return further.sort((a, b) => by * (a - b))[0];
}

// The first item that begins after a time, or the last that begins before it.
function nearest(items, time, by) {
  const ordered = by > 0 ? items : [...items].reverse();
  return ordered.find(({ start }) => (by > 0 ? start > time + 1e-6 : start < time - 1e-6));
}
