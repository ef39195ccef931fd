// A small box that finds a label while its name is typed, and makes one where none fits.

import { el } from "../../viewer/dom.js";

const MOST_SHOWN = 60;

// Resolves to the index of a label; to null where it was closed. kind: "span" or "event" labels only, null for all.
export function chooseLabel(store, { title, kind = null, current = -1 }) {
  return new Promise((resolve) => new LabelChooser(store, { title, kind, current, resolve }));
}

class LabelChooser {
  constructor(store, { title, kind, current, resolve }) {
    Object.assign(this, { store, kind, current, options: [], active: 0, chosen: null });
    this.input = el("input", {
      type: "text", role: "combobox", "aria-label": title, "aria-expanded": "true", "aria-controls": "chooser-options",
      "aria-autocomplete": "list",
      placeholder: "Type a label", autocomplete: "off", spellcheck: "false", maxlength: "200", dir: "auto",
      oninput: () => this.filter(), onkeydown: (event) => this.onKey(event),
    });
    this.list = el("div", { class: "options", role: "listbox", id: "chooser-options", "aria-label": "Labels" });
    this.dialog = el("dialog", { class: "chooser-box", "aria-label": title }, el("h2", {}, title), this.input, this.list,
      el("p", { class: "about" }, "Enter chooses, Escape closes."));
    this.dialog.addEventListener("close", () => {
      this.dialog.remove();
      resolve(this.chosen);
    });
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.filter();
  }

  filter() {
    const { labels, labelFacts } = this.store;
    const typed = this.input.value.trim();
    const wanted = typed.toLowerCase();
    const suits = (i) => this.kind === null || labelFacts[i].event === (this.kind === "event");
    const rank = (i) => [labels.name(i).toLowerCase().startsWith(wanted) ? 0 : 1, i === this.current ? 0 : 1, i];
    const fitting = labels.names.map((_, i) => i).filter((i) => suits(i) && labels.name(i).toLowerCase().includes(wanted));
    fitting.sort((a, b) => compare(rank(a), rank(b)));
    this.options = fitting.slice(0, MOST_SHOWN).map((label) => ({ label }));
    if (typed && labels.index(typed) < 0 && this.store.isEditable) {
      const kinds = this.kind === null ? ["span", "event"] : [this.kind];
      this.options.push(...kinds.map((kind) => ({ name: typed, event: kind === "event" })));
    }
    this.active = 0;
    this.render();
  }

  render() {
    const { labels } = this.store;
    this.list.replaceChildren(...this.options.map((option, i) => {
      const isNew = option.label === undefined;
      const content = isNew ? ["New ", option.event ? "event " : "label ", el("bdi", {}, option.name)]
        : [labels.swatch(option.label), el("bdi", {}, labels.name(option.label))];
      return el("div", {
        class: "option", role: "option", id: `chooser-option-${i}`, "aria-selected": String(i === this.active),
        onclick: () => this.choose(i),
      }, ...content);
    }));
    if (!this.options.length) {
      this.list.append(el("p", { class: "about" }, this.store.labels.length ? "No label has this in its name."
        : "There are no labels yet: type the name of the first."));
    }
    this.input.setAttribute("aria-activedescendant", `chooser-option-${this.active}`);
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  onKey(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && this.options.length) {
      this.active = (this.active + by + this.options.length) % this.options.length;
      this.render();
    } else if (event.key === "Enter") this.choose(this.active);
    else return;
    event.preventDefault();
  }

  async choose(index) {
    const option = this.options[index];
    if (!option) return;
    let { label } = option;
    if (label === undefined) {
      await this.store.changeLabels({ do: "add", name: option.name, event: option.event });
      label = this.store.labels.index(option.name);
    }
    this.chosen = label >= 0 ? label : null;
    this.dialog.close();
  }
}

function compare(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}
