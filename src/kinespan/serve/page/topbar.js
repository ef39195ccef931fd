// The bar at the top: title, annotation set, author, model, connection, undo and redo.

import { el } from "../../viewer/dom.js";
import { postJson } from "./api.js";
import { ask } from "./dialog.js";

const NEW = "\u0000new"; // what no set is called
const COPY = "\u0000copy";

export class Topbar {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store });
    const toggle = el("button", {
      type: "button", class: "ghost list-toggle", "aria-label": "Recordings", "aria-controls": "list", title: "Recordings",
      onclick: () => toggle.setAttribute("aria-expanded", String(document.body.classList.toggle("list-open"))),
    }, "☰");
    this.title = el("span", { class: "title", dir: "auto" });
    this.set = el("select", { id: "set", "aria-label": "Annotation set", onchange: () => this.chooseSet() });
    this.author = el("input", { id: "author", "aria-label": "Your name, kept with what you label",
      title: "Your name, kept with what you label", autocomplete: "name", spellcheck: "false", maxlength: "100" });
    this.model = el("select", { id: "model", "aria-label": "Model", onchange: () => this.chooseModel() });
    this.connection = el("span", { class: "connection", role: "status" });
    this.undo = this.button("↶", "Undo (u)", () => this.store.undo());
    this.redo = this.button("↷", "Redo (Shift+U)", () => this.store.redo());
    const keys = this.button("?", "Keys (?)", () => page.keys.showHelp?.());
    this.setField = this.field("Set", this.set);
    this.authorField = this.field("By", this.author);
    this.modelField = this.field("Model", this.model);
    root.append(toggle, el("img", { class: "mark", src: "/static/serve/page/icon.svg", alt: "" }),
      el("b", { class: "brand" }, "kinespan"), this.title,
      el("span", { class: "gap" }), this.connection, this.setField, this.authorField, this.modelField,
      el("span", { class: "history" }, this.undo, this.redo), keys);
    this.listen();
  }

  button(text, title, onclick) {
    return el("button", { type: "button", class: "ghost icon-button", title, "aria-label": title, onclick }, text);
  }

  field(name, input) {
    return el("label", { class: "field" }, el("span", {}, name), input);
  }

  listen() {
    const { store, author } = this;
    store.on("session", () => this.show());
    store.on("items recording", () => this.showHistory());
    store.on("connection", () => this.showConnection());
    author.addEventListener("change", () => store.setAuthor(author.value));
    author.addEventListener("keydown", (event) => {
      if (event.key === "Escape") author.value = store.author;
      if (event.key === "Enter" || event.key === "Escape") author.blur();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") document.body.classList.remove("list-open");
    });
    document.querySelector("main").addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".list")) document.body.classList.remove("list-open");
    });
  }

  show() {
    const { session, set, model, author } = this.store;
    this.title.textContent = this.title.title = session.title;
    document.title = `${session.title} – kinespan`;
    this.setField.hidden = !session.sets.length && !session.editable;
    this.authorField.hidden = !session.editable;
    this.modelField.hidden = !session.models.length;
    this.undo.parentElement.hidden = !session.editable;
    const making = session.editable ? [el("option", { value: NEW }, "New set…"),
      ...(set === null ? [] : [el("option", { value: COPY }, `Copy ${set}…`)])] : [];
    this.set.replaceChildren(...(set === null ? [el("option", { value: "" }, "none")] : []),
      ...session.sets.map(({ name, author: by }) => el("option", { value: name, selected: name === set },
        by && by !== author ? `${name} (${by})` : name)), ...making);
    this.model.replaceChildren(el("option", { value: "", selected: model === null }, "none"),
      ...session.models.map(({ id, name }) => el("option", { value: id, selected: id === model }, name)));
    if (document.activeElement !== this.author) this.author.value = this.store.author ?? session.author;
    this.showHistory();
    this.showConnection();
  }

  showHistory() {
    const { store } = this;
    this.undo.disabled = !(store.isEditable && store.canUndo);
    this.redo.disabled = !(store.isEditable && store.canRedo);
  }

  showConnection() {
    const { isConnected } = this.store;
    this.connection.className = `connection ${isConnected ? "on" : "off"}`;
    this.connection.textContent = isConnected ? "" : "The server is not there";
    this.connection.title = isConnected ? "Connected: what you do is saved at once"
      : "Is kinespan still running in its window? The page connects again by itself.";
  }

  chooseModel() {
    this.store.chooseModel(this.model.value || null);
  }

  async chooseSet() {
    const { value } = this.set;
    if (value !== NEW && value !== COPY) return this.store.chooseSet(value);
    const { store } = this;
    const copy = value === COPY ? store.set : null;
    this.show(); // until it is made, the set is as it was
    const answer = await ask(copy === null ? "New annotation set" : `Copy the set ${copy}`, {
      about: copy === null ? "Empty, with the labels of this set. Two people label in sets of their own, and compare them."
        : "With all of its labels, and what was looked at.",
      fields: [
        { name: "name", label: "Name of the set", required: true, value: copy === null ? "" : `${copy} copy` },
        { name: "author", label: "Your name", required: true, value: store.author },
      ],
      confirm: "Make it",
    });
    if (answer === null || !answer.name.trim()) return;
    store.setAuthor(answer.author);
    await store.attempt(async () => {
      await postJson("sets", { name: answer.name.trim(), copy });
      await store.loadSession();
      await store.chooseSet(answer.name.trim());
    });
  }
}
