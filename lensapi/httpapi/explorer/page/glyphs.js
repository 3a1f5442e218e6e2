// glyphs.js: how a token is shown. Nothing that a model reads is invisible, and two different tokens look different wherever that matters.

const marks = { "\n": "⏎", "\t": "⇥" };
const shapeless = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

// glyphs is the display form of one token on its own: a space that would be lost is ␣, a newline ⏎, a character without a shape ⟨U+200B⟩.
export function glyphs(text) {
  if (text === "") return "∅";
  let out = "";
  const chars = [...text];
  chars.forEach((c, i) => {
    if (c === " ") out += i === 0 || i === chars.length - 1 || chars[i - 1] === " " || chars[i + 1] === " " ? "␣" : " ";
    else out += marks[c] ?? (shapeless.test(c) ? code(c) : c);
  });
  return out;
}

// inText is the form of a token in running text: spaces stay spaces, a newline is marked and then taken.
export function inText(text) {
  if (text === "") return "∅";
  return [...text].map((c) => (c === "\n" ? "⏎\n" : marks[c] ?? (shapeless.test(c) ? code(c) : c))).join("");
}

const code = (c) => {
  const n = c.codePointAt(0);
  return n < 32 || n === 127 ? `⟨${hex(n, 2)}⟩` : `⟨U+${hex(n, 4)}⟩`;
};
const hex = (n, width) => n.toString(16).toUpperCase().padStart(width, "0");

// percent writes a probability from its natural logarithm, with as many digits as tell it from 0 and from 100 %.
export function percent(logprob) {
  const p = 100 * Math.exp(logprob);
  if (p >= 99.995) return p >= 99.9995 ? "100 %" : ">99.99 %";
  if (p >= 99.95) return p.toFixed(2) + " %";
  if (p >= 10) return p.toFixed(1) + " %";
  if (p >= 0.1) return p.toFixed(2) + " %";
  return p < 0.001 ? "<0.001 %" : p.toFixed(3) + " %";
}

export const nats = (x) => (x === null || x === undefined || Number.isNaN(x) ? "–" : x.toFixed(2).replace(/^-(0\.00)$/, "$1").replace("-", "−"));

export function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) n /= 1000, i++;
  return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}
