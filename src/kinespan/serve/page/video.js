// A video beside the skeleton. It plays with the clock; where the two begin is set by naming one moment in both.

import { clamp, clockText, el } from "../../viewer/dom.js";
import { putJson } from "./api.js";
import { showError, showNote } from "./dialog.js";

const DRIFT_PLAYING = 0.12; // seconds that a playing video may be off before it is set right
const DRIFT_PAUSED = 0.004;

export class VideoBox {
  constructor(root, page) {
    Object.assign(this, { root, page, clock: page.clock, store: page.store, offset: 0, moment: null, isAlone: false });
    this.video = el("video", { playsinline: true, preload: "auto", "aria-label": "Video of the recording" });
    this.video.muted = true;
    this.trouble = el("p", { class: "trouble", role: "status" });
    this.bar = el("input", { type: "range", class: "video-bar", min: "0", max: "1", value: "0", step: "0.01",
      "aria-label": "Move the video alone", oninput: () => this.moveAlone() });
    this.sound = this.button("Sound", "Sound on or off", () => this.flipSound());
    this.words = el("span", { class: "video-words", role: "status" });
    this.pick = this.button("This moment of the video…", "First: hold the video at a moment that you also know in the motion",
      () => this.pickVideo());
    this.match = this.button("…is this moment of the motion", "Second: the motion shows the same moment now",
      () => this.pickMotion());
    this.cancel = this.button("Cancel", "Leave the offset as it was", () => this.release());
    root.append(this.video, this.trouble, this.bar, el("div", { class: "video-tools" }, this.words, this.sound, this.pick,
      this.match, this.cancel));
    this.listen();
    this.update();
  }

  button(text, title, onclick) {
    return el("button", { type: "button", class: "ghost", title, onclick }, text);
  }

  listen() {
    const { video, clock, store } = this;
    store.on("recording", () => this.show());
    clock.addEventListener("time", () => this.follow());
    clock.addEventListener("state", () => this.onState());
    video.addEventListener("loadedmetadata", () => {
      this.measure();
      this.follow();
    });
    video.addEventListener("durationchange", () => this.measure());
    video.addEventListener("seeked", () => this.follow()); // the clock may have gone on meanwhile
    video.addEventListener("timeupdate", () => (this.bar.value = String(video.currentTime)));
    video.addEventListener("error", () => this.tellTrouble());
  }

  show() {
    const { video } = this.store.recording;
    this.root.hidden = !video;
    this.trouble.hidden = true;
    this.release();
    if (!video) {
      this.video.removeAttribute("src");
      this.video.load();
      return;
    }
    this.offset = video.offset;
    if (this.video.getAttribute("src") !== video.url) this.video.src = video.url;
    this.update();
  }

  // Some videos do not say how long they are; then it is as long as the motion.
  measure() {
    const { duration } = this.video;
    this.bar.max = String(Number.isFinite(duration) ? duration : Math.max(1, this.clock.duration + Math.max(0, this.offset)));
  }

  get isShown() {
    return !this.root.hidden && this.video.readyState >= 1;
  }

  // Seconds of the video at the clock's time.
  get target() {
    return clamp(this.clock.time + this.offset, 0, this.video.duration || 0);
  }

  follow() {
    const { video, clock } = this;
    if (!this.isShown || this.moment !== null) return;
    if (this.isAlone && !clock.playing && this.aloneAt === clock.time) return;
    this.isAlone = false;
    const drift = Math.abs(video.currentTime - this.target);
    if (!video.seeking && drift > (clock.playing ? DRIFT_PLAYING * Math.max(1, clock.speed)
      : DRIFT_PAUSED)) video.currentTime = this.target;
    const hasMotion = clock.time + this.offset >= 0 && clock.time + this.offset < video.duration;
    if (clock.playing && hasMotion && video.paused) this.play();
    if ((!clock.playing || !hasMotion) && !video.paused) video.pause();
  }

  onState() {
    this.video.playbackRate = clamp(this.clock.speed, 0.0625, 16);
    this.follow();
  }

  play() {
    this.video.play().catch(() => {}); // paused again before it began, or sound is not allowed: the picture follows by seeking
  }

  moveAlone() {
    this.isAlone = true;
    this.aloneAt = this.clock.time;
    this.clock.pause();
    if (this.moment !== null) this.moment = Number(this.bar.value);
    this.video.currentTime = Number(this.bar.value);
    this.update();
  }

  flipSound() {
    this.video.muted = !this.video.muted;
    this.sound.setAttribute("aria-pressed", String(!this.video.muted));
  }

  // ---- where the motion begins -------------------------------------------------------------------------------

  pickVideo() {
    this.clock.pause();
    this.video.pause();
    this.moment = this.video.currentTime;
    this.update();
  }

  async pickMotion() {
    const offset = this.moment - this.clock.time;
    const { recording } = this.store;
    try {
      await putJson(`recordings/${recording.id}/video`, { offset });
      recording.video.offset = this.offset = offset;
      showNote("Video and motion are aligned; it is kept beside the videos.");
    } catch (error) {
      showError(error);
    }
    this.release();
  }

  release() {
    this.moment = null;
    this.isAlone = false;
    this.update();
    this.follow();
  }

  update() {
    const isPicking = this.moment !== null;
    this.pick.hidden = isPicking;
    this.match.hidden = this.cancel.hidden = !isPicking;
    const sign = this.offset < 0 ? "−" : "+";
    this.words.textContent = isPicking ? `Video held at ${clockText(this.moment)}. Move the motion to that moment.`
      : `Offset ${sign}${Math.abs(this.offset).toFixed(2)} s`;
    this.words.title = "Seconds of the video at which the motion begins";
    this.sound.setAttribute("aria-pressed", String(!this.video.muted));
  }

  tellTrouble() {
    if (!this.video.getAttribute("src")) return;
    this.trouble.hidden = false;
    this.trouble.textContent = "This browser cannot play the video. Convert it, for example to MP4 (H.264) or WebM.";
  }
}
