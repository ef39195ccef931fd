// Labels with their colours and patterns, and the page's own colours.

import { clamp, el } from "./dom.js";

export const BACKGROUND = -1; // label index of "no action"

// Chosen to stay apart also under protanopia, deuteranopia and tritanopia; further labels repeat them in a pattern.
export const PALETTE = [
  "#3f7fe0", "#f9b134", "#943551", "#24e0d6", "#b18ffd", "#f0803c", "#0956c3",
  "#b0d091", "#bd5178", "#8e6a2d", "#69b4bf", "#6c4790", "#bd857f", "#8578ad",
];
const BACKGROUND_COLOUR = "#8a93a3";
const PATTERNS = ["plain", "diagonal", "upright", "level"]; // of the first, second, third and further rounds

// Names, colours and patterns of labels, by index; BACKGROUND is "background".
export class Labels {
  // colours: of each label "#rrggbb", or null for that of the palette
  constructor(names, colours = []) {
    Object.assign(this, { names, colours });
  }

  get length() {
    return this.names.length;
  }

  name(index) {
    return index < 0 ? "background" : this.names[index];
  }

  index(name) {
    return this.names.indexOf(name);
  }

  colour(index) {
    return index < 0 ? BACKGROUND_COLOUR : this.colours[index] ?? PALETTE[index % PALETTE.length];
  }

  pattern(index) {
    return PATTERNS[Math.min(Math.max(0, Math.floor(index / PALETTE.length)), PATTERNS.length - 1)];
  }

  // A label's colour for a thin line: pale ones darker on light paper, dark ones lighter on dark paper.
  lineColour(index, dark) {
    const hex = this.colour(index);
    const light = luminance(hex);
    const aim = dark ? 255 : 0;
    const share = dark ? clamp((0.22 - light) * 3, 0, 0.5) : clamp((light - 0.28) * 0.9, 0, 0.42);
    return `rgb(${channels(hex).map((v) => Math.round(v + (aim - v) * share)).join(" ")})`;
  }

  swatch(index) {
    return el("span", { class: `swatch ${this.pattern(index)}`, vars: { "--c": this.colour(index) }, "aria-hidden": "true" });
  }

  // Fills a rectangle with a label's colour and pattern.
  fill(context, index, x, y, width, height, round = 0) {
    context.fillStyle = this.colour(index);
    context.beginPath();
    context.roundRect(x, y, width, height, round);
    context.fill();
    stripes(context, this.pattern(index), x, y, width, height, "rgb(255 255 255 / 0.45)");
  }
}

// ---- arithmetic of colours -----------------------------------------------------------------------------------

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

// Relative luminance as WCAG defines it, 0 black to 1 white.
export function luminance(hex) {
  const [r, g, b] = channels(hex).map((v) => {
    const c = v / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// One colour laid over another with an opacity.
export function blend(over, under, opacity) {
  const below = channels(under);
  const mixed = channels(over).map((v, i) => Math.round(v * opacity + below[i] * (1 - opacity)));
  return `#${mixed.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
}

// Black or white, whichever can be read better on the colour.
export const inkOn = (hex) => (luminance(hex) > 0.19 ? "#10131a" : "#ffffff");

// ---- the page ------------------------------------------------------------------------------------------------

// The page's colours as the style sheet gives them now (light, dark or print).
export function theme() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ink", "muted", "line", "surface", "sunken", "accent", "left", "right", "middle", "other", "ground"];
  const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  return { ...colours, dark: luminance(colours.surface) < 0.2 };
}

export function onThemeChange(repaint) {
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", repaint);
}

const STEPS = { diagonal: 7, upright: 5, level: 5 }; // pixels from stripe to stripe

// Stripes over a rectangle.
export function stripes(context, pattern, x, y, width, height, colour) {
  const step = STEPS[pattern];
  if (!step || width <= 0) return;
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  if (pattern === "level") {
    for (let at = y + 2; at < y + height; at += step) {
      context.moveTo(x, at);
      context.lineTo(x + width, at);
    }
  } else {
    const lean = pattern === "diagonal" ? height : 0;
    for (let at = x - (x % step) - lean; at < x + width; at += step) {
      context.moveTo(at, y + height);
      context.lineTo(at + lean, y);
    }
  }
  context.stroke();
  context.restore();
}
