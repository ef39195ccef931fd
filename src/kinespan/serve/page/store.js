// What the page knows, and who is told when it changes. Panels read the store and call its methods; they never fetch what
// the store holds. Events, each sent after the fields are set:
//
//   session      what was opened, annotation sets, models, limits      recordings   the list
//   recording    another recording is shown (details, motion follow)   items        spans, events, covered time of it
//   labels       the label set or its colours                          drafts       predictions of the loaded model
//   selection    the selected item, draft or range of time             jobs         a job moved on
//   connection   the server went or came back                          opening      a recording is being read
//   unreadable   a file needs other options to be read: `unreadable`
//   person       the chosen person                                     unsaved      what is not saved yet: `outbox.size` changes
//
// An item is { number, start, end, label, person }, with label an index into `labels` and end null for an event or a
// point label. Changes show at once: `items` are those of the server (`saved`) with what is on its way to it, and an item
// that the server has not numbered yet has a negative number. A draft is { start, end, label, score, person }.

import { Labels } from "../../viewer/colours.js";
import { firstTime } from "../../viewer/motion.js";
import { ApiError, NO_ANSWER, getJson, listen, postJson, putJson, setAuthor } from "./api.js";
import { closeError, showError, showNote } from "./dialog.js";
import { Outbox, arrivedNumbers, withEntries } from "./outbox.js";

const MOST_ABOUT = 200; // characters: a label in it may be long
const AUTHOR_KEY = "kinespan-author";
const NOTHING_SAVED = { items: [], covered: [], annotated: false, version: 0, undo: false, redo: false };
const PREDICTED_SECONDS = 3; // between two looks at what is predicted while a prediction runs
const NEAR = 0.25; // seconds between an event and a draft that says the same
const DRAFT_OVERLAP = 0.5; // a draft of a label that a span has for this share of it is no draft any more

export class Store extends EventTarget {
  constructor(clock) {
    super();
    Object.assign(this, {
      clock, session: null, recordings: [], recording: null, set: null, labels: new Labels([]), labelFacts: [], exclusive: true,
      items: [], covered: [], annotated: false, version: 0, canUndo: false, canRedo: false, predictions: null, drafts: [],
      scores: null, jobs: [], models: [], model: null, selection: null, isConnected: true, saved: NOTHING_SAVED, latest: 0,
      order: [], opening: null, person: null, lookedAt: 0,
    });
  }

  tell(name) {
    this.dispatchEvent(new Event(name));
  }

  on(names, handler) {
    for (const name of names.split(" ")) this.addEventListener(name, () => handler());
  }

  // ---- session -----------------------------------------------------------------------------------------------

  async start() {
    await this.loadSession();
    const name = localStorage.getItem(AUTHOR_KEY) ?? this.session.author;
    this.setAuthor(name);
    await Promise.all([this.loadRecordings(), this.loadLabels(), this.loadJobs()]);
    await this.openOutbox();
    listen({
      change: (data) => this.follow(() => this.onChange(data)),
      job: (job) => this.onJob(job),
      recordings: () => this.follow(() => this.loadRecordings()),
      models: () => this.follow(() => this.loadSession().then(() => this.loadPredicted())),
      lost: () => this.setConnected(false),
      back: () => this.setConnected(true),
    });
  }

  openOutbox() {
    this.outbox = new Outbox(this.session.corpus ?? "", {
      deliver: (entry) => this.deliver(entry),
      answered: (entry, answer, numbers) => this.onAnswer(entry, answer, numbers),
      refused: (entry, error) => this.onRefusal(entry, error),
      ready: () => this.loadRecordings(),
    });
    this.outbox.addEventListener("change", () => this.tell("unsaved"));
    return this.outbox.start();
  }

  async loadSession() {
    this.session = await getJson("session");
    Object.assign(this, { models: this.session.models, model: this.session.model, set: this.set ?? this.session.set });
    this.tell("session");
  }

  get isEditable() {
    return this.session.editable && this.set !== null && this.recording?.kind === "corpus";
  }

  setAuthor(name) {
    this.author = name.trim() || this.session.author;
    localStorage.setItem(AUTHOR_KEY, this.author);
    setAuthor(this.author);
    this.tell("session");
    if (this.recording) this.follow(() => this.loadItems()); // whether there is something to undo is a matter of who asks
  }

  async chooseSet(name) {
    Object.assign(this, { set: name, saved: NOTHING_SAVED, latest: 0, items: [], covered: [] });
    this.select(null);
    await Promise.all([this.loadLabels(), this.loadItems()]);
    this.tell("session");
  }

  async chooseModel(id) {
    await this.attempt(async () => {
      await putJson("model", { model: id });
      await this.loadSession();
      await this.loadPredicted();
    });
  }

  setConnected(isConnected) {
    this.isConnected = isConnected;
    this.tell("connection");
    if (isConnected) closeError(NO_ANSWER);
    if (isConnected) this.follow(() => this.reload());
  }

  // Everything anew, as a server that came back has it; what was not saved goes out.
  async reload() {
    await this.loadSession();
    await Promise.all([this.loadRecordings(), this.loadLabels(), this.loadJobs()]);
    this.outbox?.retry();
    if (this.recording) await Promise.all([this.loadItems(), this.loadDrafts()]);
  }

  // ---- recordings --------------------------------------------------------------------------------------------

  async loadRecordings() {
    this.recordings = (await getJson("recordings")).recordings;
    const shown = this.recording && this.recordings.find(({ id, name }) => name === this.recording.name || id === this.recording.id);
    if (shown && shown.name === this.recording.name) this.recording.id = shown.id; // ids end with the server that gave them
    this.tell("recordings");
  }

  // Shows a recording, at a time where one is given.
  async show(id, time = null) {
    if (this.recording?.id === id) return this.clock.seek(time ?? firstTime(this.recording.motion));
    this.setOpening(id);
    try {
      const recording = await getJson(`recordings/${id}`);
      if (this.opening !== id) return; // another one was chosen meanwhile
      this.setOpening(null);
      this.setRecording(recording);
      if (time !== null) this.clock.seek(time);
    } catch (error) {
      const isAwaited = this.opening === id;
      if (isAwaited) this.setOpening(null);
      const item = this.recordings.find((each) => each.id === id);
      if (isAwaited && error.status === 422 && item && item.kind !== "corpus" && this.session.options.length) {
        Object.assign(this, { unreadable: { id, name: item.name, error: error.message } });
        this.tell("unreadable");
      } else showError(error);
      await this.attempt(() => this.loadRecordings()); // the list says why it cannot be read
      return;
    }
    await this.attempt(() => Promise.all([this.loadItems(), this.loadDrafts()]));
  }

  setOpening(id) {
    this.opening = id;
    this.tell("opening");
  }

  // The number of a person, or null for everybody.
  choosePerson(person) {
    this.person = person;
    this.tell("person");
  }

  // The recording as the server has it now, such as after it was read with other options.
  setRecording(recording) {
    Object.assign(this, { recording, items: [], covered: [], annotated: false, predictions: null, drafts: [], scores: null, selection: null });
    Object.assign(this, { saved: NOTHING_SAVED, latest: 0 });
    this.clock.load(recording.duration);
    this.tell("recording");
    this.clock.seek(firstTime(recording.motion));
    const item = this.recordings.find(({ id }) => id === recording.id);
    if (!item) return;
    const { duration, fps, skeleton, motion, lines } = recording;
    const warnings = lines.filter((line) => line.startsWith("warning:")).length;
    Object.assign(item, { duration, fps, people: motion.slots.length, skeleton: skeleton.name, warnings, error: null });
    this.tell("recordings");
  }

  // To the recording after (1) or before (-1) this one, as the list is sorted.
  step(by) {
    const next = this.order[this.order.indexOf(this.opening ?? this.recording?.id) + by];
    if (next !== undefined) this.show(next);
  }

  // ---- labels and items --------------------------------------------------------------------------------------

  async loadLabels() {
    if (this.set === null) return;
    this.useLabels(await getJson("labels", { set: this.set }));
  }

  useLabels({ labels, exclusive }) {
    this.labelFacts = labels;
    this.exclusive = exclusive;
    this.labels = new Labels(labels.map(({ name }) => name), labels.map(({ colour }) => colour));
    this.tell("labels");
    if (this.recording) this.showItems();
    if (this.predictions) this.usePredictions(this.predictions);
  }

  isEvent(label) {
    return this.labelFacts[label]?.event ?? false;
  }

  async loadItems() {
    const { recording, set } = this;
    if (set === null || recording?.kind !== "corpus") return this.tell("items");
    const answer = await getJson(`annotations/${recording.id}`, { set });
    const isNewest = answer.version >= this.saved.version; // an answer to a change may have been faster
    if (recording === this.recording && set === this.set && isNewest) this.useItems(answer);
  }

  // The items of the shown recording, as the server has them.
  useItems(saved) {
    this.saved = saved;
    this.showItems();
  }

  showItems() {
    const { items, covered, annotated, version, undo, redo } = this.saved;
    const { name, duration } = this.recording;
    const entries = this.outbox?.of(name, this.set) ?? [];
    const shown = withEntries({ items, covered: annotated && covered === null ? [[0, duration]] : covered ?? [] }, entries);
    this.items = shown.items.map((item) => ({ ...item, label: this.labels.index(item.label) })).filter((item) => item.label >= 0);
    const isEdited = entries.some(({ what }) => what === "edit");
    Object.assign(this, {
      covered: shown.covered, annotated: annotated || entries.length > 0, version, canUndo: undo || isEdited,
      canRedo: (redo && !isEdited) || Boolean(this.outbox?.withdrawn.length),
    });
    this.refreshSelection();
    this.findDrafts();
    this.tell("items");
  }

  // The selected item as it is now; nothing where it is gone.
  refreshSelection() {
    if (this.selection?.kind !== "item") return;
    const { item } = this.selection;
    const now = this.items.find(({ number }) => number === item.number);
    if (!now || ["start", "end", "label", "person"].some((field) => now[field] !== item[field])) this.selectNumber(item.number);
  }

  // Selects the item of a number, as it is now.
  selectNumber(number) {
    const item = this.items.find((each) => each.number === number);
    this.select(item ? { kind: "item", item } : null);
  }

  // As the server wants an item.
  plain({ number, start, end, label, person }) {
    const item = { start, end, label: this.labels.name(label), person: person ?? null };
    return number === undefined ? item : { number, ...item };
  }

  // One change, one step of undo: { about, delete: [item], change: [{ from, to }], add: [item], watched, unwatched }.
  // `selected`: which of the added items is selected from then on. Resolves to the numbers of the added items; to null
  // where it was refused, which was told.
  async edit({ about, delete: removed = [], change = [], add = [], watched = [], unwatched = [], selected = null }) {
    const body = {
      about: [...about].slice(0, MOST_ABOUT).join("").trim(), watched, unwatched,
      delete: removed.map((item) => this.plain(item)),
      change: change.map(({ from, to }) => ({ from: this.plain(from), to: this.plain({ ...to, number: undefined }) })),
      add: add.map((item) => this.plain({ ...item, number: undefined })),
    };
    const temporary = this.outbox.temporaryNumbers(add.length);
    const answer = this.send("edit", body, { temporary, known: Math.max(0, ...this.saved.items.map(({ number }) => number)) });
    if (selected !== null) this.selectNumber(temporary[selected]);
    return (await answer)?.numbers ?? null;
  }

  undo() {
    const withdrawn = this.recording && this.outbox.withdraw(this.recording.name, this.set);
    if (!withdrawn) return this.send("undo", {}).then((answer) => answer?.about && showNote(`Undone: ${answer.about}`));
    this.showItems();
    return showNote(`Undone: ${withdrawn.body.about}`);
  }

  redo() {
    const restored = this.recording && this.outbox.restore(this.recording.name, this.set);
    if (!restored) return this.send("redo", {}).then((answer) => answer?.about && showNote(`Done again: ${answer.about}`));
    this.showItems();
    return showNote(`Done again: ${restored.body.about}`);
  }

  // What was watched of a recording; it is no step of undo.
  watch(intervals, recording = this.recording, set = this.set) {
    return this.outbox.add({ recording: recording.name, set, what: "watched", body: { intervals } });
  }

  // Changes go out one after the other, in the order in which they were made, and show before they are answered.
  send(what, body, more = {}) {
    const answer = this.outbox.add({ recording: this.recording.name, set: this.set, what, body, ...more });
    this.showItems();
    return answer;
  }

  async deliver(entry) {
    const { recording, set, what, body } = entry;
    const id = this.recordings.find(({ name }) => name === recording)?.id;
    if (id === undefined) throw new ApiError(404, `The recording ${recording} is not here any more.`);
    const isOfItems = what === "edit" && body.delete.length + body.change.length + body.add.length > 0;
    if (entry.uncertain && (isOfItems || what === "undo" || what === "redo")) {
      const answer = await getJson(`annotations/${id}`, { set });
      const numbers = what === "edit" ? arrivedNumbers(entry, answer.items) : [];
      if (numbers) return { ...answer, numbers };
    }
    return postJson(`annotations/${id}/${what}`, body, { set });
  }

  onAnswer({ recording, set }, answer, numbers) {
    if (recording !== this.recording?.name || set !== this.set) return;
    const { selection } = this;
    const number = selection?.kind === "item" ? numbers.get(selection.item.number) : undefined;
    if (number !== undefined) this.selection = { kind: "item", item: { ...selection.item, number } };
    this.useItems(answer);
    this.follow(() => this.catchUp());
  }

  onRefusal({ recording, set, what, body }, error) {
    if (recording === this.recording?.name && set === this.set) {
      if (error.status === 409 && error.body?.items) this.useItems(error.body);
      else this.showItems();
    }
    this.follow(() => this.catchUp());
    const about = what === "edit" ? `Not done: ${body.about}. ` : "";
    showError(new ApiError(error.status, `${about}${error.message}`));
  }

  // Changes the label set, as docs/page-api.md says.
  changeLabels(body) {
    return this.attempt(async () => {
      await this.outbox.idle(); // what is on its way has labels by name
      this.useLabels(await postJson("labels", body, { set: this.set }));
      if (body.do === "rename" || body.do === "merge" || body.do === "event") await this.loadItems();
      return true;
    });
  }

  // ---- drafts ------------------------------------------------------------------------------------------------

  async loadDrafts() {
    const { recording, model } = this;
    const isPredicted = this.recordings.find(({ id }) => id === recording?.id)?.predicted ?? true;
    if (!recording || model === null || !isPredicted) return this.usePredictions(null);
    try {
      const predictions = await getJson(`recordings/${recording.id}/predictions`, { model, set: this.set });
      if (recording === this.recording && model === this.model) this.usePredictions(predictions);
    } catch (error) {
      if (error.status !== 404) showError(error);
      if (recording === this.recording) this.usePredictions(null);
    }
  }

  usePredictions(predictions) {
    this.predictions = predictions;
    this.findDrafts();
    this.tell("drafts");
  }

  // Drafts are predictions whose label is not there yet.
  findDrafts() {
    const all = this.predictions ? [...this.predictions.spans, ...this.predictions.instants] : [];
    const drafts = all.map((draft) => ({ ...draft, label: this.labels.index(draft.label), name: draft.label }));
    this.drafts = drafts.filter((draft) => !this.items.some((item) => isLabelled(draft, item, this.exclusive)));
    if (this.selection?.kind === "draft" && !this.drafts.some((draft) => isSame(draft, this.selection.draft))) this.selection = null;
  }

  async reject(drafts) {
    const { recording } = this;
    await this.attempt(async () => {
      const body = { drafts: drafts.map(({ name, ...draft }) => ({ ...draft, label: name })) };
      await postJson(`drafts/${recording.id}/rejected`, body, { set: this.set });
      await this.loadDrafts();
    });
  }

  // ---- selection ---------------------------------------------------------------------------------------------

  // { kind: "item", item }, { kind: "draft", draft }, { kind: "range", start, end } or null
  select(selection) {
    this.selection = selection;
    this.tell("selection");
  }

  // ---- jobs --------------------------------------------------------------------------------------------------

  async loadJobs() {
    if (!this.session.jobs) return;
    this.jobs = (await getJson("jobs")).jobs;
    this.tell("jobs");
  }

  // Queues a job; returns it, null where it was refused, which was told.
  startJob(body) {
    return this.attempt(async () => {
      await this.outbox.idle(); // what was just done is trained with
      const job = await postJson("jobs", body);
      if (!this.jobs.some(({ number }) => number === job.number)) this.onJob(job); // else it has moved on since
      return job;
    });
  }

  onJob(job) {
    this.jobs = [job, ...this.jobs.filter(({ number }) => number !== job.number)].sort((a, b) => b.number - a.number);
    this.tell("jobs");
    const isDue = performance.now() - this.lookedAt > PREDICTED_SECONDS * 1000;
    if (job.kind === "predict" && (job.state === "done" || (job.state === "running" && isDue))) this.loadPredicted();
    else if (job.kind === "embed" && job.state === "done") this.loadRecordings();
  }

  // The list, which says what is predicted by now, and the drafts of the shown recording if it is among that.
  loadPredicted() {
    this.lookedAt = performance.now();
    return this.attempt(async () => {
      await this.loadRecordings();
      await this.loadDrafts();
    });
  }

  // ---- live --------------------------------------------------------------------------------------------------

  // Somebody changed a set: what is shown of it is loaded again, unless it is the answer to a change from here.
  async onChange({ set, version, recordings, labels }) {
    if (set !== this.set) {
      await this.loadSession();
      return;
    }
    if (labels) await this.loadLabels();
    const isOurs = recordings === null || recordings.includes(this.recording?.id);
    if (isOurs) {
      this.latest = Math.max(this.latest, version);
      await this.catchUp();
    }
    clearTimeout(this.listTimer);
    this.listTimer = setTimeout(() => this.follow(() => this.loadRecordings()), 800);
  }

  // Loads the items where somebody changed them since; while a change is on its way from here its answer will have them.
  async catchUp() {
    const isAwaited = this.outbox.isSending && this.outbox.entries[0]?.recording === this.recording?.name;
    if (this.recording && this.latest > this.version && !isAwaited) await this.loadItems();
  }

  // Takes up what the server told. That the server is gone again meanwhile is told by `isConnected`.
  async follow(task) {
    try {
      await task();
    } catch (error) {
      if (error.status !== 0) showError(error);
    }
  }

  // Runs a task; an error is shown. Returns its value, null after an error.
  async attempt(task) {
    try {
      return await task();
    } catch (error) {
      showError(error);
      return null;
    }
  }
}

const isSame = (a, b) => a.start === b.start && a.end === b.end && a.name === b.name && a.person === b.person;

// Whether a label says what a draft proposes, or, where labels exclude each other, has its time.
export function isLabelled(draft, item, exclusive) {
  const isSameLabel = item.label === draft.label;
  const areSpans = draft.end !== null && item.end !== null;
  if ((item.person ?? draft.person) !== draft.person || (!isSameLabel && !(exclusive && areSpans))) return false;
  if (draft.end !== null && item.end === null) return false; // a point label says nothing of bounds
  if (!areSpans) return (draft.end ?? draft.start) >= item.start - NEAR && draft.start <= (item.end ?? item.start) + NEAR;
  const shared = Math.min(draft.end, item.end) - Math.max(draft.start, item.start);
  const isMostOf = ({ start, end }) => shared >= DRAFT_OVERLAP * (end - start);
  return isMostOf(draft) || (isSameLabel && isMostOf(item));
}
