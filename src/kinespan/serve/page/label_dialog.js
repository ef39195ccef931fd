// The form of one label: name, colour, key, whether it names spans or events; it is merged with another one or deleted here.

import { PALETTE } from "../../viewer/colours.js";
import { el } from "../../viewer/dom.js";
import { ask } from "./dialog.js";
import { LABEL_KEYS } from "./label_keys.js";

// Shows the form of a label by index, -1 for a new one; resolves when it was closed and what was changed is saved.
export function editLabel(page, label) {
  return new Promise((resolve) => new LabelDialog(page, label, resolve));
}

class LabelDialog {
  constructor(page, label, resolve) {
    const { store } = page;
    const fact = store.labelFacts[label] ?? { name: "", event: false, colour: null, items: 0 };
    Object.assign(this, { page, store, label, fact, colour: fact.colour });
    const title = label < 0 ? "New label" : "Label";
    this.name = el("input", { type: "text", name: "name", value: fact.name, required: true, maxlength: "200", autocomplete: "off",
      dir: "auto" });
    this.kind = el("select", { name: "kind" }, ...[["span", "spans: with a start and an end"], ["event", "events: at an instant"]]
      .map(([key, text]) => el("option", { value: key, selected: (key === "event") === fact.event }, text)));
    this.key = el("select", { name: "key" }, el("option", { value: "" }, "by its place: 1 to 9, 0"),
      ...LABEL_KEYS.map((key) => el("option", { value: key, selected: page.editor.labelKeys.given[fact.name] === key }, key)));
    const form = el("form", { method: "dialog" }, el("h2", {}, title),
      el("label", {}, "Name", this.name), el("label", {}, "It names", this.kind), this.colourField(),
      el("label", {}, "Key", this.key),
      label >= 0 && this.others(),
      el("div", { class: "buttons" },
        el("button", { type: "button", class: "ghost", onclick: () => this.dialog.close() }, "Cancel"),
        el("button", { type: "submit", class: "strong" }, label < 0 ? "Add" : "Save")));
    this.dialog = el("dialog", { class: "label-dialog", "aria-label": title }, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    this.dialog.addEventListener("close", () => {
      this.dialog.remove();
      resolve();
    });
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.name.select();
  }

  // The palette first, whose colours colour-blind people tell apart; any other colour besides.
  colourField() {
    const choose = (colour) => {
      this.colour = colour;
      for (const radio of radios) radio.checked = radio.value === (colour ?? "");
      other.value = colour ?? PALETTE[Math.max(0, this.label) % PALETTE.length];
    };
    const radios = ["", ...PALETTE].map((colour) => el("input", {
      type: "radio", name: "colour", value: colour, checked: (this.fact.colour ?? "") === colour,
      "aria-label": colour ? `Colour ${PALETTE.indexOf(colour) + 1}` : "Colour by its place",
      vars: { "--c": colour || "transparent" }, class: colour ? "colour" : "colour automatic", title: colour || "by its place",
      onchange: () => choose(colour || null),
    }));
    const other = el("input", { type: "color", "aria-label": "Another colour",
      value: this.fact.colour ?? PALETTE[Math.max(0, this.label) % PALETTE.length], onchange: () => choose(other.value) });
    return el("fieldset", {}, el("legend", {}, "Colour"), ...radios, other);
  }

  others() {
    const { store, fact } = this;
    const mergeable = store.labelFacts.filter(({ name, event }) => name !== fact.name && event === fact.event);
    const into = el("select", { "aria-label": "Merge into" },
      ...mergeable.map(({ name }) => el("option", { value: name }, name)));
    const remove = el("button", {
      type: "button", disabled: fact.items > 0, onclick: () => this.apply({ do: "delete", name: fact.name }),
      title: fact.items > 0 ? "A label that is used cannot be deleted; merge it into another one." : null,
    }, "Delete label");
    const merge = el("button", { type: "button", onclick: () => this.merge(into.value) }, "Merge into");
    return el("div", { class: "others" }, mergeable.length ? el("span", { class: "merge" }, merge, into) : null, remove);
  }

  async merge(into) {
    const { name, items } = this.fact;
    const count = items === 1 ? "1 item" : `${items} items`;
    const about = `${count} of “${name}” will have the label “${into}”, and “${name}” is gone.`;
    if (await ask("Merge labels", { about, confirm: "Merge" })) await this.apply({ do: "merge", name, into });
  }

  async apply(body) {
    if (await this.store.changeLabels(body)) this.dialog.close();
  }

  async save() {
    const { fact, label, store, page } = this;
    const name = this.name.value.trim();
    const event = this.kind.value === "event";
    const steps = label < 0 ? [{ do: "add", name, event }] : [
      name !== fact.name && { do: "rename", name: fact.name, to: name },
      event !== fact.event && { do: "event", name, event },
    ];
    if (this.colour !== fact.colour) steps.push({ do: "colour", name, colour: this.colour });
    const isCurrent = page.editor.currentName === fact.name;
    const given = page.editor.labelKeys.given[fact.name] ?? null;
    for (const step of steps) if (step && !(await store.changeLabels(step))) return; // what is wrong was told
    if (isCurrent || label < 0) page.editor.setCurrent(store.labels.index(name));
    const key = this.key.value || null;
    if (name !== fact.name && given) page.editor.labelKeys.give(fact.name, null);
    if (key !== given || (name !== fact.name && key)) page.editor.labelKeys.give(name, key);
    this.dialog.close();
  }
}
