// What the page says and asks: notes that pass, errors that stay until they are closed, and small forms.

import { byId, el } from "../../viewer/dom.js";

const NOTE_SECONDS = 3;

export function showNote(text) {
  const note = el("div", { class: "note", role: "status" }, text);
  byId("notes").append(note);
  setTimeout(() => note.remove(), NOTE_SECONDS * 1000);
}

// An error in words; one that is shown already is not shown twice.
export function showError(error) {
  const text = error.message ?? String(error);
  if (errorNotes(text).length) return;
  const close = el("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: () => note.remove() }, "×");
  const note = el("div", { class: "note error", role: "alert" }, el("span", {}, text), close);
  byId("notes").append(note);
}

// Takes an error away that does not hold any more.
export function closeError(text) {
  for (const note of errorNotes(text)) note.remove();
}

const errorNotes = (text) =>
  [...byId("notes").querySelectorAll(".note.error")].filter((note) => note.firstElementChild.textContent === text);

// Asks in a dialog. fields: [{ name, label, value, type, choices, required }]; resolves to { name: value }, or null
// where it was closed. Without fields it asks to confirm.
export function ask(title, { about = "", fields = [], confirm = "OK" } = {}) {
  return new Promise((resolve) => {
    const inputs = fields.map((field) => [field, fieldInput(field)]);
    const form = el("form", { method: "dialog" },
      el("h2", {}, title), about && el("p", { class: "about" }, about),
      ...inputs.map(([field, input]) => el("label", {}, field.label, input)),
      el("div", { class: "buttons" },
        el("button", { type: "button", class: "ghost", onclick: () => dialog.close("") }, "Cancel"),
        el("button", { type: "submit", class: "strong", value: "ok" }, confirm)));
    const dialog = el("dialog", { "aria-label": title }, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.close("ok");
    });
    dialog.addEventListener("close", () => {
      const isOk = dialog.returnValue === "ok";
      resolve(isOk ? Object.fromEntries(inputs.map(([field, input]) => [field.name, valueOf(field, input)])) : null);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function fieldInput({ value = "", type = "text", choices = null, required = false, name }) {
  if (choices) {
    const options = choices.map((choice) => (Array.isArray(choice) ? choice : [choice, choice]));
    return el("select", { name }, ...options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  }
  if (type === "checkbox") return el("input", { type, name, checked: Boolean(value) });
  return el("input", { type, name, value, required, autocomplete: "off" });
}

const valueOf = ({ type }, input) => (type === "checkbox" ? input.checked : input.value);
