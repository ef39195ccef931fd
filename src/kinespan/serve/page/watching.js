// What plays while the page is seen counts as looked at: it is gathered and kept every few seconds.

const SEND_SECONDS = 3;
const FASTEST = 4; // times normal speed up to which somebody sees what is done
const LONGEST_TICK = 1; // seconds; what runs by while nothing is drawn was not seen
const SWITCH_KEY = "kinespan-watching";

export class Watching extends EventTarget {
  constructor({ store, clock }) {
    super();
    Object.assign(this, { store, clock, isOn: localStorage.getItem(SWITCH_KEY) !== "off", intervals: [],
      sent: performance.now() });
    clock.addEventListener("played", ({ detail }) => this.onPlayed(detail));
    clock.addEventListener("state", () => this.onState());
    store.on("recording session", () => this.onChange());
    document.addEventListener("visibilitychange", () => this.send());
    addEventListener("pagehide", () => this.send());
  }

  turn(isOn) {
    this.isOn = isOn;
    localStorage.setItem(SWITCH_KEY, isOn ? "on" : "off");
    if (!isOn) this.intervals = [];
    this.dispatchEvent(new Event("change"));
  }

  get isCounting() {
    const { clock, store } = this;
    return this.isOn && store.isEditable && clock.speed <= FASTEST && document.visibilityState === "visible";
  }

  onPlayed({ start, end, seconds }) {
    if (!this.isCounting || seconds > LONGEST_TICK) return;
    if (end > start) this.add(start, end);
    if (performance.now() - this.sent > SEND_SECONDS * 1000) this.send();
  }

  add(start, end) {
    const latest = this.intervals.at(-1);
    if (latest && latest[1] === start) latest[1] = end;
    else this.intervals.push([start, end]);
    Object.assign(this, { recording: this.store.recording, set: this.store.set });
  }

  onState() {
    if (this.clock.playing) this.sent = performance.now();
    else this.send();
  }

  onChange() {
    if (this.recording !== this.store.recording || this.set !== this.store.set) this.send();
  }

  send() {
    const { intervals, recording, set, store } = this;
    this.intervals = [];
    this.sent = performance.now();
    const isShown = recording === store.recording && set === store.set;
    const isKnown = ([start, end]) => isShown && store.covered.some(([from, to]) => from <= start && end <= to);
    const news = intervals.filter((interval) => !isKnown(interval));
    const rounded = news.map((interval) => interval.map((time) => Math.round(time * 1000) / 1000));
    const lasting = rounded.filter(([start, end]) => end > start);
    if (lasting.length) store.watch(lasting, recording, set);
  }
}
