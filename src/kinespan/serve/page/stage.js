// The stage: the skeleton, the video beside it, what is labelled now, and how the file was read.

import { clamp, durationText, el } from "../../viewer/dom.js";
import { eventsAt, spansAt } from "../../viewer/rows.js";
import { Scene } from "../../viewer/scene.js";
import { showError } from "./dialog.js";
import { check, menu } from "./menu.js";
import { Reading } from "./reading_form.js";
import { openMotion } from "./streamed_motion.js";
import { VideoBox } from "./video.js";

const VIEW_KEY = "kinespan-view";
const MOST_TAGS = 4; // labels of a caption line

export class Stage {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store, clock: page.clock, motion: null, lines: [] });
    this.choice = { follows: true, ground: true, trails: [], ...JSON.parse(localStorage.getItem(VIEW_KEY) ?? "{}") };
    const head = el("div", { class: "stage-head" });
    this.title = el("h1", { dir: "auto" });
    this.facts = el("span", { class: "facts" });
    head.append(this.title, this.facts);
    this.canvas = el("canvas", {
      id: "scene", tabindex: "0", role: "img",
      "aria-label": "Moving skeleton. Drag to turn, wheel to zoom, press a person to choose it.",
    });
    this.caption = el("dl", { class: "caption" });
    this.notices = el("div", { class: "notices", role: "status" });
    this.tools = el("div", { class: "scene-tools" });
    this.people = el("div", { class: "people", role: "group", "aria-label": "People" });
    const sides = el("p", { class: "sides", "aria-hidden": "true" }, el("span", { class: "left" }, "left"), " ",
      el("span", { class: "right" }, "right"));
    this.sides = sides;
    const scene = el("div", { class: "scene" }, this.canvas, this.notices, this.people, this.caption, sides, this.tools);
    const video = el("div", { class: "video", hidden: true });
    root.append(head, el("div", { class: "views" }, scene, video));
    this.scene = new Scene(this.canvas);
    this.scene.setFollows(this.choice.follows);
    this.scene.setGround(this.choice.ground);
    this.reading = new Reading(head, page);
    this.video = new VideoBox(video, page);
    this.buildTools();
    this.listen();
    this.showEmpty();
  }

  listen() {
    const { store, clock } = this;
    store.on("opening", () => this.showOpening());
    store.on("recording", () => this.show());
    store.on("recordings", () => this.showEmpty());
    store.on("person", () => this.showPerson());
    clock.addEventListener("time", () => this.update());
    this.canvas.addEventListener("pick", (event) => {
      const person = event.detail;
      store.choosePerson(person === store.person ? null : person);
    });
  }

  retheme() {
    this.scene.retheme();
  }

  // ---- the recording -----------------------------------------------------------------------------------------

  showOpening() {
    const name = this.store.recordings.find(({ id }) => id === this.store.opening)?.name;
    this.notices.textContent = name === undefined ? "" : `Reading ${name}…`;
  }

  showEmpty() {
    const isEmpty = !this.store.recordings.length;
    this.root.classList.toggle("empty", isEmpty);
    if (isEmpty) this.notices.textContent = "Nothing is open yet. Drop motion files anywhere on this page.";
    else if (!this.store.recording && this.store.opening === null) this.notices.textContent = "";
  }

  async show() {
    const { recording } = this.store;
    const { people } = this;
    this.title.textContent = this.title.title = recording.name;
    this.facts.textContent = this.describe(recording);
    this.motion = null;
    this.scene.clear();
    this.notices.textContent = "Loading the motion…";
    people.replaceChildren();
    this.store.choosePerson(null);
    try {
      const motion = await openMotion(recording, () => this.scene.paint());
      if (recording !== this.store.recording) return;
      this.motion = motion;
    } catch (error) {
      if (recording === this.store.recording) this.notices.textContent = "The motion could not be loaded.";
      return showError(error);
    }
    this.notices.textContent = "";
    this.scene.show(this.motion, recording.skeleton);
    this.sides.hidden = !recording.skeleton.sides.some(Boolean);
    this.buildPeople();
    this.buildTrails();
    this.showPerson();
    this.update();
    this.root.dispatchEvent(new Event("motion"));
  }

  describe({ duration, fps, frames, skeleton, motion, uneven }) {
    const people = motion.slots.length > 1 ? ` · ${motion.slots.length} people` : "";
    const rate = `${Number(fps.toFixed(2))} fps${uneven ? ", uneven" : ""}`;
    const motionText = `${durationText(duration)} · ${rate} · ${frames.toLocaleString("en")} frames`;
    return `${motionText} · ${skeleton.name}, ${skeleton.joints} joints${people}`;
  }

  // ---- tools over the scene ----------------------------------------------------------------------------------

  buildTools() {
    const { scene } = this;
    const flip = (name, text, title, apply) => {
      const button = el("button", {
        type: "button", class: "ghost", title, "aria-pressed": String(this.choice[name]),
        onclick: () => {
          this.choice[name] = !this.choice[name];
          button.setAttribute("aria-pressed", String(this.choice[name]));
          apply(this.choice[name]);
          this.keepChoice();
        },
      }, text);
      return button;
    };
    this.trails = menu("Trails", "Paths of joints in the last moments");
    this.tools.append(
      flip("follows", "Follow", "The camera goes along with the people", (follows) => scene.setFollows(follows)),
      flip("ground", "Ground", "Show the ground", (ground) => scene.setGround(ground)),
      this.trails.node,
      el("button", { type: "button", class: "ghost", id: "reset", title: "Look as at first (Ctrl+Home)",
        onclick: () => scene.reset() }, "Reset"));
  }

  keepChoice() {
    localStorage.setItem(VIEW_KEY, JSON.stringify(this.choice));
  }

  buildTrails() {
    const { names } = this.store.recording.skeleton;
    const apply = () => this.scene.setTrails(names.flatMap((name, joint) => (this.choice.trails.includes(name) ? [joint] : [])));
    this.trails.box.replaceChildren(...names.map((name) => check(name, this.choice.trails.includes(name), (on) => {
      this.choice.trails = [...this.choice.trails.filter((other) => other !== name), ...(on ? [name] : [])];
      this.keepChoice();
      apply();
    })));
    apply();
  }

  // A button a person, where there are several: press it, or the person, to choose; "only" hides the others.
  buildPeople() {
    const { slots } = this.motion;
    this.people.hidden = slots.length < 2;
    if (slots.length < 2) return;
    this.scene.setAlone(false);
    const chips = slots.map((slot) => el("button", {
      type: "button", class: "chip", "data-person": slot,
      onclick: () => this.store.choosePerson(this.store.person === slot ? null : slot),
    }, `Person ${slot}`));
    const alone = check("only this one", false, (on) => this.scene.setAlone(on));
    this.people.replaceChildren(...chips, alone);
    this.alone = alone;
  }

  showPerson() {
    const { person } = this.store;
    for (const chip of this.people.querySelectorAll(".chip")) {
      chip.setAttribute("aria-pressed", String(Number(chip.dataset.person) === person));
    }
    if (this.alone) this.alone.hidden = person === null;
    this.scene.setChosen(person);
  }

  // ---- now ---------------------------------------------------------------------------------------------------

  update() {
    const { motion, clock } = this;
    if (!motion) return;
    const frame = clamp(Math.floor(clock.time * motion.fps + 1e-6), 0, motion.frames - 1);
    motion.moveTo?.(frame);
    this.scene.setFrame(frame);
    this.updateCaption();
    this.tellUnseen();
  }

  tellUnseen() {
    const unseen = this.scene.unseen();
    const text = !unseen.length ? "" : this.motion.people === 1 ? "not seen in this frame"
      : `person ${unseen.join(", ")} not seen in this frame`;
    if (this.notices.textContent !== text) this.notices.textContent = text;
  }

  // What the caption names: lines as Timelines.captionLines gives them.
  setCaption(lines) {
    Object.assign(this, { lines, captionKey: null });
    this.updateCaption();
  }

  updateCaption() {
    if (!this.motion) return;
    const time = (this.scene.frame + 0.5) / this.motion.fps; // of the frame that is drawn: no span holds a recording's end
    const rows = this.lines.map(({ name, spans, events, labels, none }) => {
      const now = [...spansAt(spans, time), ...eventsAt(events, time)];
      return { name, labels, none: none(time), indices: [...new Set(now.map((item) => item.label))] };
    });
    const key = JSON.stringify(rows.map(({ none, indices }) => [none, indices]));
    if (key === this.captionKey) return;
    this.captionKey = key;
    this.caption.replaceChildren(...rows.map((row) => this.captionLine(row)));
  }

  captionLine({ name, labels, none, indices }) {
    const tags = indices.slice(0, MOST_TAGS).map((label) =>
      el("span", { class: "tag" }, labels.swatch(label), el("span", { dir: "auto" }, labels.name(label))));
    if (indices.length > MOST_TAGS) tags.push(el("span", { class: "tag none" }, `and ${indices.length - MOST_TAGS} more`));
    const said = tags.length ? tags : [el("span", { class: "tag none" }, none)];
    return el("div", {}, el("dt", { dir: "auto", title: name }, name), el("dd", {}, ...said));
  }
}
