// Labels: the label set with keys, colours and order, how labels are put, and the items of the recording.

import { el } from "../../viewer/dom.js";
import { ItemList } from "./item_list.js";
import { editLabel } from "./label_dialog.js";

export class LabelPanel {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store, editor: page.editor });
    root.classList.add("label-panel");
    this.hint = this.firstHint();
    this.list = el("ol", { class: "label-list", "aria-label": "Labels" });
    this.add = el("button", { type: "button", onclick: () => this.edit(-1) }, "New label");
    this.exclusive = el("select", { "aria-label": "Whether labels overlap", onchange: () => this.setExclusive() },
      el("option", { value: "yes" }, "one at a time"), el("option", { value: "no" }, "may overlap"));
    this.items = new ItemList(page);
    this.ways = this.waysOfLabelling();
    root.append(
      el("div", { class: "head" }, el("h3", {}, "Labels"), this.exclusive, this.add),
      this.hint, this.list, this.ways, this.items.node);
    this.store.on("labels session recording unsaved", () => this.update());
    this.editor.addEventListener("change", () => this.update());
    this.editor.watching.addEventListener("change", () => this.update());
  }

  get isUsed() {
    return this.store.session === null || this.store.set !== null;
  }

  firstHint() {
    return el("ol", { class: "first-hint" },
      el("li", {}, "Press ", el("kbd", {}, "Space"), " to play, or the arrows to go from frame to frame."),
      el("li", {}, "Drag over the row “Labels” where an action is, and type its name."),
      el("li", {}, "Or press ", el("kbd", {}, "i"), " where it begins, ", el("kbd", {}, "o"), " where it ends, and ",
        el("kbd", {}, "Enter"), ". ", el("kbd", {}, "?"), " shows all keys."));
  }

  // Point labels, whose labels are, what watching means.
  waysOfLabelling() {
    const { editor } = this;
    this.pointing = el("button", { type: "button", "aria-pressed": "false", onclick: () => editor.togglePointing() },
      "Point labels", el("kbd", {}, "t"));
    this.reaction = el("input", { type: "number", min: "0", max: "2", step: "0.05",
      onchange: () => editor.setReaction(Number(this.reaction.value)) });
    this.reactionField = el("label", { class: "reaction" }, "Reaction time, s", this.reaction);
    this.pointHint = el("p", { class: "about" },
      "Play, and press a label's key when you see its action: one key an action, nothing of its bounds. "
      + "A reaction time is taken off while it plays.");
    const choosePerson = () => this.store.choosePerson(this.person.value === "" ? null : Number(this.person.value));
    this.person = el("select", { onchange: choosePerson });
    this.personField = el("label", { class: "whose" }, "Next label is for", this.person);
    this.watched = el("input", { type: "checkbox", onchange: () => editor.watching.turn(this.watched.checked) });
    return el("div", { class: "ways" }, el("div", { class: "line" }, this.pointing, this.reactionField),
      this.pointHint, this.personField,
      el("label", { class: "check" }, this.watched, "What I watch counts as looked at"),
      el("details", {}, el("summary", {}, "What “looked at” means"),
        el("p", { class: "about" }, "What you saw and left empty is background. ",
          "Striped time, which nobody looked at, is ignored in training. ",
          el("kbd", {}, "c"), " marks a range, a span or all of it as looked at, ", el("kbd", {}, "Shift c"), " as not.")));
  }

  edit(label) {
    return editLabel(this.page, label);
  }

  setExclusive() {
    const exclusive = this.exclusive.value === "yes";
    this.store.changeLabels({ do: "exclusive", exclusive }).then(() => this.update());
  }

  // ---- what is shown -------------------------------------------------------------------------------------------

  update() {
    const { store, editor } = this;
    if (!store.session || this.isDragging) return;
    const canChange = store.session.editable && store.set !== null;
    this.root.classList.toggle("read-only", !canChange);
    this.add.hidden = this.ways.hidden = !canChange;
    this.exclusive.disabled = !canChange;
    this.exclusive.value = store.exclusive ? "yes" : "no";
    this.hint.hidden = !canChange || store.items.length > 0 || store.labelFacts.some(({ items }) => items > 0);
    this.showWays();
    const facts = JSON.stringify([store.labelFacts, editor.labelKeys.all(), editor.current, canChange, this.counts()]);
    if (facts === this.drawn) return;
    this.drawn = facts;
    const focused = this.list.contains(document.activeElement)
      ? [document.activeElement.className, this.indexOf(document.activeElement)] : null;
    this.list.replaceChildren(...store.labelFacts.map((fact, i) => this.entry(fact, i, canChange)));
    if (focused) this.list.children[focused[1]]?.querySelector(`.${focused[0]}`)?.focus();
  }

  // Items of each label in the recording.
  counts() {
    const counts = new Array(this.store.labels.length).fill(0);
    for (const { label } of this.store.items) counts[label]++;
    return counts;
  }

  showWays() {
    const { editor } = this;
    this.pointing.setAttribute("aria-pressed", String(editor.isPointing));
    this.reactionField.hidden = this.pointHint.hidden = !editor.isPointing;
    if (document.activeElement !== this.reaction) this.reaction.value = editor.reaction;
    this.watched.checked = editor.watching.isOn;
    const { people } = editor;
    this.personField.hidden = !people.length;
    if (people.length) {
      this.person.replaceChildren(el("option", { value: "" }, "everybody"),
        ...people.map((person) => el("option", { value: person, selected: person === editor.person }, `person ${person}`)));
    }
  }

  entry({ name, event, items }, i, canChange) {
    const { editor, store } = this;
    const key = canChange ? editor.labelKeys.all()[i] : null;
    const here = this.counts()[i];
    const kind = event ? "event, " : "";
    const isCurrent = i === editor.current;
    const choose = el("button", {
      type: "button", class: "choose", "aria-pressed": String(isCurrent), onclick: () => editor.useLabel(i),
      "aria-label": `${name}, ${kind}${here} here, ${items} in all${key ? `, key ${key}` : ""}`,
      title: `${name}: ${here} in this recording, ${items} in all`,
    }, store.labels.swatch(i), el("bdi", { class: "text" }, name), event ? el("span", { class: "value" }, "event") : null,
    el("span", { class: "value" }, here || items ? `${here} / ${Math.max(here, items)}` : ""), key ? el("kbd", {}, key) : null);
    const handle = el("button", {
      type: "button", class: "handle", "aria-label": `Move ${name}: arrows up and down`,
      title: "Drag, or arrows up and down, to order",
      onkeydown: (pressed) => this.onHandleKey(pressed, i), onpointerdown: (pressed) => this.dragEntry(pressed, i),
    }, "⠿");
    const more = el("button", { type: "button", class: "more", "aria-label": `Change ${name}`,
      title: "Name, colour, key, merge, delete", onclick: () => this.edit(i) }, "⋯");
    return el("li", { class: isCurrent ? "current" : null }, ...(canChange ? [handle, choose, more] : [choose]));
  }

  // ---- order -----------------------------------------------------------------------------------------------------

  indexOf(node) {
    return [...this.list.children].indexOf(node.closest("li"));
  }

  order(names) {
    return this.store.changeLabels({ do: "order", names });
  }

  async onHandleKey(event, i) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const names = [...this.store.labels.names];
    if (!(i + by in names)) return;
    [names[i], names[i + by]] = [names[i + by], names[i]];
    await this.order(names);
    this.list.children[i + by]?.querySelector(".handle")?.focus();
  }

  // Drags a label to another place in the list.
  dragEntry(event, i) {
    if (event.button) return;
    const entry = this.list.children[i];
    const { names } = this.store.labels;
    const rows = [...this.list.children];
    event.target.setPointerCapture(event.pointerId);
    this.isDragging = true;
    entry.classList.add("dragged");
    const move = (moved) => {
      const next = [...this.list.children].find((row) => row !== entry
        && moved.clientY < row.getBoundingClientRect().top + row.offsetHeight / 2);
      if (next !== entry.nextElementSibling) this.list.insertBefore(entry, next ?? null);
    };
    const end = () => {
      event.target.removeEventListener("pointermove", move);
      entry.classList.remove("dragged");
      this.isDragging = false;
      const ordered = [...this.list.children].map((row) => names[rows.indexOf(row)]);
      this.drawn = null;
      if (ordered.some((name, at) => name !== names[at])) this.order(ordered);
    };
    event.target.addEventListener("pointermove", move);
    event.target.addEventListener("lostpointercapture", end, { once: true });
  }
}
