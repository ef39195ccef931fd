// Says what is not saved yet, for as long as it is not.

import { byId, el } from "../../viewer/dom.js";

const QUIET_SECONDS = 1.5; // a change that is on its way for less is not worth a word

export class Unsaved {
  constructor({ store }) {
    this.store = store;
    this.text = el("span", {});
    this.note = el("div", { class: "note unsaved", role: "status", hidden: true }, this.text);
    byId("notes").prepend(this.note);
    store.on("unsaved connection", () => this.update());
  }

  update() {
    clearTimeout(this.timer);
    const size = this.store.outbox?.size ?? 0;
    if (!size) this.note.hidden = true;
    else if (!this.note.hidden || this.store.outbox.isWaiting) this.show(size);
    else this.timer = setTimeout(() => this.remind(), QUIET_SECONDS * 1000);
  }

  remind() {
    if (this.store.outbox.size) this.show(this.store.outbox.size);
  }

  show(size) {
    this.note.hidden = false;
    this.text.textContent = `Not saved yet: ${size === 1 ? "1 change" : `${size} changes`}. kinespan does not answer; `
      + "this browser keeps what you do and sends it when kinespan runs again.";
  }
}
