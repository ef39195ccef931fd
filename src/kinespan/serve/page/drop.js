// Files that are dropped on the page: sent to the server, read there, shown, and localized where a model is loaded.

import { byId, el } from "../../viewer/dom.js";
import { postJson, putFile } from "./api.js";
import { showError } from "./dialog.js";

const AT_ONCE = 4;
const TRIES = 40;
const RETRY_MILLISECONDS = 250; // after "too much is under way", a little longer each time

export class DropTarget {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store, depth: 0 });
    this.overlay = el("div", { class: "drop-overlay", hidden: true }, el("p", {}, "Drop motion files here to see them"),
      el("p", { class: "about" }, "Files that belong together, such as ASF and AMC, are dropped together."));
    root.append(this.overlay);
    this.listen();
  }

  listen() {
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const show = (isShown) => (this.overlay.hidden = !isShown);
    this.root.addEventListener("dragenter", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.depth++;
      show(true);
    });
    this.root.addEventListener("dragleave", (event) => {
      if (!hasFiles(event)) return;
      this.depth = Math.max(0, this.depth - 1);
      show(this.depth > 0);
    });
    this.root.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    this.root.addEventListener("drop", async (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.depth = 0;
      show(false);
      this.upload(await filesOf(event.dataTransfer));
    });
  }

  // Sends files and shows what they hold.
  async upload(files) {
    if (!files.length) return;
    const { limits } = this.store.session;
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const refusal = files.length > limits.files ? `${files.length} files are too many at once; at most ${limits.files} are taken.`
      : bytes > limits.bytes ? `${megabytes(bytes)} are too much at once; at most ${megabytes(limits.bytes)} are taken.` : null;
    if (refusal) return showError({ message: `${refusal} Drop fewer, or open the folder by kinespan view.` });
    const progress = new Progress(files.length, bytes);
    const batch = batchName();
    const errors = await this.send(files, batch, progress);
    progress.say("Reading…");
    try {
      const answer = errors.length < files.length ? await postJson(`uploads/${batch}`, {}) : { recordings: [], errors: [] };
      await this.show(answer.recordings);
      errors.push(...answer.errors, ...answer.recordings.filter(({ error }) => error !== null));
    } catch (error) {
      errors.push({ name: `${files.length} file${files.length === 1 ? "" : "s"}`, error: error.message });
    }
    progress.end(errors);
  }

  // Returns the errors, [{ name, error }].
  async send(files, batch, progress) {
    const waiting = [...files];
    const errors = [];
    const work = async () => {
      while (waiting.length) {
        const file = waiting.shift();
        try {
          await sendFile(`uploads/${batch}/${encodeURIComponent(file.name)}`, file, (sent) => progress.update(file, sent));
        } catch (error) {
          errors.push({ name: file.name, error: error.message });
        }
        progress.done(file);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return errors;
  }

  async show(recordings) {
    if (!recordings.length) return;
    const { store } = this;
    await store.loadRecordings();
    const readable = recordings.filter(({ error }) => error === null);
    await store.show((readable[0] ?? recordings[0]).id);
    if (readable.length && store.model !== null && store.session.jobs) {
      await store.startJob({ kind: "predict", model: store.model, recordings: readable.map(({ id }) => id) });
    }
  }
}

const megabytes = (bytes) => `${Math.ceil(bytes / 1e6)} MB`;

const batchName = () => Array.from(crypto.getRandomValues(new Uint8Array(8)),
  (byte) => byte.toString(16).padStart(2, "0")).join("");

async function sendFile(path, file, onprogress) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await putFile(path, file, onprogress);
    } catch (error) {
      if (error.status !== 429 || attempt === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS * Math.min(attempt, 8)));
    }
  }
}

// The files that were dropped, also those in folders.
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const files = [];
  for (;;) { // a reader gives a hundred at a time
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return files;
    files.push(...(await Promise.all(entries.map(filesIn))).flat());
  }
}

// How far the files have come; then, where some could not be used, why.
class Progress {
  constructor(count, bytes) {
    Object.assign(this, { count, bytes: Math.max(1, bytes), sent: new Map(), ended: 0 });
    this.text = el("span", {});
    this.bar = el("progress", { max: "1", value: "0", "aria-label": "Files sent" });
    this.node = el("div", { class: "note upload", role: "status" }, this.text, this.bar);
    byId("notes").append(this.node);
    this.paint();
  }

  update(file, bytes) {
    this.sent.set(file, bytes);
    this.paint();
  }

  done(file) {
    this.ended++;
    this.update(file, file.size);
  }

  paint() {
    const sum = [...this.sent.values()].reduce((total, bytes) => total + bytes, 0);
    this.bar.value = sum / this.bytes;
    this.say(`${this.ended} of ${this.count} file${this.count === 1 ? "" : "s"} sent`);
  }

  say(text) {
    this.text.textContent = text;
  }

  end(errors) {
    this.node.remove();
    if (!errors.length) return;
    const close = el("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: () => node.remove() }, "×");
    const lines = errors.map(({ name, error }) =>
      el("li", { dir: "auto" }, error.startsWith(name) ? error : `${name}: ${error}`));
    const title = `${errors.length} of ${this.count} could not be used as ${errors.length === 1 ? "it is" : "they are"}`;
    const node = el("div", { class: "note error", role: "alert" }, el("div", {}, title, el("ul", {}, ...lines)), close);
    byId("notes").append(node);
  }
}
