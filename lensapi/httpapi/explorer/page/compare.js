// compare.js: one statistic of two conversations, cell by cell.

import { h, fill, select } from "./dom.js";
import { state, set } from "./state.js";
import { diverging, rgb } from "./color.js";
import { glyphs, nats } from "./glyphs.js";
import { title, why } from "./explain.js";
import { Grid, zoomer } from "./grid.js";
import { statistics } from "./scale.js";
import { current } from "./transcript.js";
import * as api from "./api.js";
import * as data from "./data.js";
import * as sidebar from "./sidebar.js";

export const name = "Compare";
export const fields = ["conversation", "position", "row", "variant", "statistic", "against", "model"];

const grid = new Grid();
let shown = null; // {key, got}: the last comparison, and what it was of

export async function show(root) {
  const a = current();
  if (!a?.tokens.length) return fill(root, h("p", { class: "soft" }, "Open a conversation first, then choose another to compare it with."));
  const others = sidebar.known().filter((c) => c.conversation_id !== a.conversation_id && c.model_name === a.model_name);
  if (!state.against) return fill(root, bar(others), h("p", { class: "soft" }, others.length ? "Choose the conversation to compare with. Two that differ in one word show where in the model the difference matters." : "There is no other conversation of this model yet: ask a second question that differs in one word."));
  const key = [a.conversation_id, a.tokens.length, state.against, state.statistic, state.variant].join("\n");
  if (shown?.key === key && grid.el.isConnected) return grid.draw(source(shown.got)); // only the choice moved
  const b = await data.conversation(state.against);
  const to = Math.min(a.tokens.length, b.tokens.length);
  const got = await api.post("/api/contrast", { a: { conversation_id: a.conversation_id, from: 0, to }, b: { conversation_id: state.against, from: 0, to }, statistic: state.statistic, variant: state.variant });
  if (state.view !== "compare" || current() !== a) return;
  shown = { key, got };
  fill(root, bar(others, got), h("figure", { class: "grow" }, h("figcaption", {}, caption(a.tokens.length, b.tokens.length)), grid.el));
  grid.draw(source(got));
  if (state.position !== null) grid.reveal(state.position);
}

const caption = (na, nb) => `${title(state.statistic)}, lens ${state.variant}: the other less this one${na === nb ? "" : `, over the ${Math.min(na, nb)} positions that both have`}. Where the tokens differ: this→other.`;

function bar(others, got) {
  const ramp = Array.from({ length: 25 }, (_, i) => h("i", { style: { "background-color": rgb(diverging(i / 12 - 1)) } }));
  const bound = got && widest(got);
  return h("div", { class: "bar-tools" },
    h("label", {}, h("span", {}, "with"), select("Other conversation", [["", "choose …"], ...others.map((c) => [c.conversation_id, (c.title || c.conversation_id).slice(0, 48)])], state.against ?? "", (v) => set({ against: v || null }, "push"), { class: "broad" })),
    h("label", {}, h("span", {}, "of"), select("Statistic", statistics().map((s) => [s, title(s).toLowerCase()]), state.statistic, (statistic) => set({ statistic })), why(state.statistic)),
    zoomer(grid), why("compare"), got && [h("span", { class: "scale", "aria-hidden": "true" }, ramp), h("span", { class: "soft" }, `−${nats(bound)} to +${nats(bound)}`)]);
}

const widest = (got) => got.difference.flat().reduce((m, x) => Math.max(m, Math.abs(x ?? 0)), 0) || 1;

function source(got) {
  const bound = widest(got), label = (i) => (got.a.ids[i] === got.b.ids[i] ? glyphs(got.a.tokens[i]) : `${glyphs(got.a.tokens[i])}→${glyphs(got.b.tokens[i])}`);
  return {
    rows: got.rows, columns: got.a.ids.length, label, chosen: { row: got.rows.indexOf(state.row), column: state.position }, name: `Difference of ${title(got.statistic)} between two conversations`,
    cell: (r, i) => ({ color: got.difference[r][i] === null ? null : diverging(got.difference[r][i] / bound), text: got.difference[r][i] === null ? "" : nats(got.difference[r][i]) }),
    pick: (r, i) => set({ position: i, row: got.rows[r] }, "push"),
    tip: (r, i) => [h("div", {}, `${got.rows[r]} after `, h("b", { class: "glyphs" }, label(i))), h("div", {}, `this ${nats(got.a_values[r][i])}, other ${nats(got.b_values[r][i])}, difference ${nats(got.difference[r][i])}`)],
  };
}
