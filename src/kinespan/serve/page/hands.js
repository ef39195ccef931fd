// What a pointer does on the editor's rows: makes spans on empty paper, drags edges and whole items, marks a range.

import { clamp, clockText, el, hideTip, showTip } from "../../viewer/dom.js";
import { frameAt, toBoundary } from "./editing.js";

const SNAP_PIXELS = 7;
const DRAG_PIXELS = 4; // under which a press is a click
const DOUBLE_CLICK = 400; // milliseconds
const SCROLL_SHARE = 0.02; // of the view, for each movement outside of it

export class Hands {
  // preview: { item, start, end, label, person, row } while something is dragged; range: { start, end } while one is
  // marked; guide: the time that an edge has snapped to, or null
  constructor(editor) {
    Object.assign(this, { editor, preview: null, range: null, guide: null, lastClick: null, cancel: null });
  }

  // The gesture that a press on a row begins, as viewer/timeline.js wants it.
  grab(row, event, time, y, timeline) {
    const { store, clock } = this.editor.page;
    const hit = row.hit(time, y, timeline, event.pointerType === "touch");
    const gesture = { row, timeline, hit, from: { x: event.clientX, time }, kind: null };
    hideTip();
    if (hit?.draft) store.select({ kind: "draft", draft: hit.draft });
    else if (hit && !event.shiftKey) store.select({ kind: "item", item: hit.item });
    const resume = clock.playing;
    const isEditable = store.isEditable && !hit?.draft && row.isReadOnly !== true;
    const marksRange = event.shiftKey || !isEditable || row.hit === undefined;
    this.cancel = () => this.finish(gesture, null, true);
    return {
      move: (moved, now) => {
        if (gesture.isOver) return;
        if (!gesture.kind && Math.abs(moved.clientX - gesture.from.x) < DRAG_PIXELS) return;
        gesture.kind ??= marksRange ? "range" : hit ? hit.part : row.lanes ? "new" : "seek";
        if (gesture.kind === "seek") return clock.seek(now);
        clock.pause();
        this.drag(gesture, moved, this.scrolled(moved, now, timeline));
      },
      end: (ended, now, cancelled) => {
        if (gesture.isOver) return;
        if (gesture.kind) this.finish(gesture, ended, cancelled);
        else if (!cancelled) this.click(gesture, ended, now);
        if (resume && !gesture.kind) clock.play();
        this.cancel = null;
      },
    };
  }

  // Dragging past the side of the view moves the view.
  scrolled(event, time, timeline) {
    const box = timeline.rows[0].canvas.getBoundingClientRect();
    const by = event.clientX > box.right ? 1 : event.clientX < box.left ? -1 : 0;
    if (!by) return time;
    const step = by * SCROLL_SHARE * (timeline.end - timeline.start);
    timeline.setView(timeline.start + step, timeline.end + step);
    return by > 0 ? timeline.end : timeline.start;
  }

  click({ row, hit, from }, event, time) {
    const { editor } = this;
    const now = performance.now();
    const isDouble = this.lastClick && now - this.lastClick.moment < DOUBLE_CLICK
      && Math.abs(from.x - this.lastClick.x) < DRAG_PIXELS;
    this.lastClick = isDouble ? null : { moment: now, x: from.x };
    if (!hit && !event.shiftKey) editor.page.store.select(null);
    editor.page.clock.seek(time);
    if (!isDouble) return;
    if (hit?.draft) editor.page.loop.acceptSelected();
    else if (hit) editor.relabel();
    else if (!row.lanes) editor.markByName();
  }

  // ---- dragging ------------------------------------------------------------------------------------------------

  drag(gesture, event, time) {
    const { row, timeline, hit, from, kind } = gesture;
    const item = hit?.item;
    this.guide = null;
    const snap = (at) => this.snap(at, { row, timeline, item, isFree: event.altKey });
    if (kind === "range" || kind === "new") {
      const [start, end] = [snap(from.time), snap(time)].sort((a, b) => a - b);
      if (kind === "range") this.range = { start, end };
      else this.preview = { item: null, row, start, end, label: this.editor.current, person: this.editor.personOf(row) };
    } else if (item.end === null) {
      const at = this.snapMark(time, timeline, event.altKey);
      this.preview = { ...item, item, row, start: clamp(at, 0, this.editor.page.clock.duration) };
    } else if (kind === "start") this.preview = { ...item, item, row, start: Math.min(snap(time), item.end - this.frame) };
    else if (kind === "end") this.preview = { ...item, item, row, end: Math.max(snap(time), item.start + this.frame) };
    else this.preview = { ...item, item, row, ...this.moved(item, time - from.time, snap) };
    this.tell(event, gesture);
    timeline.paint();
  }

  get frame() {
    return 1 / this.editor.page.store.recording.fps;
  }

  // A whole item, of which the edge that is nearer to something snaps.
  moved(item, by, snap) {
    const long = item.end - item.start;
    const { duration } = this.editor.page.clock;
    const start = clamp(item.start + by, 0, duration - long);
    const bySnap = [snap(start) - start, snap(start + long) - (start + long)];
    const shift = Math.abs(bySnap[0]) <= Math.abs(bySnap[1]) ? bySnap[0] : bySnap[1];
    const first = toBoundary(clamp(start + shift, 0, duration - long), this.editor.page.store.recording.fps);
    return { start: first, end: first + long };
  }

  // A time at a frame's boundary, or at what is within a few pixels: the playhead's frame, edges of neighbours, marks.
  snap(time, { row, timeline, item, isFree }) {
    const { store, clock } = this.editor.page;
    const { fps } = store.recording;
    const reach = SNAP_PIXELS * timeline.secondsPerPixel;
    if (!isFree) {
      const frame = frameAt(clock.time, fps);
      const near = row.lanes.flatMap((lane) => lane.within(time - reach, time + reach))
        .filter((each) => each.number !== item?.number);
      const { start, end } = this.editor.marks;
      const times = [frame / fps, (frame + 1) / fps, 0, clock.duration, start, end,
        ...near.flatMap((each) => [each.start, each.end])];
      const distances = times.filter((each) => each !== null).map((each) => [Math.abs(each - time), each]);
      const [distance, nearest] = distances.sort((a, b) => a[0] - b[0])[0];
      if (distance <= reach) {
        this.guide = nearest;
        return nearest;
      }
    }
    return clamp(toBoundary(time, fps), 0, clock.duration);
  }

  // An event stays at the centre of a frame; it snaps to the playhead.
  snapMark(time, timeline, isFree) {
    const { store, clock } = this.editor.page;
    if (!isFree && Math.abs(clock.time - time) <= SNAP_PIXELS * timeline.secondsPerPixel) {
      this.guide = clock.time;
      return clock.time;
    }
    return (frameAt(time, store.recording.fps) + 0.5) / store.recording.fps;
  }

  // The tooltip of what is dragged: times, frames, length.
  tell(event, { kind }) {
    const { fps } = this.editor.page.store.recording;
    const { start, end } = this.range ?? this.preview;
    const frames = `frame ${frameAt(start, fps) + 1}`;
    if (end === null) return showTip(event, clockText(start, 3), el("div", { class: "when" }, frames));
    const what = kind === "range" ? "Range " : "";
    return showTip(event, `${what}${clockText(start, 3)} – ${clockText(end, 3)}`,
      el("div", { class: "when" }, `${frames} – ${Math.round(end * fps)}, ${(end - start).toFixed(3)} s`));
  }

  finish(gesture, event, cancelled) {
    const { editor, preview, range } = this;
    gesture.isOver = true;
    Object.assign(this, { preview: null, range: null, guide: null, cancel: null });
    hideTip();
    if (!cancelled) {
      if (range && range.end > range.start) editor.page.store.select({ kind: "range", ...range });
      else if (preview && !preview.item && preview.end > preview.start) editor.makeSpan(preview);
      else if (preview?.item) editor.change(preview.item, { start: preview.start, end: preview.end });
    }
    gesture.timeline.paint();
  }
}
