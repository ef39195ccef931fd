// A button that unfolds a small box of choices; it closes with Escape, or where one presses elsewhere.

import { el } from "../../viewer/dom.js";

let openMenu = null;

// name: text of the button; about: what it is for. Returns { node, box }: box takes the choices.
export function menu(name, about, ...choices) {
  const box = el("div", { class: "menu-box" }, ...choices);
  const summary = el("summary", { class: "button ghost", title: about }, name);
  const node = el("details", { class: "menu" }, summary, box);
  node.addEventListener("toggle", () => {
    if (node.open && openMenu !== node) {
      if (openMenu) openMenu.open = false;
      openMenu = node;
    } else if (!node.open && openMenu === node) openMenu = null;
  });
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !node.open) return;
    node.open = false;
    summary.focus();
    event.stopPropagation();
  });
  return { node, box };
}

document.addEventListener("pointerdown", (event) => {
  if (openMenu && !openMenu.contains(event.target)) openMenu.open = false;
});

// A choice that is on or off.
export function check(text, checked, onchange) {
  const input = el("input", { type: "checkbox", checked, onchange: () => onchange(input.checked) });
  return el("label", { class: "check" }, input, el("span", { dir: "auto" }, text));
}
