// Puts the parts together: which recording is shown, the caption, the buttons and the keys.

const SPEEDS = [0.25, 0.5, 1, 1.5, 2];
const ROWS_LISTED = 500; // rows of the table of spans

// A recording with its arrays unpacked; done when it is first shown.
async function openRecording(packed) {
  return {
    ...packed,
    motion: await unpackMotion(packed.motion, packed.skeleton.joints),
    scores: await unpackScores(packed.scores),
    truth: packed.truth && packed.truth.map(spanOf),
    segmentation: packed.segmentation && packed.segmentation.map(spanOf),
    proposals: packed.proposals.map(spanOf),
    trueEvents: packed.trueEvents && packed.trueEvents.map(eventOf),
    events: packed.events && packed.events.map(eventOf),
  };
}

class Viewer {
  constructor(data) {
    this.data = data;
    this.clock = new Clock();
    this.choice = { listed: [], hidden: new Set(), current: null };
    this.opened = new Map();
    this.scene = new Scene(byId("scene"));
    this.timeline = new Timeline(byId("timeline"), this.clock, data.labels);
    this.moment = new Moment(byId("moment"), data.labels, this.choice, () => this.timeline.paint());
    byId("viewer").hidden = false;
    this.buildChooser();
    this.buildTransport();
    byId("reset").addEventListener("click", () => this.scene.reset());
    this.clock.addEventListener("time", () => this.update());
    document.addEventListener("keydown", (event) => this.onKey(event));
    onThemeChange(() => {
      this.scene.retheme();
      this.timeline.retheme();
    });
  }

  async show(index) {
    this.index = clamp(index, 0, this.data.recordings.length - 1);
    const wanted = this.index;
    this.clock.pause();
    if (!this.opened.has(wanted)) this.opened.set(wanted, await openRecording(this.data.recordings[wanted]));
    if (wanted !== this.index) return; // another one was chosen meanwhile
    this.recording = this.opened.get(wanted);
    const { recording } = this;
    this.scene.show(recording);
    this.moment.show(recording);
    this.clock.load(recording.duration);
    this.timeline.show(recording, recording.scores ? [scoreRow(recording, this.timeline, this.choice)] : []);
    this.moment.refresh();
    this.clock.seek(0);
    this.describeRecording();
    this.listSpans();
  }

  // ---- which recording ---------------------------------------------------------------------------------------

  buildChooser() {
    const { recordings } = this.data;
    const step = (by) => () => this.show(this.index + by);
    this.select = el("select", { id: "recording", onchange: () => this.show(Number(this.select.value)) },
      ...recordings.map((recording, i) => el("option", { value: i }, recording.name)));
    this.previous = el("button", { type: "button", class: "ghost", "aria-label": "Previous recording", onclick: step(-1) }, "‹");
    this.next = el("button", { type: "button", class: "ghost", "aria-label": "Next recording", onclick: step(1) }, "›");
    this.about = el("p", { class: "about" });
    const several = recordings.length > 1;
    const chooser = [el("label", { for: "recording" }, "Recording"), this.previous, this.select, this.next];
    byId("chooser").append(...(several ? chooser : [el("h2", {}, recordings[0].name)]), this.about);
  }

  describeRecording() {
    const { recording } = this;
    const people = recording.motion.people === 1 ? "1 person" : `${recording.motion.people} people`;
    const attributes = recording.attributes.map(([name, value]) => `${name} ${value}`);
    const rate = `${Number(recording.sourceFps.toFixed(2))} fps`;
    const facts = [durationText(recording.duration), rate, people, recording.skeleton.name];
    this.about.textContent = [...facts, ...attributes, recording.source].filter(Boolean).join(" · ");
    this.select.value = this.index;
    this.previous.disabled = this.index === 0;
    this.next.disabled = this.index === this.data.recordings.length - 1;
  }

  // ---- playing -----------------------------------------------------------------------------------------------

  buildTransport() {
    const { clock } = this;
    const icon = el("i", { class: "icon play", "aria-hidden": "true" });
    const onclick = () => clock.toggle();
    this.playButton = el("button", { type: "button", id: "play", class: "primary", "aria-label": "Play", onclick }, icon);
    const back = el("button", { type: "button", class: "ghost", "aria-label": "One frame back", onclick: () => this.step(-1) }, "‹");
    const on = el("button", { type: "button", class: "ghost", "aria-label": "One frame on", onclick: () => this.step(1) }, "›");
    const speed = el("select", { id: "speed", "aria-label": "Speed", onchange: () => clock.setSpeed(Number(speed.value)) },
      ...SPEEDS.map((value) => el("option", { value, selected: value === 1 }, `${value}×`)));
    this.timeText = el("output", { id: "time" });
    this.frameText = el("span", { class: "frame", id: "frame" });
    byId("transport").append(back, this.playButton, on, speed, this.timeText, this.frameText);
    clock.addEventListener("state", () => {
      icon.className = `icon ${clock.playing ? "pause" : "play"}`;
      this.playButton.setAttribute("aria-label", clock.playing ? "Pause" : "Play");
    });
  }

  // One frame as shown; to its centre, which is where a frame has its label.
  step(by) {
    const { fps, frames } = this.recording.motion;
    this.clock.pause();
    this.clock.seek((clamp(this.frame + by, 0, frames - 1) + 0.5) / fps);
  }

  // The time whose labels are told: at the very end that of the last moment.
  get now() {
    return Math.min(this.clock.time, this.clock.duration - 1e-4);
  }

  update() {
    const { recording, clock } = this;
    if (!recording) return;
    this.frame = clamp(Math.floor(clock.time * recording.motion.fps), 0, recording.motion.frames - 1);
    this.scene.setFrame(this.frame);
    const shown = clamp(Math.floor(clock.time * recording.sourceFps), 0, recording.sourceFrames - 1);
    this.timeText.textContent = `${clockText(clock.time)} / ${clockText(clock.duration)}`;
    this.frameText.textContent = `frame ${shown + 1} of ${recording.sourceFrames}`;
    const current = this.tellLabels();
    if (current !== this.choice.current) {
      this.choice.current = current;
      this.timeline.paint();
    }
    this.moment.setTime(this.now);
    this.tellUnseen();
  }

  // Fills the caption; returns the label that stands out now: predicted, or else true.
  tellLabels() {
    const { recording, now } = this;
    const best = (spans) => spans.reduce((a, b) => ((b.score ?? 1) > (a.score ?? 1) ? b : a));
    const spans = spansAt(recording.segmentation ?? recording.proposals, now);
    const people = [...new Set(spans.map((span) => span.person))];
    const bestOfEach = people.map((person) => best(spans.filter((span) => span.person === person)));
    const predicted = [...bestOfEach, ...eventsAt(recording.events ?? [], now)];
    const truth = [...spansAt(recording.truth ?? [], now), ...eventsAt(recording.trueEvents ?? [], now)];
    const covered = !recording.covered || recording.covered.some(([start, end]) => start <= now && now < end);
    const lines = [];
    if (recording.truth || recording.trueEvents) lines.push(this.captionLine("Truth", truth, covered ? "no action" : "not labelled"));
    const predicts = recording.segmentation || recording.events || recording.proposals.length;
    if (predicts) lines.push(this.captionLine("Predicted", predicted, "no action"));
    const key = lines.map((line) => line.textContent).join("\n");
    if (key !== this.captionKey) byId("caption").replaceChildren(...lines);
    this.captionKey = key;
    return (predicted[0] ?? truth[0])?.label ?? null;
  }

  captionLine(name, spans, none) {
    const labels = [...new Set(spans.map((span) => span.label))];
    const texts = labels.map((label) => el("span", { class: "tag" }, swatch(label), this.data.labels[label]));
    const said = texts.length ? texts : [el("span", { class: "tag none" }, none)];
    return el("div", { class: name.toLowerCase() }, el("dt", {}, name), el("dd", {}, ...said));
  }

  tellUnseen() {
    const unseen = this.scene.unseen();
    const text = !unseen.length ? "" : this.recording.motion.people === 1 ? "not seen in this frame"
      : `person ${unseen.join(", ")} not seen in this frame`;
    if (byId("notices").textContent !== text) byId("notices").textContent = text;
  }

  // ---- spans as text -----------------------------------------------------------------------------------------

  listSpans() {
    const { truth, segmentation, proposals, trueEvents, events } = this.recording;
    const kinds = [
      ["truth", [...(truth ?? []), ...(trueEvents ?? [])]],
      ["predicted", [...(segmentation ?? []), ...(events ?? [])]],
      ["proposal", proposals],
    ];
    const all = kinds.flatMap(([kind, spans]) => spans.map((span) => ({ ...span, kind })));
    all.sort((a, b) => a.start - b.start || (a.end ?? a.start) - (b.end ?? b.start));
    const rows = all.slice(0, ROWS_LISTED).map((span) => {
      const go = el("button", { type: "button", class: "link", onclick: () => this.clock.seek(span.start) }, span.start.toFixed(2));
      const label = el("span", { class: "lane" }, swatch(span.label), this.data.labels[span.label]);
      return [label, span.kind, go, span.end === null ? "–" : span.end.toFixed(2), isNumber(span.score) ? span.score.toFixed(3) : "–"];
    });
    const fold = byId("spans");
    fold.hidden = !rows.length;
    const left = all.length > ROWS_LISTED ? `, the first ${ROWS_LISTED} of ${all.length}` : "";
    fold.replaceChildren(fold.firstElementChild,
      table(`Spans of ${this.recording.name}${left}`, ["Label", "Kind", "Start, s", "End, s", "Score"], rows, "spans"));
  }

  // ---- keys --------------------------------------------------------------------------------------------------

  onKey(event) {
    if (!this.recording || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("select, input, textarea, .scroller")) return;
    if (event.key === " " && event.target.closest("button, summary, a")) return; // they use it themselves
    const { clock, scene } = this;
    const actions = {
      " ": () => clock.toggle(),
      ArrowLeft: () => (event.shiftKey ? clock.seek(clock.time - 1) : this.step(-1)),
      ArrowRight: () => (event.shiftKey ? clock.seek(clock.time + 1) : this.step(1)),
      Home: () => clock.seek(0),
      End: () => clock.seek(clock.duration),
      a: () => scene.turn(-0.12, 0),
      d: () => scene.turn(0.12, 0),
      w: () => scene.turn(0, 0.08),
      s: () => scene.turn(0, -0.08),
      "+": () => scene.zoom(1 / 1.12),
      "=": () => scene.zoom(1 / 1.12),
      "-": () => scene.zoom(1.12),
      0: () => scene.reset(),
      n: () => this.show(this.index + 1),
      p: () => this.show(this.index - 1),
    };
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action) return;
    action();
    event.preventDefault();
  }
}

// ---- start ---------------------------------------------------------------------------------------------------

const data = JSON.parse(byId("data").textContent);
showMetrics(data);
showConfusion(data);
showCurves(data);
showFacts(data);
if (data.recordings.length) await new Viewer(data).show(0);
document.documentElement.dataset.ready = "true";
