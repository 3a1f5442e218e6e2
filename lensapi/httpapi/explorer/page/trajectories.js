// trajectories.js: chosen tokens as lines through the rows, whether or not they were ever among the first.

import { h, fill, select, css } from "./dom.js";
import { state, set } from "./state.js";
import { hue, dashes } from "./color.js";
import { glyphs, percent } from "./glyphs.js";
import { why } from "./explain.js";
import { current, tokenAt } from "./transcript.js";
import * as data from "./data.js";
import * as api from "./api.js";
import * as tracked from "./tracked.js";

export const name = "Trajectories";
export const fields = ["conversation", "position", "row", "variant", "tracked", "model"];

let measure = "probability";
let along = "rows";
const reach = 40; // tokens before the pinned one, when lines run along the text

export async function show(root) {
  const conversation = current();
  if (!conversation?.tokens.length || state.position === null) return fill(root, h("p", { class: "soft" }, "Pin a token: its first choices, or the tokens you track, are drawn as lines through the rows."));
  const p = state.position;
  const body = { conversation_id: conversation.conversation_id, from: along === "rows" ? p : Math.max(0, p - reach), to: p + 1, variant: state.variant, ranks: true };
  if (state.tracked.length) body.tokens = state.tracked;
  if (!root.querySelector(".trajectories")) fill(root, h("p", { class: "soft" }, "…"));
  const got = await data.track(body);
  if (state.view !== "trajectories" || state.position !== p) return;
  got.tracked.forEach((t) => data.learn(t.id, t.token));
  fill(root, h("div", { class: "trajectories" }, bar(root, got), h("div", { class: "with-list" }, chart(got, conversation), list(got))));
}

function bar(root, got) {
  const again = (f) => (value) => (f(value), show(root));
  const add = h("input", { type: "text", placeholder: "track a token, e.g. \u2423Paris", "aria-label": "Track a token", size: "18", onkeydown: (e) => e.key === "Enter" && enter(e.target) });
  const note = h("span", { class: "bad", role: "status", id: "track-note" });
  return h("div", { class: "bar-tools" }, h("label", {}, h("span", {}, "show"), select("Measure", [["probability", "probability"], ["logprob", "log-probability"], ["logit", "logit"], ["rank", "rank"]], measure, again((v) => (measure = v)))),
    h("label", {}, h("span", {}, "along"), select("Along", [["rows", "the rows"], ["text", "the text"]], along, again((v) => (along = v)))), add, why("track"), note,
    h("span", { class: "soft" }, `lens ${state.variant}${got.codec ? ", rows stored as " + got.codec : ""}`));
}

// enter tracks a token that was written; ␣ stands for a space. The server says when a text is not one token.
async function enter(input) {
  const text = input.value.replaceAll("␣", " ");
  const note = document.getElementById("track-note");
  try {
    const got = await api.post("/api/track", { conversation_id: state.conversation, from: state.position, to: state.position + 1, tokens: [text] });
    const [t] = got.tracked;
    if (!state.tracked.includes(t.id)) tracked.toggle(t.id, t.token);
  } catch (err) {
    note.textContent = err.message;
  }
}

const value = {
  probability: (got, t, r, i) => Math.exp(got.logprob[t][r][i]),
  logprob: (got, t, r, i) => got.logprob[t][r][i],
  logit: (got, t, r, i) => got.logit[t][r][i],
  rank: (got, t, r, i) => got.rank[t][r][i],
};

// lines are the values to draw, and the names of the places they run through.
function lines(got) {
  const f = value[measure];
  const r = Math.max(0, got.rows.includes(state.row) ? got.rows.indexOf(state.row) : got.rows.length - 1);
  if (along === "rows") return { places: got.rows, ys: got.tracked.map((_, t) => got.rows.map((_, row) => f(got, t, row, got.ids.length - 1))), chosen: r };
  return { places: got.tokens.map(glyphs), ys: got.tracked.map((_, t) => got.ids.map((_, i) => f(got, t, r, i))), chosen: got.ids.length - 1 };
}

const S = (tag, props = {}, ...children) => {
  const el = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [k, v] of Object.entries(props)) el.setAttribute(k, v);
  el.append(...children);
  return el;
};

// axis says how a value becomes a height 0..1, and which values are written beside it.
function axis(ys) {
  const all = ys.flat();
  if (measure === "probability") return { to: (y) => y, ticks: [0, 0.25, 0.5, 0.75, 1], write: (y) => `${100 * y} %` };
  if (measure === "rank") {
    const most = Math.max(10, ...all), top = Math.log(most);
    return { to: (y) => 1 - Math.log(y) / top, ticks: [1, 10, 100, 1000, 10_000, 100_000].filter((n) => n <= most), write: String };
  }
  const low = Math.min(...all), high = Math.max(...all, low + 1), step = 10 ** Math.floor(Math.log10(high - low)) * ((high - low) / 10 ** Math.floor(Math.log10(high - low)) > 4 ? 2 : 1);
  const first = Math.ceil(low / step) * step;
  return { to: (y) => (y - low) / (high - low), ticks: Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) => first + i * step), write: (y) => String(Number(y.toFixed(3))) };
}

const box = { w: 720, h: 230, left: 52, right: 60, top: 14, bottom: 30 };

function chart(got, conversation) {
  const { places, ys, chosen } = lines(got);
  const scale = axis(ys);
  const x = (i) => box.left + ((box.w - box.left - box.right) * i) / Math.max(1, places.length - 1);
  const y = (v) => box.h - box.bottom - (box.h - box.top - box.bottom) * scale.to(v);
  const svg = S("svg", { viewBox: `0 0 ${box.w} ${box.h}`, role: "img", "aria-label": describe(got, conversation, ys) });
  for (const t of scale.ticks) {
    svg.append(S("line", { x1: box.left, x2: box.w - box.right, y1: y(t), y2: y(t), class: "rule" }), S("text", { x: box.left - 6, y: y(t) + 4, "text-anchor": "end" }, scale.write(t)));
  }
  svg.append(S("line", { x1: x(chosen), x2: x(chosen), y1: box.top, y2: box.h - box.bottom, class: "chosen" }));
  const every = Math.ceil(places.length / 14);
  places.forEach((place, i) => i % every === 0 && svg.append(S("text", { x: x(i), y: box.h - 10, "text-anchor": "middle" }, place.length > 9 ? place.slice(0, 8) + "…" : place)));
  const taken = []; // heights of the letters so far, that none hides another
  ys.forEach((line, t) => {
    const end = y(line.at(-1)), aside = taken.filter((other) => Math.abs(other - end) < 11).length;
    taken.push(end);
    svg.append(...curve(line, t, x, y), S("text", { x: x(line.length - 1) + 6 + 10 * aside, y: end + 4, class: "letter", fill: colorOf(t) }, "ABCDEFGH"[t]));
  });
  return svg;
}

function curve(line, t, x, y) {
  const d = line.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  const color = colorOf(t);
  return [S("path", { d, fill: "none", stroke: color, "stroke-width": 2.2, "stroke-dasharray": dashes[t % dashes.length].join(" ") }),
    ...line.map((v, i) => S("circle", { cx: x(i), cy: y(v), r: line.length > 30 ? 1.5 : 3, fill: color }))];
}

const colorOf = (t) => hue(t);

function describe(got, conversation, ys) {
  const about = tokenAt(state.position);
  return `${measure} of ${got.tracked.map((t, i) => `${glyphs(t.token)}, ending at ${Number(ys[i].at(-1).toPrecision(3))}`).join("; ")}, along the ${along}, after ${glyphs(about.token_text)} at position ${state.position}`;
}

// list names the lines, with their last values; it is also the way to stop tracking.
function list(got) {
  const i = got.ids.length - 1, r = got.rows.length - 1;
  const own = state.tracked.length > 0;
  return h("ul", { class: "legend-list" }, got.tracked.map((t, n) => h("li", {}, h("b", { class: "letter", style: { color: colorOf(n) } }, "ABCDEFGH"[n]), h("span", { class: "glyphs" }, glyphs(t.token)), h("span", { class: "soft" }, `id ${t.id}`),
    h("span", { class: "number" }, percent(got.logprob[n][r][i])), h("button", { class: "quiet", onclick: () => tracked.toggle(t.id, t.token) }, own ? "stop" : "track"))),
  own ? h("li", {}, h("button", { class: "quiet", onclick: () => set({ tracked: [] }) }, "stop all")) : h("li", { class: "soft" }, "the first choices of the rows; track some to follow them everywhere"));
}
