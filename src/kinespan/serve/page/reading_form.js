// What was decided when a motion file was read, and the options of reading, tried as they are chosen.

import { el } from "../../viewer/dom.js";
import { postJson } from "./api.js";
import { showNote } from "./dialog.js";

const WARNING = "warning:";
const TYPING_PAUSE = 500; // milliseconds without a key before what was typed is tried

const titleOf = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

export class Reading {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store });
    this.warnings = el("ul", { class: "warnings", "aria-label": "Warnings" });
    this.lines = el("ul", { class: "lines" });
    this.options = el("div");
    this.command = el("code", { class: "command", dir: "auto" });
    const copy = el("button", { type: "button", class: "ghost", onclick: () => this.copyCommand() }, "Copy");
    this.keep = el("div", { class: "keep" }, el("span", {}, "To keep them, add to the command:"), this.command, copy);
    this.summary = el("summary", {}, "How it was read");
    this.fold = el("details", { class: "reading" }, this.summary,
      el("div", { class: "reading-body" }, this.lines, this.options, this.keep));
    root.append(this.warnings, this.fold);
    this.store.on("recording", () => this.show());
    this.store.on("unreadable", () => new UnreadableDialog(this.store));
  }

  show() {
    const { recording, session } = this.store;
    const warnings = recording.lines.filter((line) => line.startsWith(WARNING));
    this.warnings.replaceChildren(...warnings.map((line) => el("li", { dir: "auto" }, line.slice(WARNING.length).trim())));
    this.warnings.hidden = !warnings.length;
    const facts = recording.attributes.map(([name, value]) => el("li", { dir: "auto" }, `${name}: ${value}`));
    this.lines.replaceChildren(...recording.lines.filter((line) => !line.startsWith(WARNING)).map((line) =>
      el("li", { dir: "auto" }, line)), ...facts);
    const hasOptions = recording.kind !== "corpus" && session.options.length > 0;
    this.options.hidden = !hasOptions;
    this.showCommand();
    if (hasOptions && this.shownId !== recording.id) {
      const form = new OptionsForm(session.options, recording.id, recording.options, (again) => this.use(again));
      this.options.replaceChildren(form.form, form.status);
    }
    if (hasOptions) this.summary.textContent = "How it was read, and options";
    else this.summary.textContent = "How it was read";
    this.shownId = recording.id;
  }

  showCommand() {
    const { command } = this.store.recording;
    this.keep.hidden = !command;
    this.command.textContent = command;
  }

  // Shows the recording as it was read now, at the same time.
  async use(recording) {
    const { store } = this;
    if (store.recording?.id !== recording.id) return;
    const { time } = store.clock;
    store.setRecording(recording);
    store.clock.seek(time);
    await Promise.all([store.loadItems(), store.loadDrafts()]);
  }

  async copyCommand() {
    try {
      await navigator.clipboard.writeText(this.command.textContent);
      showNote("Copied");
    } catch {
      getSelection().selectAllChildren(this.command); // the browser keeps its clipboard from pages
    }
  }
}

// The options of reading a file, which is read again whenever one is chosen; where that fails, it says why.
class OptionsForm {
  // given: the options that hold now; onread: gets the Recording when the file could be read
  constructor(options, id, given, onread) {
    Object.assign(this, { id, onread, tries: 0 });
    this.inputs = options.map((option) => [option, this.input(option, given[option.name] ?? option.value)]);
    this.status = el("p", { class: "status", role: "status" });
    this.form = el("form", { class: "options", "aria-label": "Options of reading", onsubmit: (event) => event.preventDefault() },
      ...this.inputs.map(([option, input]) =>
        el("label", { title: option.about }, el("span", {}, titleOf(option.name)), input, el("small", {}, option.about))));
  }

  input({ name, choices, type }, value) {
    if (choices) {
      const empty = choices.includes("auto") ? [] : [el("option", { value: "" }, "as the file says")];
      const options = choices.map((choice) => el("option", { value: choice, selected: String(choice) === String(value) },
        String(choice)));
      return el("select", { name, onchange: () => this.attempt() }, ...empty, ...options);
    }
    const oninput = () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.attempt(), TYPING_PAUSE);
    };
    const kind = type === "number" ? { type: "number", step: "any", inputmode: "decimal" } : { type: "text" };
    return el("input", { ...kind, name, value: value ?? "", placeholder: "as the file says", autocomplete: "off", oninput });
  }

  // The options that differ from what a reader does by itself.
  given() {
    const given = {};
    for (const [{ name, type }, input] of this.inputs) {
      const text = input.value.trim();
      if (text !== "") given[name] = type === "number" ? Number(text) : text;
    }
    return given;
  }

  async attempt() {
    const number = ++this.tries;
    this.status.className = "status";
    this.status.textContent = "Reading…";
    try {
      const recording = await postJson(`recordings/${this.id}/read`, { options: this.given() });
      if (number !== this.tries) return;
      this.status.textContent = "";
      await this.onread(recording);
    } catch (error) {
      if (number !== this.tries) return;
      this.status.className = "status error";
      this.status.textContent = error.message;
    }
  }
}

// A file that cannot be read as it is: why, and the options that may mend it.
class UnreadableDialog {
  constructor(store) {
    const { id, name, error } = store.unreadable;
    const close = el("button", { type: "button", class: "ghost", onclick: () => this.dialog.close() }, "Close");
    const form = new OptionsForm(store.session.options, id, {}, async () => {
      this.dialog.close();
      await store.show(id);
    });
    form.status.classList.add("error");
    form.status.textContent = error;
    this.dialog = el("dialog", { class: "unreadable", "aria-label": `${name} cannot be read as it is` },
      el("h2", { dir: "auto" }, `${name} cannot be read as it is`), form.status,
      el("p", {}, "What the file does not say can be given here; it is read again at once."), form.form,
      el("div", { class: "buttons" }, close));
    this.dialog.addEventListener("close", () => this.dialog.remove());
    document.body.append(this.dialog);
    this.dialog.showModal();
  }
}
