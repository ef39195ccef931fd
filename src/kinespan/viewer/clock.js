import { clamp } from "./dom.js";

// Time that runs. "time" is sent for each change, "played" for time that ran (detail: { start, end, seconds it took }), "state" when it starts, stops, changes its speed or its loop.
export class Clock extends EventTarget {
  constructor() {
    super();
    Object.assign(this, { time: 0, duration: 0, speed: 1, playing: false, last: 0, loop: null });
    this.tick = this.tick.bind(this);
  }

  load(duration) {
    this.pause();
    this.loop = null;
    this.duration = duration;
    this.seek(0);
  }

  seek(time) {
    this.time = clamp(time, 0, this.duration);
    if (this.loop && (this.time < this.loop.start || this.time > this.loop.end)) this.setLoop(null);
    this.dispatchEvent(new Event("time"));
  }

  play() {
    if (this.playing || !this.duration) return;
    if (this.time >= this.duration) this.seek(0);
    this.playing = true;
    this.last = performance.now();
    requestAnimationFrame(this.tick);
    this.dispatchEvent(new Event("state"));
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.dispatchEvent(new Event("state"));
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  // Plays { start, end } over and over, until a time outside of it is sought; null: plays on to the end.
  setLoop(loop) {
    this.loop = loop;
    this.dispatchEvent(new Event("state"));
  }

  playLoop(start, end) {
    this.setLoop({ start, end: Math.min(end, this.duration) });
    this.seek(start);
    this.play();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.dispatchEvent(new Event("state"));
  }

  tick(now) {
    if (!this.playing) return;
    const passed = Math.max(0, now - this.last) / 1000;
    this.last = now;
    const start = this.time;
    const next = start + passed * this.speed;
    this.seek(this.loop && next >= this.loop.end ? this.loop.start : next);
    const end = Math.min(next, this.loop?.end ?? this.duration);
    this.dispatchEvent(new CustomEvent("played", { detail: { start, end, seconds: passed } }));
    if (this.time >= this.duration) this.pause();
    else requestAnimationFrame(this.tick);
  }
}
