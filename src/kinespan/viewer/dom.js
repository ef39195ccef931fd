// Small things that all modules share: elements, numbers and times as text, canvases, the tooltip.

// A page element. Text goes in as text nodes only, so a name can never become markup.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "vars") for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// ---- text ----------------------------------------------------------------------------------------------------

// 75.3 s -> 1:15.30
export function clockText(seconds, digits = 2) {
  const unit = 10 ** digits;
  const ticks = Math.round(Math.max(0, seconds) * unit);
  const minutes = Math.floor(ticks / (60 * unit));
  const rest = ((ticks - minutes * 60 * unit) / unit).toFixed(digits);
  return `${minutes}:${rest.padStart(digits ? digits + 3 : 2, "0")}`;
}

export const durationText = (seconds) => (seconds < 60 ? `${seconds.toFixed(1)} s` : `${clockText(seconds, 0)} min`);

export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
export const percent = (value, digits = 1) => (isNumber(value) ? (100 * value).toFixed(digits) : "–");

// ---- canvas and tooltip --------------------------------------------------------------------------------------

// Calls draw(context, width, height) in CSS pixels whenever the canvas changes its size; returns repaint. The size is
// that which was last observed: to ask the page for it in each frame would lay the page out each time.
export function canvasPainter(canvas, draw) {
  const context = canvas.getContext("2d");
  let [width, height] = [0, 0];
  const paint = () => {
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  };
  new ResizeObserver(() => {
    [width, height] = [canvas.clientWidth, canvas.clientHeight];
    paint();
  }).observe(canvas);
  return paint;
}

export function showTip(event, ...lines) {
  const tip = byId("tip");
  tip.replaceChildren(...lines.map((line) => (line instanceof Node ? line : el("div", {}, line))));
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const above = event.clientY - height - 14;
  tip.style.left = `${clamp(event.clientX - width / 2, 6, Math.max(6, innerWidth - width - 6))}px`;
  tip.style.top = `${above > 4 ? above : event.clientY + 20}px`;
}

export function hideTip() {
  byId("tip").hidden = true;
}
