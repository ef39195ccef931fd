// The edge between the stage and the timelines: drag it, or move it by the arrow keys; a double click forgets it.

import { clamp, el } from "../../viewer/dom.js";

const KEY = "kinespan-timelines-height";
const STEP = 24; // pixels by key
const LEAST = 110; // pixels that either side keeps

export class Splitter {
  // box: the element below the edge; its height is what is set
  constructor(box) {
    this.box = box;
    this.edge = el("div", {
      class: "splitter", role: "separator", tabindex: "0", "aria-orientation": "horizontal",
      "aria-label": "Height of the timelines",
      title: "Drag to give the timelines more or less room",
    });
    box.before(this.edge);
    this.edge.addEventListener("pointerdown", (event) => this.begin(event));
    this.edge.addEventListener("dblclick", () => this.set(null));
    this.edge.addEventListener("keydown", (event) => this.onKey(event));
    const kept = Number(localStorage.getItem(KEY));
    if (kept) this.set(kept);
  }

  begin(event) {
    const { edge } = this;
    const [from, height] = [event.clientY, this.box.offsetHeight];
    edge.setPointerCapture(event.pointerId);
    edge.onpointermove = (move) => this.set(height + from - move.clientY);
    edge.onpointerup = edge.onpointercancel = () => (edge.onpointermove = null);
    event.preventDefault();
  }

  onKey(event) {
    const by = { ArrowUp: STEP, ArrowDown: -STEP }[event.key];
    if (!by) return;
    this.set(this.box.offsetHeight + by);
    event.preventDefault();
    event.stopPropagation();
  }

  // height: pixels; null: as much as the rows need
  set(height) {
    const most = this.box.parentElement.clientHeight - 2 * LEAST;
    const kept = height === null ? null : Math.round(clamp(height, LEAST, Math.max(LEAST, most)));
    this.box.classList.toggle("sized", kept !== null);
    if (kept === null) localStorage.removeItem(KEY);
    else {
      this.box.style.setProperty("--height", `${kept}px`);
      localStorage.setItem(KEY, String(kept));
    }
  }
}
