// The buttons that play: back and on by a frame, play, speed, and the time and frame as text.

import { clamp, clockText, el } from "./dom.js";

export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2, 4];

export class Transport {
  constructor(root, clock) {
    Object.assign(this, { clock, fps: 1, frames: 1 });
    const icon = el("i", { class: "icon play", "aria-hidden": "true" });
    this.playButton = this.button("primary", "Play", () => clock.toggle(), icon);
    this.playButton.id = "play";
    this.speed = el("select", { id: "speed", "aria-label": "Speed", onchange: () => clock.setSpeed(Number(this.speed.value)) },
      ...SPEEDS.map((value) => el("option", { value, selected: value === 1 }, `${value}×`)));
    this.timeText = el("output", { id: "time" });
    this.frameText = el("span", { class: "frame", id: "frame" });
    root.append(this.button("ghost", "One frame back", () => this.step(-1), "‹"), this.playButton,
      this.button("ghost", "One frame on", () => this.step(1), "›"), this.speed, this.timeText, this.frameText);
    clock.addEventListener("time", () => this.update());
    clock.addEventListener("state", () => {
      icon.className = `icon ${clock.playing ? "pause" : "play"}`;
      this.playButton.setAttribute("aria-label", clock.playing ? "Pause" : "Play");
      this.speed.value = clock.speed;
    });
  }

  button(kind, name, onclick, content) {
    return el("button", { type: "button", class: kind, "aria-label": name, title: name, onclick }, content);
  }

  // Frames a second and number of frames of a recording, which the buttons step by and the text counts.
  show(fps, frames) {
    Object.assign(this, { fps, frames });
    this.update();
  }

  get frame() {
    return clamp(Math.floor(this.clock.time * this.fps + 1e-6), 0, this.frames - 1);
  }

  // To the centre of a frame, which is where it has its label.
  step(by) {
    this.clock.pause();
    this.clock.seek((clamp(this.frame + by, 0, this.frames - 1) + 0.5) / this.fps);
  }

  update() {
    const { clock } = this;
    this.timeText.textContent = `${clockText(clock.time)} / ${clockText(clock.duration)}`;
    this.frameText.textContent = `frame ${this.frame + 1} of ${this.frames}`;
  }
}
