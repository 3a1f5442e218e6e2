// heatmap.js: all rows and all tokens of a conversation, coloured by a statistic; two lens variants beside each other on demand.

import { h, fill, select, $ } from "./dom.js";
import { state, model, set } from "./state.js";
import { sequential, rgb } from "./color.js";
import { glyphs } from "./glyphs.js";
import { title, sentence, why } from "./explain.js";
import { Grid, zoomer } from "./grid.js";
import { scaleOf, statistics } from "./scale.js";
import { current } from "./transcript.js";
import * as data from "./data.js";
import * as tracked from "./tracked.js";

export const name = "Heatmap";
export const fields = ["conversation", "position", "row", "variant", "tracked", "statistic", "beside", "model"];

const grids = [new Grid(), new Grid()];
let frame = null; // what the elements shown were made for; they stay, and keep their scroll, while it is the same
let failed = null; // the element that says what went wrong
let shownAt = null; // the position that was last scrolled to

// The two scroll as one.
grids.forEach((g, i) => g.el.addEventListener("scroll", () => {
  const other = grids[1 - i];
  if (!other.el.isConnected || other.el.scrollLeft === g.el.scrollLeft) return;
  other.el.scrollLeft = g.el.scrollLeft;
}));

export function show(root) {
  const conversation = current();
  if (!conversation?.tokens.length) return fill(root, h("p", { class: "soft" }, "The heatmap shows all rows and tokens of a conversation: write to the model, or open one."));
  const variants = state.beside ? [state.variant, state.beside] : [state.variant];
  const wanted = [conversation.conversation_id, state.statistic, ...variants].join("\n");
  const anew = wanted !== frame || !grids[0].el.isConnected;
  if (anew) build(root, conversation, variants);
  frame = wanted;
  variants.forEach((v, i) => grids[i].draw(source(conversation, v, grids[i])));
  if ((anew || state.position !== shownAt) && state.position !== null) grids.slice(0, variants.length).forEach((g) => g.reveal(state.position));
  shownAt = state.position;
}

function build(root, conversation, variants) {
  failed = h("span", { class: "bad", role: "status" });
  const caption = (v) => h("figcaption", {}, `lens ${v} · ${conversation.model_name}`, v === "normed" && [" · hatched: far from the final guess", why("doubtful")]);
  fill(root, bar(), h("div", { class: "beside" }, variants.map((v, i) => h("figure", {}, caption(v), grids[i].el))));
}

function bar() {
  const others = (model?.variants ?? []).filter((v) => v !== state.variant);
  const ramp = Array.from({ length: 24 }, (_, i) => h("i", { style: { "background-color": rgb(sequential(i / 23)) } }));
  return h("div", { class: "bar-tools" },
    h("label", {}, h("span", {}, "colour"), select("Statistic", statistics().map((s) => [s, title(s).toLowerCase()]), state.statistic, (statistic) => set({ statistic })), why(state.statistic)),
    h("label", {}, h("span", {}, "beside"), select("Second variant", [["", "nothing"], ...others.map((v) => [v, v])], state.beside ?? "", (v) => set({ beside: v || null }))),
    zoomer(...(state.beside ? grids : grids.slice(0, 1))), h("span", { class: "scale", "aria-hidden": "true" }, ramp), h("span", { class: "soft" }, scaleOf(state.statistic).ends), failed);
}

// source gives a grid the cells of a variant, and fetches the strips that come into view.
function source(conversation, variant, grid) {
  const id = conversation.conversation_id, statistic = state.statistic, scale = scaleOf(statistic), rows = conversation.rows;
  const asked = new Set();
  const stripAt = (p) => data.keptStrip(id, variant, statistic, Math.floor(p / data.stripLength));
  const need = (from, to) => {
    for (let n = Math.floor(from / data.stripLength); n * data.stripLength < to; n++) {
      if (asked.has(n)) continue;
      asked.add(n);
      data.strip(id, variant, statistic, n).then(() => grid.later(), (err) => (failed.textContent = err.message));
    }
  };
  const cell = (r, p) => {
    const s = stripAt(p);
    if (!s) return null;
    const i = p - s.from, value = s.values[r][i], id = s.top_ids[r][i];
    return { color: value === null ? null : sequential(Math.max(0, Math.min(1, scale.to(value)))), text: glyphs(s.texts[id]), hatched: variant === "normed" && s.doubtful[r],
      ring: state.tracked.includes(id) ? tracked.color(id) : null, value, id };
  };
  return {
    rows, columns: conversation.tokens.length, need, cell, name: `Heatmap: ${title(statistic)} of ${rows.length} rows and ${conversation.tokens.length} tokens, lens ${variant}. The arrow keys move through it, and the panel reads it out.`,
    label: (p) => glyphs(conversation.tokens[p].token_text), chosen: { row: rows.indexOf(state.row), column: state.position },
    pick: (r, p) => set({ position: p, row: rows[r] }, "push"),
    tip: (r, p) => tip(conversation, rows[r], p, cell(r, p), stripAt(p)?.answer_rank[r][p - stripAt(p).from]),
  };
}

function tip(conversation, row, p, cell, rank) {
  if (!cell) return null;
  const value = cell.value === null ? "none" : scaleOf(state.statistic).write(cell.value);
  return [h("div", {}, `${row} after `, h("b", { class: "glyphs" }, glyphs(conversation.tokens[p].token_text)), ` (position ${p})`), h("div", {}, "says ", h("b", { class: "glyphs" }, cell.text), ` · ${title(state.statistic).toLowerCase()} ${value} · final answer has rank ${rank}`),
    cell.hatched && h("div", {}, sentence("doubtful"))];
}
