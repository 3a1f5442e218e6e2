// attention.js: where heads look. All heads of a layer, one head with its tokens, or the rollout through all layers.

import { h, fill, select } from "./dom.js";
import { state, model, set } from "./state.js";
import { sequential } from "./color.js";
import { glyphs, percent } from "./glyphs.js";
import { why } from "./explain.js";
import { Grid, zoomer } from "./grid.js";
import { current } from "./transcript.js";
import * as data from "./data.js";

export const name = "Attention";
export const fields = ["conversation", "position", "layer", "head", "weighted", "model"];

const most = 256; // tokens shown: a picture of more has cells that nobody can see
const grid = new Grid();
grid.zoom = 4;

export async function show(root) {
  const conversation = current();
  if (!conversation?.tokens.length) return fill(root, h("p", { class: "soft" }, "Attention shows which earlier tokens each head reads from: write to the model, or open a conversation."));
  const layer = state.layer === "rollout" ? "rollout" : Math.min(state.layer, (model?.layers ?? 1) - 1);
  const n = Math.min(most, conversation.tokens.length);
  if (!root.querySelector(".attention")) fill(root, h("p", { class: "soft" }, "…"));
  const got = await data.attention(conversation.conversation_id, layer, { n, weighted: state.weighted && layer !== "rollout" ? "true" : "" });
  if (state.view !== "attention" || current() !== conversation) return;
  const weights = (state.weighted && got.weighted) || got.pattern;
  const one = layer === "rollout" ? 0 : state.head !== null && state.head < weights.length ? state.head : null;
  fill(root, h("div", { class: "attention" }, bar(conversation, got, layer, one, n), one === null ? heads(weights, layer) : head(got, weights[one], one, layer)));
}

function bar(conversation, got, layer, one, n) {
  const layers = Array.from({ length: model?.layers ?? 0 }, (_, i) => [String(i), `layer ${i}`]);
  return h("div", { class: "bar-tools" },
    h("label", {}, h("span", {}, "of"), select("Layer", [...layers, ["rollout", "rollout: all layers"]], String(layer), (v) => set({ layer: v === "rollout" ? v : Number(v) }))),
    layer !== "rollout" && h("label", {}, h("span", {}, "head"), select("Head", [["", "all"], ...got.heads.map((n) => [String(n), `L${layer}H${n}`])], one === null ? "" : String(one), (v) => set({ head: v === "" ? null : Number(v) }, "push"))),
    layer !== "rollout" && h("label", {}, h("input", { type: "checkbox", checked: state.weighted, onchange: (e) => set({ weighted: e.target.checked }) }), h("span", {}, "value-weighted"), why("weighted")),
    one !== null && zoomer(grid), why(layer === "rollout" ? "rollout" : "attention"),
    h("span", { class: "soft" }, `rows read, columns are read from${got.codec ? " · from rows stored as " + got.codec : ""}${n < conversation.tokens.length ? ` · the first ${n} tokens` : ""}`));
}

const largest = (matrix) => matrix.reduce((m, row) => Math.max(m, ...row), 0) || 1;

// heads are small pictures, one pixel a cell.
function heads(weights, layer) {
  return h("div", { class: "heads" }, weights.map((matrix, n) => h("button", { class: "head", onclick: () => set({ head: n }, "push"), "aria-label": `Head L${layer}H${n}` }, picture(matrix), h("span", {}, `L${layer}H${n}`))));
}

function picture(matrix) {
  const n = matrix.length, canvas = h("canvas", { width: n, height: n, "aria-hidden": "true" });
  const c = canvas.getContext("2d"), image = c.createImageData(n, n), top = largest(matrix);
  matrix.forEach((row, q) => row.forEach((w, k) => {
    image.data.set([...sequential(w / top), 255], 4 * (q * n + k));
  }));
  c.putImageData(image, 0, 0);
  return canvas;
}

// head is one head, or the rollout, with its tokens; the pinned token's row is also written out.
function head(got, matrix, n, layer) {
  const tokens = got.tokens.map(glyphs), top = largest(matrix), named = layer === "rollout" ? "the rollout" : `head L${layer}H${n}`;
  const write = (w) => (state.weighted && layer !== "rollout" ? w.toFixed(3) : percent(Math.log(w)));
  const p = state.position !== null && state.position < tokens.length ? state.position : null;
  grid.draw({
    rows: tokens, columns: tokens.length, topDown: true, square: true, label: (i) => tokens[i], name: `Attention of ${named}; the list beside it says it in words for the pinned token`,
    cell: (q, k) => (k > q ? { color: null, text: "" } : { color: sequential(matrix[q][k] / top) }), chosen: { row: p ?? -1, column: null }, pick: (q) => set({ position: q }, "push"),
    tip: (q, k) => k <= q && [h("b", { class: "glyphs" }, tokens[q]), ` at ${q} takes ${write(matrix[q][k])} from `, h("b", { class: "glyphs" }, tokens[k]), ` at ${k}`],
  });
  if (p !== null) requestAnimationFrame(() => grid.reveal(null, p)); // when it has its place in the page
  return h("div", { class: "with-list" }, grid.el, sources(matrix, tokens, p, write));
}

function sources(matrix, tokens, p, write) {
  if (p === null) return h("p", { class: "soft legend-list" }, "Pin a token to read what it takes, and from where.");
  const order = matrix[p].map((w, k) => [w, k]).sort((a, b) => b[0] - a[0]).slice(0, 8);
  return h("ul", { class: "legend-list" }, h("li", {}, h("span", { class: "glyphs" }, tokens[p]), h("span", { class: "soft" }, ` at ${p} reads`)),
    order.map(([w, k]) => h("li", {}, h("button", { class: "quiet glyphs", onclick: () => set({ position: k }, "push") }, tokens[k]), h("span", { class: "soft" }, `position ${k}`), h("span", { class: "number" }, write(w)))));
}
