import { clamp } from "./dom.js";

// Time that runs. "time" is sent for each change, "state" when it starts, stops or changes its speed.
export class Clock extends EventTarget {
  constructor() {
    super();
    Object.assign(this, { time: 0, duration: 0, speed: 1, playing: false, last: 0 });
    this.tick = this.tick.bind(this);
  }

  load(duration) {
    this.pause();
    this.duration = duration;
    this.seek(0);
  }

  seek(time) {
    this.time = clamp(time, 0, this.duration);
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

  setSpeed(speed) {
    this.speed = speed;
    this.dispatchEvent(new Event("state"));
  }

  tick(now) {
    if (!this.playing) return;
    const passed = Math.max(0, now - this.last) / 1000;
    this.last = now;
    this.seek(this.time + passed * this.speed);
    if (this.time >= this.duration) this.pause();
    else requestAnimationFrame(this.tick);
  }
}
