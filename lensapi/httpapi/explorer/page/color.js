// color.js: one sequential map for quantities, one diverging map for differences, six hues for tracked tokens. All keep their order for colour-blind readers and in
// grey: lightness carries the value. The light forms are those of the pictures that package plots draws.

// dark says whether the page is shown on a dark ground.
export const dark = () => document.documentElement.dataset.theme === "dark";

const steps = 256;
const tables = new Map(); // map name and theme to its colours

function table(name, from, to, f) {
  const key = name + (dark() ? " dark" : " light");
  if (!tables.has(key)) tables.set(key, Array.from({ length: steps }, (_, i) => f(from + ((to - from) * i) / (steps - 1))));
  return tables.get(key);
}

const pick = (t, x) => t[Math.max(0, Math.min(steps - 1, Math.round(x * (steps - 1))))];

// sequential is the colour [r, g, b] of t in 0..1: pale to dark blue on light ground, near black to pale yellow on dark ground.
export const sequential = (t) => pick(table("sequential", 0, 1, dark() ? sequentialDark : sequentialLight), t);

// diverging is the colour of t in -1..1: blue below, orange above, the ground's own shade at 0.
export const diverging = (t) => pick(table("diverging", -1, 1, dark() ? divergingDark : divergingLight), (t + 1) / 2);

function sequentialLight(t) {
  return oklch(0.975 - 0.645 * t, 0.035 + 0.085 * Math.sin((Math.PI * Math.min(t, 0.62)) / 1.24), 105 + 163 * t ** 0.72);
}

function sequentialDark(t) {
  return oklch(0.27 + 0.65 * t, 0.03 + 0.09 * Math.sin((Math.PI * Math.min(t, 0.7)) / 1.4), 268 - 163 * t ** 1.2);
}

const divergingLight = (t) => oklch(0.985 - 0.44 * Math.abs(t), 0.15 * Math.abs(t) ** 0.85, t < 0 ? 255 : 45);
const divergingDark = (t) => oklch(0.25 + 0.5 * Math.abs(t), 0.14 * Math.abs(t) ** 0.85, t < 0 ? 245 : 55);

// oklch converts lightness, chroma and hue in degrees to sRGB bytes, after Björn Ottosson's OKLab.
function oklch(l, c, hue) {
  const a = c * Math.cos((hue * Math.PI) / 180), b = c * Math.sin((hue * Math.PI) / 180);
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
  ].map((x) => Math.round(255 * Math.max(0, Math.min(1, x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055))));
}

export const rgb = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

// luminance is that of WCAG 2.
function luminance(color) {
  const [r, g, b] = color.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// ink is black or white, whichever reads better on a colour; the better of the two has a contrast of at least 4.5 on any.
export const ink = (color) => (luminance(color) > 0.179 ? "#000" : "#fff");

// hues are those of tracked tokens, at least 3:1 against the ground; each goes with a dash, so that lines are told apart without colour.
const hues = {
  light: ["#0072b2", "#c24e00", "#007a5a", "#b0468c", "#806018", "#5b5fc7"],
  dark: ["#56b4e9", "#ff9d5c", "#3fcf9f", "#e79ac8", "#d9b563", "#a9acff"],
};
export const dashes = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4]];
export const mostTracked = 6;
export const hue = (i) => hues[dark() ? "dark" : "light"][i % mostTracked];
