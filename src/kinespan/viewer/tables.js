// Tables of figures.

import { clamp, el, isNumber, percent } from "./dom.js";

// A table; a cell is text, a node or { share } for a bar behind a percentage.
export function table(caption, head, rows, name) {
  const cellOf = (cell, tag, attributes = {}) => {
    if (cell === null || typeof cell !== "object" || cell instanceof Node) return el(tag, attributes, cell ?? "–");
    const bar = el("i", { class: "cell-bar", vars: { "--v": isNumber(cell.share) ? clamp(cell.share, 0, 1) : 0 } });
    return el(tag, { ...attributes, class: "barred" }, bar, el("span", {}, percent(cell.share)));
  };
  const body = rows.map((row) =>
    el("tr", {}, ...row.map((cell, i) => (i ? cellOf(cell, "td") : cellOf(cell, "th", { scope: "row" })))));
  const heads = head.map((text) => el("th", { scope: "col" }, text));
  return el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": caption },
    el("table", { class: name }, el("caption", {}, caption), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...body)));
}

// Makes the columns of a table sortable by a press on their heads; numbers big to small first.
export function sortable(wrapper) {
  const [heads, body] = [[...wrapper.querySelectorAll("thead th")], wrapper.querySelector("tbody")];
  const valueOf = (row, column) => {
    const text = row.cells[column].textContent.replaceAll(" ", "");
    return text === "–" ? -Infinity : Number.isNaN(Number(text)) ? text : Number(text);
  };
  heads.forEach((head, column) => {
    const sort = () => {
      const order = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1;
      const compare = (a, b) => {
        const [x, y] = [valueOf(a, column), valueOf(b, column)];
        if (typeof x === "string" || typeof y === "string") return -sign * String(x).localeCompare(String(y));
        return x === y ? 0 : sign * (x - y);
      };
      body.append(...[...body.rows].sort(compare));
    };
    head.replaceChildren(el("button", { type: "button", class: "sorter", onclick: sort }, head.textContent));
  });
  return wrapper;
}
