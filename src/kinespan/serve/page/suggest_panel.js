// Suggest: drafts of the loaded model, what to label next, moments like the selected one.

import { byId, el } from "../../viewer/dom.js";
import { DraftList } from "./draft_list.js";
import { NextList } from "./next_list.js";
import { SimilarPanel } from "./similar_panel.js";

// Other parts reach it as page.loop; the keys call acceptSelected, rejectSelected, acceptAbove, nextDraft, findSimilar.
export class SuggestPanel {
  constructor(root, page) {
    Object.assign(this, { root, page, store: page.store });
    page.loop = this;
    root.classList.add("loop");
    this.drafts = new DraftList(page);
    this.next = new NextList(page);
    this.similar = new SimilarPanel(page);
    this.views = new Map([["drafts", this.drafts], ["next", this.next], ["similar", this.similar]]);
    this.count = el("span", { class: "count" });
    this.drafts.onCount = (n) => (this.count.textContent = n ? String(n) : "");
    const choice = (key, ...content) =>
      el("button", { type: "button", "data-view": key, onclick: () => this.showView(key) }, ...content);
    this.choices = el("div", { class: "segments wide", role: "group", "aria-label": "Suggestions" },
      choice("drafts", "Drafts", this.count), choice("next", "Label next"), choice("similar", "More like this"));
    this.store.on("session", () => this.onSession());
    root.append(this.choices, ...[...this.views.values()].map(({ node }) => node));
    this.showView("drafts");
  }

  get isUsed() {
    const { session, model } = this.store;
    return Boolean(session?.jobs) || model !== null;
  }

  // Where nothing can be labelled, what is predicted is there to look at.
  onSession() {
    const { editable } = this.store.session;
    this.choices.hidden = !editable;
    byId("tab-suggestions").textContent = editable ? "Suggest" : "Predicted";
  }

  // Called when its tab is shown.
  shown() {
    this.views.get(this.view)?.shown?.();
  }

  // Called when another tab is shown.
  hidden() {
    this.views.get(this.view)?.hidden?.();
  }

  showView(key) {
    this.view = key;
    for (const button of this.choices.children) button.setAttribute("aria-pressed", String(button.dataset.view === key));
    for (const [name, view] of this.views) {
      view.node.hidden = name !== key;
      if (name !== key) view.hidden?.();
    }
    if (!this.root.hidden) this.views.get(key).shown?.();
  }

  open(view) {
    this.page.tabs.show("suggestions");
    this.showView(view);
  }

  // ---- what the keys do --------------------------------------------------------------------------------------

  // Whether moments like another one are walked through; then these are accepted and rejected.
  get isWalking() {
    return !this.root.hidden && this.view === "similar" && this.similar.listed.length > 0;
  }

  acceptSelected() {
    return this.isWalking ? this.similar.acceptHit() : this.drafts.acceptSelected();
  }

  rejectSelected() {
    return this.isWalking ? this.similar.rejectHit() : this.drafts.rejectSelected();
  }

  acceptAbove() {
    return this.drafts.acceptAbove();
  }

  nextDraft() {
    return this.drafts.nextDraft();
  }

  // Searches for moments like the selected one, and shows them.
  findSimilar() {
    this.open("similar");
    return this.similar.find();
  }
}
