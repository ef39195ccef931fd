// Small things that all parts share: elements, unpacking, time as text, colours of labels.

const BACKGROUND = -1; // label index of "no action"

// A page element. Text goes in as text nodes only, so a name can never become markup.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "vars") for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const byId = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// ---- unpacking -----------------------------------------------------------------------------------------------

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// Positions (T, P, J, 3) in metres from differences of int16 steps; Int16Array wraps around as the writer did.
async function unpackMotion(motion, joints) {
  const steps = new Int16Array(await inflate(motion.steps));
  const people = motion.slots.length;
  const stride = people * joints * 3;
  for (let i = stride; i < steps.length; i++) steps[i] += steps[i - stride];
  const positions = new Float32Array(steps.length);
  for (let i = 0; i < steps.length; i++) positions[i] = steps[i] * motion.unit + motion.origin[i % 3];
  return { ...motion, people, joints, stride, positions, valid: new Uint8Array(await inflate(motion.valid)) };
}

async function unpackScores(scores) {
  return scores && { ...scores, levels: new Uint8Array(await inflate(scores.levels)) };
}

// ---- text ----------------------------------------------------------------------------------------------------

// 75.3 s -> 1:15.30
function clockText(seconds, digits = 2) {
  const unit = 10 ** digits;
  const ticks = Math.round(Math.max(0, seconds) * unit);
  const minutes = Math.floor(ticks / (60 * unit));
  const rest = ((ticks - minutes * 60 * unit) / unit).toFixed(digits);
  return `${minutes}:${rest.padStart(digits ? digits + 3 : 2, "0")}`;
}

const durationText = (seconds) => (seconds < 60 ? `${seconds.toFixed(1)} s` : `${clockText(seconds, 0)} min`);

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const percent = (value, digits = 1) => (isNumber(value) ? (100 * value).toFixed(digits) : "–");

// ---- colours -------------------------------------------------------------------------------------------------

// Chosen to stay apart also under protanopia, deuteranopia and tritanopia; further labels repeat them hatched.
const PALETTE = [
  "#3f7fe0", "#f9b134", "#943551", "#24e0d6", "#b18ffd", "#f0803c", "#0956c3",
  "#b0d091", "#bd5178", "#8e6a2d", "#69b4bf", "#6c4790", "#bd857f", "#8578ad",
];

const labelColour = (index) => (index < 0 ? "#8a93a3" : PALETTE[index % PALETTE.length]);
const labelHatched = (index) => index >= PALETTE.length;

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Relative luminance as WCAG defines it, 0 black to 1 white.
function luminance(hex) {
  const [r, g, b] = channels(hex).map((v) => {
    const c = v / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// One colour laid over another with an opacity.
function blend(over, under, opacity) {
  const below = channels(under);
  const mixed = channels(over).map((v, i) => Math.round(v * opacity + below[i] * (1 - opacity)));
  return `#${mixed.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
}

// Black or white, whichever can be read better on the colour.
const inkOn = (hex) => (luminance(hex) > 0.19 ? "#10131a" : "#ffffff");

// A label's colour for a thin line: pale ones darker on light paper, dark ones lighter on dark paper.
function lineColour(index, dark) {
  const hex = labelColour(index);
  const light = luminance(hex);
  const aim = dark ? 255 : 0;
  const share = dark ? clamp((0.22 - light) * 3, 0, 0.5) : clamp((light - 0.28) * 0.9, 0, 0.42);
  return `rgb(${channels(hex).map((v) => Math.round(v + (aim - v) * share)).join(" ")})`;
}

function swatch(index) {
  const hatched = labelHatched(index) ? " hatched" : "";
  return el("span", { class: `swatch${hatched}`, vars: { "--c": labelColour(index) }, "aria-hidden": "true" });
}

// The page's colours as the style sheet gives them now (light, dark or print).
function theme() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ink", "muted", "line", "surface", "sunken", "accent", "left", "right", "middle", "other", "ground"];
  const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  return { ...colours, dark: luminance(colours.surface) < 0.2 };
}

function onThemeChange(repaint) {
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", repaint);
}

// ---- canvas and tooltip --------------------------------------------------------------------------------------

// Calls draw(context, width, height) in CSS pixels, now and whenever the canvas changes its size; returns repaint.
function canvasPainter(canvas, draw) {
  const context = canvas.getContext("2d");
  const paint = () => {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, width, height);
  };
  new ResizeObserver(paint).observe(canvas);
  return paint;
}

// Diagonal stripes over a rectangle: the second round of the palette.
function hatch(context, x, y, width, height, colour) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let at = x - (x % 7) - height; at < x + width; at += 7) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

function showTip(event, ...lines) {
  const tip = byId("tip");
  tip.replaceChildren(...lines.map((line) => (line instanceof Node ? line : el("div", {}, line))));
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const above = event.clientY - height - 14;
  tip.style.left = `${clamp(event.clientX - width / 2, 6, Math.max(6, innerWidth - width - 6))}px`;
  tip.style.top = `${above > 4 ? above : event.clientY + 20}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}
