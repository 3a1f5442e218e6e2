// tracked.js: the tokens that keep a hue and a letter everywhere on the page.

import { h, announce } from "./dom.js";
import { hue, mostTracked } from "./color.js";
import { glyphs } from "./glyphs.js";
import { state, set } from "./state.js";
import * as data from "./data.js";

export const letter = (id) => "ABCDEF"[state.tracked.indexOf(id)] ?? "";
export const color = (id) => hue(state.tracked.indexOf(id));
const is = (id) => state.tracked.includes(id);

// toggle tracks a token, or stops; a seventh takes the place of the oldest.
export function toggle(id, text) {
  data.learn(id, text);
  set({ tracked: is(id) ? state.tracked.filter((x) => x !== id) : [...state.tracked, id].slice(-mostTracked) });
  announce(`${glyphs(text)} ${is(id) ? "is tracked as " + letter(id) : "is no longer tracked"}`);
}

// outline are the properties of an element that stands for a token.
export const outline = (id) => (is(id) ? { style: { "box-shadow": `inset 0 -3px 0 ${color(id)}` } } : {});

// mark is the letter of a tracked token in its hue.
export const mark = (id) => (is(id) ? h("b", { class: "letter", style: { color: color(id) } }, letter(id)) : null);
