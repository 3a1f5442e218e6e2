// tint.js: the number that tints each token of the text, and its legend.

import { h, fill, $ } from "./dom.js";
import { sequential, ink, rgb, dark } from "./color.js";
import { title, why } from "./explain.js";
import { state, model } from "./state.js";
import * as data from "./data.js";

const uniform = () => Math.log(model?.d_vocab ?? 50_000);

// measures says, for each choice, its range, that range in words, and where it comes from: the token itself or a strip of the heatmap.
export const measures = {
  surprisal: { range: () => [0, 8], ends: "0 to 8 nats and more", ofToken: (t) => t.surprisal },
  entropy: { range: () => [0, uniform()], ends: "0 to ln of the vocabulary", strip: "entropy", pick: lastRow },
  probability: { range: () => [0, 1], ends: "0 to 100 %", strip: "probability", pick: lastRow },
  depth: { range: () => [0, 1], ends: "first row to last", strip: "probability", pick: depth },
  none: {},
};

function lastRow(strip, i) {
  return strip.values.at(-1)[i];
}

function depth(strip, i) {
  const at = strip.rows.indexOf(strip.settled[i]);
  return at < 0 ? null : at / (strip.rows.length - 1);
}

// values gives the number of each token, null where there is none.
export async function values(conversation) {
  const m = measures[state.color] ?? measures.surprisal;
  if (m.ofToken) return conversation.tokens.map(m.ofToken);
  if (!m.strip) return conversation.tokens.map(() => null);
  const parts = [];
  for (let n = 0; n * data.stripLength < conversation.tokens.length; n++) parts.push(data.strip(conversation.conversation_id, "normed", m.strip, n));
  return (await Promise.all(parts)).flatMap((s) => s.ids.map((_, i) => m.pick(s, i)));
}

// paint tints one span; the text's own colour follows, so that it stays readable.
export function paint(span, value) {
  const m = measures[state.color] ?? measures.surprisal;
  if (value === null || value === undefined || !m.range) {
    span.style.removeProperty("background-color");
    span.style.removeProperty("color");
    return;
  }
  const color = sequential(scaled(value, m.range()));
  span.style.backgroundColor = rgb(color);
  span.style.color = ink(color);
}

// The pale end of the map is the ground itself, so that certain tokens look like plain text.
const scaled = (x, [from, to]) => Math.max(0, Math.min(1, (x - from) / (to - from))) * (dark() ? 0.9 : 0.85);

// legend draws the scale under the header of the text.
export function legend() {
  fill($("legend"), scale(), folder());
}

function scale() {
  const m = measures[state.color] ?? measures.surprisal;
  if (!m.range) return h("span", {}, "no tint");
  const steps = Array.from({ length: 24 }, (_, i) => h("i", { style: { "background-color": rgb(sequential(scaled(i / 23, [0, 1]))) } }));
  return [h("span", {}, title(state.color)), why(state.color), h("span", { class: "scale", "aria-hidden": "true" }, steps),
    h("span", {}, m.ends)];
}

// folder is the switch that folds the template's markup into dots; it says that something is folded.
function folder() {
  const folded = document.body.classList.contains("folded");
  return h("button", { class: "quiet fold", "aria-pressed": String(folded), onclick: () => (document.body.classList.toggle("folded"), legend()) }, folded ? "template is folded: show" : "fold template");
}
