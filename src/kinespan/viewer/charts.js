// Small charts of what grows or falls by step.

import { theme } from "./colours.js";
import { canvasPainter, el } from "./dom.js";

function short(value) {
  const plain = value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 1e5);
  return plain ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

// A curve of (step, value) pairs with its name and last value: { node, paint }.
export function curveChart(name, points) {
  const [steps, values] = [points.map(([step]) => step), points.map(([, value]) => value)];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const canvas = el("canvas", { role: "img", "aria-label": `${name}: from ${short(values[0])} to ${short(values.at(-1))}` });
  const paint = canvasPainter(canvas, (context, width, height) => {
    const colours = theme();
    const first = steps[0];
    const span = steps.at(-1) - first || 1;
    const x = (step) => 2 + ((step - first) / span) * (width - 8);
    const y = (value) => height - 5 - ((value - low) / (high - low || 1)) * (height - 10);
    context.fillStyle = colours.line;
    for (const part of [0, 0.5, 1]) context.fillRect(0, Math.round(5 + part * (height - 10)), width, 1);
    context.beginPath();
    points.forEach(([step, value]) => context.lineTo(x(step), y(value)));
    [context.strokeStyle, context.lineWidth, context.lineJoin] = [colours.accent, 1.8, "round"];
    context.stroke();
    context.beginPath();
    context.arc(x(steps.at(-1)), y(values.at(-1)), 3, 0, 2 * Math.PI);
    context.fillStyle = colours.accent;
    context.fill();
  });
  const between = `step ${short(steps[0])} – ${short(steps.at(-1))}`;
  const range = el("div", { class: "range" }, el("span", {}, between), el("span", {}, `${short(low)} … ${short(high)}`));
  const head = el("figcaption", {}, el("span", {}, name), el("b", {}, short(values.at(-1))));
  return { node: el("figure", {}, head, canvas, range), paint };
}
