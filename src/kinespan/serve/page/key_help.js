// The list of keys, as a dialog.

import { el } from "../../viewer/dom.js";

const SHOWN = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Delete: "Del", Backspace: "⌫",
};

// One key press in words: "Shift+ArrowLeft" -> Shift, ←
export function keyCaps(keys) {
  const parts = keys === "+" ? ["+"] : keys.split("+");
  const isCapital = /^\p{Lu}$/u.test(keys);
  const caps = isCapital ? ["Shift", keys.toLowerCase()] : parts;
  return el("span", { class: "key-caps" }, ...caps.map((part) => el("kbd", {}, SHOWN[part] ?? part)));
}

// Shows entries { keys, name, group } by group.
export function showKeyHelp(entries) {
  const groups = [...new Set(entries.map(({ group }) => group))];
  const sections = groups.map((group) => el("section", {}, el("h3", {}, group), el("dl", {},
    ...entries.filter((entry) => entry.group === group).flatMap(({ keys, name }) => [
      el("dt", {}, ...keys.map(keyCaps)), el("dd", { dir: "auto" }, name),
    ]))));
  const dialog = el("dialog", { class: "key-help", "aria-label": "Keys" },
    el("div", { class: "head" }, el("h2", {}, "Keys"),
      el("button", { type: "button", class: "ghost", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    el("div", { class: "key-groups" }, ...sections));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => event.key === "?" && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}
