// The keys of the page, in one table from which both what they do and the list of them come.

import { SPEEDS } from "../../viewer/transport.js";
import { showNote } from "./dialog.js";
import { showKeyHelp } from "./key_help.js";

const SECOND = 1;
const LEAP = 10; // frames
const TYPED = "input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]";
const PRESSED = "button, summary, a[href], input, [role=option], [role=tab]"; // Space and Enter press these

export class Keys {
  constructor(page) {
    this.page = page;
    this.table = keyTable(page, () => this.showHelp());
    this.byKeys = new Map(this.table.flatMap((entry) => entry.keys.map((keys) => [keys, entry])));
    document.addEventListener("keydown", (event) => this.onKey(event));
    this.giveBackKeys();
  }

  // What was pressed or chosen with the mouse keeps no focus, so that the next key is the page's: Space plays.
  giveBackKeys() {
    let byPointer = false;
    const letGo = (target, kinds) => {
      const control = target.closest?.(kinds);
      if (byPointer && control && !control.closest("dialog, .menu")) control.blur();
    };
    document.addEventListener("pointerdown", () => (byPointer = true), true);
    document.addEventListener("keydown", () => (byPointer = false), true);
    document.addEventListener("click", ({ target }) => letGo(target, "button"));
    document.addEventListener("change", ({ target }) => letGo(target, "select, input[type=checkbox], input[type=range]"));
  }

  onKey(event) {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")
      || !this.page.store.recording) return;
    const { target } = event;
    if (target.matches?.(TYPED)) return void (event.key === "Escape" && target.blur());
    const keys = keysOf(event);
    if ((keys === "Space" || keys === "Enter") && target.matches?.(PRESSED)) return;
    const entry = this.byKeys.get(keys);
    const label = entry ? -1 : this.page.editor.labelKeys.labelOf(keys);
    if (!entry && label < 0) return;
    event.preventDefault();
    if (event.repeat && !entry?.repeats) return;
    if (entry && entry.when && !entry.when()) return;
    if (entry) entry.run();
    else this.page.editor.useLabel(label);
  }

  showHelp() {
    const { store, editor } = this.page;
    const labels = editor.labelKeys.all().map((key, i) => ({ keys: [key], name: store.labels.name(i), group: "Labels" }));
    showKeyHelp([...this.table.filter(({ when }) => !when || when()), ...labels.filter(({ keys }) => keys[0])]);
  }
}

// A press as it stands in the table: letters by case, Shift, Alt and Ctrl (Command) in this order before what has no case.
function keysOf(event) {
  const isLetter = /^\p{L}$/u.test(event.key);
  const key = event.key === " " ? "Space" : isLetter ? (event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase())
    : event.key;
  const isPrinted = key.length === 1;
  if (event.ctrlKey || event.metaKey) return `${event.shiftKey ? "Shift+" : ""}Ctrl+${isPrinted ? key.toLowerCase() : key}`;
  return `${event.shiftKey && !isPrinted ? "Shift+" : ""}${event.altKey ? "Alt+" : ""}${key}`;
}

// Entries { keys, name, group, run, when, repeats }: `when` says whether it can be used here, `repeats` whether holding it
// does it again.
function keyTable(page, showHelp) {
  const { editor, store } = page;
  const isEditable = () => store.isEditable;
  return [
    ...playKeys(page),
    ...itemKeys(page).map((entry) => ({ ...entry, when: isEditable })),
    { keys: ["p"], name: "Play the span or range in a loop; again: stop", group: "Play", run: () => editor.toggleLoop() },
    { keys: ["n"], name: "Next recording", group: "Go to", run: () => stepRecording(page, 1) },
    { keys: ["b"], name: "Recording before", group: "Go to", run: () => stepRecording(page, -1) },
    { keys: ["q"], name: "Find more like the span or range", group: "Suggestions", when: () => Boolean(page.loop?.isUsed),
      run: () => editor.findSimilar() },
    ...draftKeys(page),
    { keys: ["+", "="], name: "Zoom in", group: "View", run: () => page.timeline.zoom(1 / 1.6), repeats: true },
    { keys: ["-"], name: "Zoom out", group: "View", run: () => page.timeline.zoom(1.6), repeats: true },
    { keys: ["f"], name: "Show the whole recording", group: "View", run: () => page.timeline.setView(0, page.clock.duration) },
    ...viewKeys(page),
    { keys: ["Escape"], name: "One step back: drag, loop, edge mode, marks, selection, point labels", group: "View",
      run: () => editor.stepBack() },
    { keys: ["?"], name: "These keys", group: "View", run: showHelp },
  ];
}

function viewKeys({ stage }) {
  const { scene } = stage;
  const turn = (keys, name, yaw, pitch) => (
    { keys: [keys], name, group: "View", run: () => scene.turn(yaw, pitch), repeats: true });
  const zoom = (keys, name, factor) => ({ keys: [keys], name, group: "View", run: () => scene.zoom(factor), repeats: true });
  return [
    turn("Ctrl+ArrowLeft", "Turn the skeleton left", -0.12, 0), turn("Ctrl+ArrowRight", "Turn the skeleton right", 0.12, 0),
    turn("Ctrl+ArrowUp", "Look from higher", 0, 0.08), turn("Ctrl+ArrowDown", "Look from lower", 0, -0.08),
    zoom("PageUp", "Nearer", 1 / 1.12), zoom("PageDown", "Further", 1.12),
    { keys: ["Ctrl+Home"], name: "Look as at first", group: "View", run: () => scene.reset() },
  ];
}

function playKeys(page) {
  const { clock, editor, transport } = page;
  const step = (by) => (editor.edge ? editor.nudge(editor.edge, by) : transport.step(by));
  const seek = (time) => {
    clock.pause();
    clock.seek(time);
  };
  const entries = [
    { keys: ["Space"], name: "Play, pause", run: () => clock.toggle() },
    { keys: ["ArrowLeft"], name: "A frame back", run: () => step(-1), repeats: true },
    { keys: ["ArrowRight"], name: "A frame on", run: () => step(1), repeats: true },
    { keys: ["ArrowUp"], name: "Ten frames on", run: () => step(LEAP), repeats: true },
    { keys: ["ArrowDown"], name: "Ten frames back", run: () => step(-LEAP), repeats: true },
    { keys: ["Shift+ArrowLeft"], name: "A second back", run: () => seek(clock.time - SECOND), repeats: true },
    { keys: ["Shift+ArrowRight"], name: "A second on", run: () => seek(clock.time + SECOND), repeats: true },
    { keys: ["Home"], name: "To the beginning", run: () => seek(0) },
    { keys: ["End"], name: "To the end", run: () => seek(clock.duration) },
    { keys: ["<"], name: "Slower", run: () => stepSpeed(clock, -1) },
    { keys: [">"], name: "Faster", run: () => stepSpeed(clock, 1) },
  ].map((entry) => ({ ...entry, group: "Play" }));
  const ways = [
    { keys: ["["], name: "Boundary before", run: () => editor.toBoundary(-1), repeats: true },
    { keys: ["]"], name: "Next boundary", run: () => editor.toBoundary(1), repeats: true },
    { keys: [","], name: "Item before", run: () => editor.toItem(-1), repeats: true },
    { keys: ["."], name: "Next item", run: () => editor.toItem(1), repeats: true },
  ].map((entry) => ({ ...entry, group: "Go to" }));
  return [...entries, ...ways];
}

function itemKeys({ editor, store }) {
  const making = [
    { keys: ["i"], name: "In mark: this frame is the first", run: () => editor.setMark("start") },
    { keys: ["o"], name: "Out mark: this frame is the last", run: () => editor.setMark("end") },
    { keys: ["l", "Enter"], name: "Find a label by its name, or make one", run: () => editor.chooseByName() },
    { keys: ["v"], name: "Event at the playhead", run: () => editor.markEvent() },
    { keys: ["t"], name: "Point labels on, off: a label's key marks it while it plays", run: () => editor.togglePointing() },
    { keys: ["k"], name: "Whose the next span is", run: () => editor.nextPerson() },
    { keys: ["c"], name: "Looked at: the range, span or whole recording", run: () => editor.setLookedAt(true) },
    { keys: ["C"], name: "Not looked at", run: () => editor.setLookedAt(false) },
    { keys: ["u", "Ctrl+z"], name: "Undo", run: () => (store.canUndo ? store.undo() : showNote("There is nothing to undo.")),
      repeats: true },
    { keys: ["U", "Shift+Ctrl+z", "Ctrl+y"], name: "Do again what was undone",
      run: () => (store.canRedo ? store.redo() : showNote("There is nothing to do again.")), repeats: true },
  ].map((entry) => ({ ...entry, group: "Label" }));
  const changing = [
    { keys: ["r"], name: "Another label", run: () => editor.relabel() },
    { keys: ["s"], name: "Split the span at the playhead", run: () => editor.split() },
    { keys: ["m"], name: "Merge with the next span of its label", run: () => editor.merge() },
    { keys: ["Delete", "Backspace"], name: "Delete", run: () => editor.remove() },
    { keys: ["e"], name: "Arrows move its start, its end, all of it", run: () => editor.nextEdge() },
    { keys: ["Alt+ArrowLeft"], name: "Start a frame earlier", run: () => editor.nudge("start", -1), repeats: true },
    { keys: ["Alt+ArrowRight"], name: "Start a frame later", run: () => editor.nudge("start", 1), repeats: true },
    { keys: ["Shift+Alt+ArrowLeft"], name: "End a frame earlier", run: () => editor.nudge("end", -1), repeats: true },
    { keys: ["Shift+Alt+ArrowRight"], name: "End a frame later", run: () => editor.nudge("end", 1), repeats: true },
  ].map((entry) => ({ ...entry, group: "Selected item" }));
  return [...making, ...changing];
}

function draftKeys(page) {
  const hasDrafts = () => page.store.isEditable && page.store.predictions !== null;
  const isWalking = () => Boolean(page.loop?.isWalking); // through moments of any recording, with a model or without
  const of = (key, name, run, when) => ({ keys: [key], name, group: "Suggestions", run, when });
  return [
    of("a", "Accept the draft or moment", () => page.loop?.acceptSelected(), () => isWalking() || hasDrafts()),
    of("x", "Reject the draft or moment", () => page.loop?.rejectSelected(), () => isWalking() || hasDrafts()),
    of("A", "Accept all drafts above the score", () => page.loop?.acceptAbove(), hasDrafts),
    of("g", "Next draft", () => page.loop?.nextDraft(), hasDrafts),
  ];
}

const stepRecording = ({ list, store }, by) => (list.step ? list.step(by) : store.step(by));

function stepSpeed(clock, by) {
  const at = SPEEDS.findIndex((speed) => speed >= clock.speed);
  const next = SPEEDS[at + by];
  if (next) clock.setSpeed(next);
}
