// What the page knows, and who is told when it changes. Panels read the store and call its methods; they never fetch what
// the store holds. Events, each sent after the fields are set:
//
//   session      what was opened, annotation sets, models, limits      recordings   the list
//   recording    another recording is shown (details, motion follow)   items        spans, events, covered time of it
//   labels       the label set or its colours                          drafts       predictions of the loaded model
//   selection    the selected item, draft or range of time             jobs         a job moved on
//   connection   the server went or came back
//
// An item is { number, start, end, label, person }, with label an index into `labels` and end null for an event or a
// point label. A draft is { start, end, label, score, person }.

import { Labels } from "../../viewer/colours.js";
import { getJson, listen, postJson, putJson, setAuthor } from "./api.js";
import { showError, showNote } from "./dialog.js";

const AUTHOR_KEY = "kinespan-author";
const DRAFT_OVERLAP = 0.5; // a draft of a label that a span has for this share of it is no draft any more

export class Store extends EventTarget {
  constructor(clock) {
    super();
    Object.assign(this, {
      clock, session: null, recordings: [], recording: null, set: null, labels: new Labels([]), labelFacts: [], exclusive: true,
      items: [], covered: [], annotated: false, version: 0, canUndo: false, canRedo: false, predictions: null, drafts: [],
      scores: null, jobs: [], models: [], model: null, selection: null, isConnected: true,
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
    this.set = this.session.set;
    await Promise.all([this.loadRecordings(), this.loadLabels(), this.loadJobs()]);
    listen({
      change: (data) => this.onChange(data),
      job: (job) => this.onJob(job),
      recordings: () => this.loadRecordings(),
      models: () => this.loadSession().then(() => this.loadDrafts()),
      lost: () => this.setConnected(false),
      back: () => this.setConnected(true),
    });
  }

  async loadSession() {
    this.session = await getJson("session");
    Object.assign(this, { models: this.session.models, model: this.session.model });
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
    if (this.recording) this.loadItems(); // whether there is something to undo is a matter of who asks
  }

  async chooseSet(name) {
    this.set = name;
    this.select(null);
    await Promise.all([this.loadLabels(), this.loadItems()]);
    this.tell("session");
  }

  async chooseModel(id) {
    await this.attempt(async () => {
      await putJson("model", { model: id });
      await this.loadSession();
      await this.loadDrafts();
    });
  }

  setConnected(isConnected) {
    this.isConnected = isConnected;
    this.tell("connection");
    if (isConnected) this.reload();
  }

  async reload() {
    await this.loadSession();
    await Promise.all([this.loadRecordings(), this.loadLabels(), this.loadJobs()]);
    if (this.recording) await Promise.all([this.loadItems(), this.loadDrafts()]);
  }

  // ---- recordings --------------------------------------------------------------------------------------------

  async loadRecordings() {
    this.recordings = (await getJson("recordings")).recordings;
    this.tell("recordings");
  }

  // Shows a recording, at a time where one is given.
  async show(id, time = 0) {
    if (this.recording?.id === id) return this.clock.seek(time);
    this.wanted = id;
    await this.attempt(async () => {
      const recording = await getJson(`recordings/${id}`);
      if (this.wanted !== id) return; // another one was chosen meanwhile
      this.setRecording(recording);
      this.clock.seek(time);
      await Promise.all([this.loadItems(), this.loadDrafts()]);
    });
  }

  // The recording as the server has it now, such as after it was read with other options.
  setRecording(recording) {
    Object.assign(this, { recording, items: [], covered: [], annotated: false, predictions: null, drafts: [], scores: null, selection: null });
    this.clock.load(recording.duration);
    this.tell("recording");
  }

  step(by) {
    const index = this.recordings.findIndex(({ id }) => id === this.recording?.id);
    const next = this.recordings[index + by];
    if (next) this.show(next.id);
  }

  // ---- labels and items --------------------------------------------------------------------------------------

  async loadLabels() {
    if (this.set === null) return;
    this.useLabels(await getJson("labels", { set: this.set }));
  }

  useLabels({ labels, exclusive }) {
    const names = this.items.map((item) => this.labels.name(item.label)); // items keep their labels by name
    this.labelFacts = labels;
    this.exclusive = exclusive;
    this.labels = new Labels(labels.map(({ name }) => name), labels.map(({ colour }) => colour));
    this.items = this.items.map((item, i) => ({ ...item, label: this.labels.index(names[i]) })).filter((item) => item.label >= 0);
    this.tell("labels");
    if (this.predictions) this.usePredictions(this.predictions);
  }

  isEvent(label) {
    return this.labelFacts[label]?.event ?? false;
  }

  async loadItems() {
    const { recording, set } = this;
    if (set === null || recording?.kind !== "corpus") return this.tell("items");
    const answer = await getJson(`annotations/${recording.id}`, { set });
    if (recording === this.recording && set === this.set) this.useItems(answer);
  }

  useItems({ items, covered, annotated, version, undo, redo }) {
    this.items = items.map((item) => ({ ...item, label: this.labels.index(item.label) })).filter((item) => item.label >= 0);
    const { duration } = this.recording;
    Object.assign(this, { covered: annotated && covered === null ? [[0, duration]] : covered ?? [], annotated, version, canUndo: undo, canRedo: redo });
    if (this.selection?.kind === "item") {
      const item = this.items.find(({ number }) => number === this.selection.item.number);
      this.selection = item ? { kind: "item", item } : null;
    }
    this.findDrafts();
    this.tell("items");
  }

  // As the server wants an item.
  plain({ number, start, end, label, person }) {
    const item = { start, end, label: this.labels.name(label), person: person ?? null };
    return number === undefined ? item : { number, ...item };
  }

  // One change, one step of undo: { about, delete: [item], change: [{ from, to }], add: [item], watched, unwatched }.
  // Returns the numbers of the added items; null where it was refused, which was told.
  async edit({ about, delete: removed = [], change = [], add = [], watched = [], unwatched = [] }) {
    const body = {
      about, watched, unwatched,
      delete: removed.map((item) => this.plain(item)),
      change: change.map(({ from, to }) => ({ from: this.plain(from), to: this.plain({ ...to, number: undefined }) })),
      add: add.map((item) => this.plain(item)),
    };
    return this.send("edit", body).then((answer) => answer?.numbers ?? null);
  }

  undo() {
    return this.send("undo", {}).then((answer) => answer && showNote(`Undone: ${answer.about}`));
  }

  redo() {
    return this.send("redo", {}).then((answer) => answer && showNote(`Done again: ${answer.about}`));
  }

  // What was watched; it is no step of undo.
  watch(intervals) {
    return this.send("watched", { intervals });
  }

  // Changes go out one after the other, in the order in which they were made.
  send(what, body) {
    const { recording, set } = this;
    const task = async () => {
      try {
        const answer = await postJson(`annotations/${recording.id}/${what}`, body, { set });
        if (recording === this.recording && set === this.set) this.useItems(answer);
        return answer;
      } catch (error) {
        if (error.status === 409 && error.body?.items && recording === this.recording) this.useItems(error.body);
        showError(error);
        return null;
      }
    };
    this.sending = (this.sending ?? Promise.resolve()).then(task);
    return this.sending;
  }

  // Changes the label set, as docs/page-api.md says.
  changeLabels(body) {
    return this.attempt(async () => {
      this.useLabels(await postJson("labels", body, { set: this.set }));
      if (body.do === "rename" || body.do === "merge" || body.do === "event") await this.loadItems();
    });
  }

  // ---- drafts ------------------------------------------------------------------------------------------------

  async loadDrafts() {
    const { recording, model } = this;
    if (!recording || model === null) return this.usePredictions(null);
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
    this.drafts = drafts.filter((draft) => !this.items.some((item) => isLabelled(draft, item, DRAFT_OVERLAP)));
    if (this.selection?.kind === "draft" && !this.drafts.some((draft) => isSame(draft, this.selection.draft))) this.selection = null;
  }

  // Adds drafts to the set as they are; one step of undo.
  accept(drafts) {
    const add = drafts.filter((draft) => draft.label >= 0).map(({ start, end, label, person }) => ({ start, end, label, person }));
    const about = drafts.length === 1 ? "draft accepted" : `${drafts.length} drafts accepted`;
    return this.edit({ about, add });
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

  startJob(body) {
    return this.attempt(async () => this.onJob(await postJson("jobs", body)));
  }

  onJob(job) {
    this.jobs = [job, ...this.jobs.filter(({ number }) => number !== job.number)].sort((a, b) => b.number - a.number);
    this.tell("jobs");
    if (job.state === "done" && (job.kind === "predict" || job.kind === "embed")) {
      this.loadDrafts();
      this.loadRecordings();
    }
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
    if (isOurs && version > this.version) await this.loadItems();
    clearTimeout(this.listTimer);
    this.listTimer = setTimeout(() => this.loadRecordings(), 800);
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

function isLabelled(draft, item, share) {
  if (item.label !== draft.label || (item.person ?? draft.person) !== draft.person) return false;
  if (draft.end === null || item.end === null) return (draft.end ?? draft.start) >= item.start - 0.25 && draft.start <= (item.end ?? item.start) + 0.25;
  const shared = Math.min(draft.end, item.end) - Math.max(draft.start, item.start);
  return shared >= share * (draft.end - draft.start) || shared >= share * (item.end - item.start);
}
