// Metrics, the confusion matrix, training curves and facts, each left out where there is nothing to show.

import { onThemeChange } from "../viewer/colours.js";
import { byId, el, hideTip, isNumber, percent, showTip } from "../viewer/dom.js";
import { curveChart } from "../viewer/charts.js";
import { sortable, table } from "../viewer/tables.js";

// A fact by one of its names, upper or lower case; null where it is not stated.
function factOf(facts, ...names) {
  const found = facts.find(([name, value]) => names.includes(name.toLowerCase()) && value !== "");
  return found ? found[1] : null;
}

function reveal(id, ...children) {
  const section = byId(id);
  section.append(...children.filter(Boolean));
  section.hidden = false;
}

const TILES = [
  ["mAP, average over tIoU", (m) => m.map?.average],
  ["mAP at tIoU 0.5", (m) => m.map?.["0.5"]],
  ["F1 at overlap 50 %", (m) => m.f1?.["50"]],
  ["Edit score", (m) => m.edit],
  ["Frame accuracy", (m) => m.frame_accuracy],
  ["F1 of events", (m) => m.events?.all.f1],
];

export function showMetrics({ metrics, facts }, labels) {
  if (!metrics) return;
  const tiles = TILES.map(([name, pick]) => [name, pick(metrics)]).filter(([, value]) => isNumber(value));
  const parts = [
    tiles.length && el("div", { class: "tiles" }, ...tiles.map(([name, value]) =>
      el("div", { class: "tile" }, el("strong", {}, percent(value), el("small", {}, " %")), el("span", {}, name)))),
    Object.values(metrics.map ?? {}).some(isNumber) && mapTable(metrics.map),
    segmentTable(metrics),
    metrics.per_class && Object.keys(metrics.per_class).length && classTable(metrics.per_class, labels),
    metrics.events && eventTable(metrics.events, labels),
    metrics.calibration && calibrationTable(metrics.calibration),
    metrics.calibration?.segments && coverageTable(metrics.calibration.segments),
  ].filter(Boolean);
  if (parts.length) reveal("metrics", el("h2", {}, "Metrics"), standing(metrics, facts), ...parts);
}

// What the figures stand on, said beside them; what is not stated is said to be so.
function standing(metrics, facts) {
  const entries = [
    ["Protocol", factOf(facts, "protocol")],
    ["Split", factOf(facts, "split")],
    ["Seeds", factOf(facts, "seeds", "seed")],
    ["AP rule", metrics.rule ?? null],
    ["Recordings", metrics.recordings ?? null],
  ];
  const items = entries.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", { class: value === null ? "unstated" : null }, value ?? "not stated")));
  return el("dl", { class: "standing" }, ...items);
}

const byNumber = (a, b) => Number(a) - Number(b);
const thresholdsOf = (map) => Object.keys(map).filter((name) => name !== "average").sort(byNumber);

function mapTable(map) {
  const thresholds = thresholdsOf(map);
  const head = ["tIoU", ...thresholds, ...("average" in map ? ["average"] : [])];
  const row = ["mAP, %", ...thresholds.map((name) => ({ share: map[name] })), ...("average" in map ? [{ share: map.average }] : [])];
  return table("Mean average precision at each temporal IoU threshold", head, [row], "wide");
}

function segmentTable(metrics) {
  const f1 = Object.keys(metrics.f1 ?? {}).sort(byNumber).map((name) => [`F1@${name}`, metrics.f1[name]]);
  const others = [["Edit", metrics.edit], ["Frame accuracy", metrics.frame_accuracy]];
  const columns = [...f1, ...others.filter(([, value]) => isNumber(value))];
  if (!columns.length) return null;
  return table("Segmentation: F1 at overlaps, edit score, frame accuracy", ["", ...columns.map(([name]) => name)],
    [["value, %", ...columns.map(([, value]) => ({ share: value }))]], "wide");
}

function classTable(classes, labels) {
  const names = Object.keys(classes).sort((a, b) => (labels.index(a) + 1 || Infinity) - (labels.index(b) + 1 || Infinity));
  const all = names.flatMap((name) => Object.keys(classes[name].ap ?? {}));
  const thresholds = [...new Set(all)].filter((name) => name !== "average").sort(byNumber);
  const has = (key) => names.some((name) => classes[name][key] !== undefined);
  const columns = [
    ...(all.includes("average") ? [["AP average", (c) => ({ share: c.ap?.average })]] : []),
    ...thresholds.map((t) => [`AP@${t}`, (c) => percent(c.ap?.[t])]),
    ...(has("precision") ? [["Precision", (c) => percent(c.precision)]] : []),
    ...(has("recall") ? [["Recall", (c) => percent(c.recall)]] : []),
    ...(has("frames") ? [["Frames", (c) => (isNumber(c.frames) ? String(c.frames) : "–")]] : []),
  ];
  const rows = names.map((name) =>
    [el("span", { class: "lane" }, labels.swatch(labels.index(name)), name), ...columns.map(([, cell]) => cell(classes[name]))]);
  return sortable(table("Each label, %", ["Label", ...columns.map(([name]) => name)], rows, "classes"));
}

// The figures of events: all labels together, then each.
function eventTable({ tolerance, all, per_class: classes }, labels) {
  const seconds = (value) => (isNumber(value) ? value.toFixed(3) : "–");
  const cells = (f) => [{ share: f.f1 }, percent(f.precision), percent(f.recall), percent(f.ap), seconds(f.mae),
    String(f.true), String(f.predicted)];
  const names = Object.keys(classes).sort((a, b) => (labels.index(a) + 1 || Infinity) - (labels.index(b) + 1 || Infinity));
  const rows = names.map((name) => [el("span", { class: "lane" }, labels.swatch(labels.index(name)), name), ...cells(classes[name])]);
  const head = ["Label", "F1", "Precision", "Recall", "AP", "Off by, s", "True", "Predicted"];
  return sortable(table(`Events within ${tolerance} s, %`, head, [["all", ...cells(all)], ...rows], "classes"));
}

// How sure the model was, and how often it was right: frames and segments in bins of their score.
function calibrationTable(calibration) {
  const kinds = [["Frames", calibration.frames], ["Segments", calibration.segments]].filter(([, kind]) => kind?.claims);
  if (!kinds.length) return null;
  const rows = kinds.flatMap(([name, { bins }]) => bins.map(({ score, right, claims }) =>
    [name, percent(score), { share: right }, String(claims)]));
  const errors = kinds.map(([name, { error }]) => `${name.toLowerCase()} ${percent(error)} %`).join(", ");
  return table(`How sure, and how often right (calibration error: ${errors})`, ["", "Mean score, %", "Right, %", "Of"], rows, "wide");
}

// Which segments are left, and how many of them are wrong, where those of a lower score are answered "unknown".
function coverageTable({ coverage }) {
  const steps = coverage.filter((row, i) => row.coverage > 0 && row.coverage !== coverage[i - 1]?.coverage);
  const rows = steps.map((row) =>
    [String(row.threshold), { share: row.coverage }, { share: row.error }]);
  return rows.length ? table("Error over coverage: segments below a score answered unknown",
    ["Unknown below", "Answered, %", "Of them wrong, %"], rows, "wide") : null;
}

// ---- confusion matrix ----------------------------------------------------------------------------------------

export function showConfusion({ metrics }) {
  const { labels, matrix } = metrics?.confusion ?? {};
  if (!labels?.length || !matrix?.length) return;
  const dense = labels.length > 18;
  const rows = matrix.map((counts, i) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const cells = counts.map((count, k) => confusionCell(labels, i, k, count, total, dense));
    return el("tr", {}, el("th", { scope: "row", title: labels[i] }, labels[i]), ...cells, el("td", { class: "total" }, String(total)));
  });
  const head = labels.map((name) => el("th", { scope: "col", title: name }, el("span", {}, name)));
  const thead = el("thead", {}, el("tr", {}, el("th", { class: "corner" }, "truth ↓ predicted →"), ...head,
    el("th", { scope: "col" }, el("span", {}, "frames"))));
  const body = el("tbody", {}, ...rows);
  const wrapper = el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Confusion matrix" },
    el("table", { class: dense ? "heat dense" : "heat" }, thead, body));
  reveal("confusion", el("h2", {}, "Confusion matrix"),
    el("p", { class: "note" }, "Each row is the true label and sums to 100 %; point at a cell for its count of frames."), wrapper);
}

function confusionCell(labels, i, k, count, total, dense) {
  const share = total ? count / total : 0;
  const text = dense || share < 0.005 ? "" : percent(share, 0);
  const says = `${labels[i]} taken for ${labels[k]}: ${count} of ${total} frames`;
  const onpointermove = (event) => showTip(event, el("b", {}, `${percent(share)} %`), says);
  return el("td", {
    class: `${share > 0.5 ? "strong" : ""}${i === k ? " diagonal" : ""}`, vars: { "--v": share },
    "aria-label": says, onpointermove, onpointerleave: hideTip,
  }, text);
}

// ---- training curves and facts -------------------------------------------------------------------------------

export function showCurves({ curves }) {
  const drawn = curves.map(([name, points]) => [name, points.filter((point) => point.every(isNumber))]);
  const charts = drawn.filter(([, points]) => points.length).map(([name, points]) => curveChart(name, points));
  if (charts.length) reveal("curves", el("h2", {}, "Training"), el("div", { class: "charts" }, ...charts.map(({ node }) => node)));
  onThemeChange(() => charts.forEach(({ paint }) => paint()));
}

export function showFacts({ facts }) {
  if (facts.length) {
    const code = (name) => (["command", "commit", "checksum"].includes(name.toLowerCase()) ? "code" : "span");
    const items = facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, el(code(name), {}, value))));
    reveal("facts", el("h2", {}, "What stands behind this"), el("dl", { class: "facts" }, ...items));
  }
  const chips = ["model", "protocol", "split", "fold", "seeds", "date"].map((name) => [name, factOf(facts, name)]);
  const told = chips.filter(([, value]) => value !== null && value.length <= 48);
  byId("chips").append(...told.map(([name, value]) => el("li", {}, el("span", {}, name), value)));
}
