// Export: labels in the formats of other programs, and the report.

import { el } from "../../viewer/dom.js";
import { getResponse } from "./api.js";
import { showNote } from "./dialog.js";
import { nameText } from "./moments.js";

const REPORT = "One HTML file with the motion, the labels and, where a model is loaded, what it predicts. It opens anywhere, " +
  "without kinespan.";
const FORMAT_KEY = "kinespan-export-format";

export class ExportPanel {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store });
    root.classList.add("loop");
    this.what = el("p", { class: "hint", dir: "auto" });
    this.one = el("span", {});
    this.scopes = el("div", { class: "scopes", role: "radiogroup", "aria-label": "Which recordings" },
      this.scope("one", this.one, true), this.scope("all", "all recordings of the set", false));
    this.formats = el("div", { class: "formats", role: "radiogroup", "aria-label": "Format" });
    this.download = el("button", { type: "button", class: "strong wide", onclick: () => this.save() }, "Download labels");
    this.lost = el("div", { class: "lost", role: "status", hidden: true });
    this.withModel = el("input", { type: "checkbox", checked: true });
    this.modelName = el("span", {});
    this.modelField = el("label", { class: "choice" }, this.withModel, this.modelName);
    this.report = el("button", { type: "button", class: "wide", onclick: () => this.saveReport() }, "Download the report");
    root.append(
      el("section", {}, el("h3", {}, "Labels"), this.what, this.scopes, this.formats, this.download, this.lost),
      el("section", {}, el("h3", {}, "Report"),
        el("p", { class: "hint" }, REPORT),
        this.modelField, this.report));
    this.store.on("session recording", () => this.show());
    this.store.on("recordings", () => this.store.set !== null && this.showModel());
  }

  get isUsed() {
    return Boolean(this.store.session?.sets.length);
  }

  scope(value, text, checked) {
    const input = el("input", { type: "radio", name: "export-scope", value, checked, onchange: () => this.chooseScope(value) });
    return el("label", { class: "choice" }, input, el("span", {}, text));
  }

  chooseScope(value) {
    this.chosenScope = value;
    this.showModel();
    this.clearLost();
  }

  // ---- what is shown -----------------------------------------------------------------------------------------

  show() {
    const { session, set, recording } = this.store;
    if (!session || set === null) return;
    this.what.replaceChildren("The set ", nameText(set), ", as it is now.");
    this.one.replaceChildren("this recording", ...(recording ? [": ", nameText(recording.name)] : []));
    const [one, all] = this.scopes.querySelectorAll("input");
    one.disabled = recording?.kind !== "corpus";
    if (one.disabled || this.chosenScope === "all") all.checked = true;
    else one.checked = true;
    if (!this.formats.childElementCount) this.showFormats(session.formats);
    this.showModel();
    this.clearLost();
  }

  // A report holds predictions where there are some of what it is about.
  showModel() {
    const { model, models, recordings } = this.store;
    const { recording } = this.query;
    const isPredicted = recordings.some(({ id, predicted }) => predicted && (recording === null || id === recording));
    this.modelField.hidden = model === null || !isPredicted;
    this.modelName.textContent = `with what ${models.find(({ id }) => id === model)?.name ?? "the model"} predicts`;
  }

  showFormats(formats) {
    const wanted = [localStorage.getItem(FORMAT_KEY), "csv", formats[0]?.name];
    const chosen = wanted.find((format) => formats.some(({ name }) => name === format));
    const input = (name) => el("input",
      { type: "radio", name: "export-format", value: name, checked: name === chosen, onchange: () => this.clearLost() });
    this.formats.replaceChildren(...formats.map(({ name, about, suffix }) => el("label", { class: "format" }, input(name),
      el("span", { class: "format-text" }, el("b", {}, name, el("code", {}, suffix)), el("span", { class: "hint" }, about)))));
  }

  get query() {
    const isOne = this.scopes.querySelector("input:checked").value === "one";
    return { set: this.store.set, recording: isOne ? this.store.recording?.id ?? null : null };
  }

  clearLost() {
    this.lost.hidden = true;
  }

  // ---- files -------------------------------------------------------------------------------------------------

  async save() {
    const format = this.formats.querySelector("input:checked")?.value;
    if (!format) return;
    localStorage.setItem(FORMAT_KEY, format);
    this.clearLost();
    this.download.disabled = true;
    await this.store.attempt(async () => {
      await this.store.outbox.idle(); // what was just done is in the file
      const response = await getResponse("export", { ...this.query, format });
      const name = fileName(response.headers.get("Content-Disposition")) ?? `labels-${format}`;
      saveAs(await response.blob(), name);
      const lost = decodeURIComponent(response.headers.get("X-Lost") ?? "").split("\n").filter(Boolean);
      if (lost.length) this.showLost(format, lost);
      else showNote(`${name}: everything was written.`);
    });
    this.download.disabled = false;
  }

  showLost(format, lost) {
    this.lost.replaceChildren(el("p", {}, `Written. ${format} cannot hold all of it:`),
      el("ul", {}, ...lost.map((line) => el("li", { dir: "auto" }, line))));
    this.lost.hidden = false;
  }

  async saveReport() {
    this.report.disabled = true;
    await this.store.attempt(async () => {
      const model = this.withModel.checked && !this.modelField.hidden ? this.store.model : null;
      const response = await getResponse("report", { ...this.query, model });
      const name = fileName(response.headers.get("Content-Disposition")) ?? "report.html";
      saveAs(await response.blob(), name);
      showNote(`${name} was written; any browser opens it.`);
    });
    this.report.disabled = false;
  }
}

// The name of a file as the server gives it.
function fileName(disposition) {
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? "");
  return encoded ? decodeURIComponent(encoded[1]) : /filename="?([^";]+)/i.exec(disposition ?? "")?.[1];
}

function saveAs(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
