// Panels of which one is seen at a time, chosen by tabs.

import { el } from "../../viewer/dom.js";

export class Tabs {
  // tabs: [key, name, class]; the class gets (root, page) and may have `isUsed`, by which its tab is
  // hidden, and shown() and hidden(), which are called as it comes and goes
  constructor(root, tabs, page) {
    this.panels = new Map();
    this.bar = el("div", { class: "tabs", role: "tablist", "aria-label": "Tools" });
    root.append(this.bar);
    for (const [key, name, Panel] of tabs) {
      const body = el("div", { class: "panel", role: "tabpanel", id: `panel-${key}`, "aria-labelledby": `tab-${key}`, tabindex: "-1" });
      const tab = el("button", { type: "button", class: "tab", role: "tab", id: `tab-${key}`, "aria-controls": `panel-${key}`, onclick: () => this.show(key) }, name);
      this.bar.append(tab);
      root.append(body);
      this.panels.set(key, { tab, body, panel: new Panel(body, page) });
    }
    this.bar.addEventListener("keydown", (event) => this.onKey(event));
    page.store.on("session", () => this.update());
    this.show(tabs[0][0]);
  }

  show(key) {
    this.current = key;
    for (const [name, { tab, body, panel }] of this.panels) {
      const isShown = name === key;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
      body.hidden = !isShown;
      if (isShown) panel.shown?.();
      else panel.hidden?.();
    }
  }

  // Hides the tabs of panels that have nothing to do here.
  update() {
    for (const { tab, panel } of this.panels.values()) tab.hidden = panel.isUsed === false;
    if (this.panels.get(this.current).tab.hidden) {
      const first = [...this.panels].find(([, { tab }]) => !tab.hidden);
      if (first) this.show(first[0]);
    }
  }

  onKey(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const keys = [...this.panels].filter(([, { tab }]) => !tab.hidden).map(([key]) => key);
    const next = keys[(keys.indexOf(this.current) + by + keys.length) % keys.length];
    this.show(next);
    this.panels.get(next).tab.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
