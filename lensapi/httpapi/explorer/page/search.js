// search.js: looks through all that the cache holds for the model.

import { h, fill, select, announce } from "./dom.js";
import { state, model, set } from "./state.js";
import { glyphs, percent, nats } from "./glyphs.js";
import { why } from "./explain.js";
import * as api from "./api.js";

export const name = "Search";
export const fields = ["model"]; // results stay while one looks at them

// A kind has a label, the field that asks for its value, and what its score means.
const kinds = {
  text: { label: "text (regular expression)", field: { type: "text", placeholder: "France|Spain" }, query: (v) => ({ text: v }), score: () => "" },
  token: { label: "rows that say the token", field: { type: "text", placeholder: "␣Paris" }, query: (v) => ({ token: { id: v.replaceAll("␣", " "), first: 3 } }), score: (h) => percent(h.score) },
  entropy_drop: { label: "entropy falls by, in nats", field: { type: "number", min: "0", step: "0.1", value: "3" }, query: (v) => ({ entropy_drop: Number(v) }), score: (h) => `falls by ${nats(h.score)}` },
  crossing: { label: "what came enters the first", field: { type: "number", min: "1", step: "1", value: "1" }, query: (v) => ({ crossing: Number(v) }), score: (h) => `rank ${h.score}` },
  near: { label: "like the pinned token, at the row", field: null, query: () => ({ near: { conversation_id: state.conversation, position: state.position } }), score: (h) => `cosine ${h.score.toFixed(3)}` },
};

let kind = "text";
let words = "";
let row = "";
let found = null;
let went = null; // AbortController of the search that runs

export function show(root) {
  const results = h("div", { class: "results", role: "region", "aria-label": "Search results", tabindex: "-1" });
  const field = kinds[kind].field && h("input", { ...kinds[kind].field, "aria-label": kinds[kind].label, size: "22" });
  if (field && words) field.value = words;
  const go = () => run(field?.value ?? "", results);
  const form = h("form", { class: "bar-tools", onsubmit: (e) => (e.preventDefault(), go()) },
    h("label", {}, h("span", {}, "find"), select("What to find", Object.entries(kinds).map(([k, v]) => [k, v.label]), kind, (v) => ((kind = v), (words = ""), (found = null), show(root)), { class: "broad" })), field,
    kind !== "text" && h("label", {}, h("span", {}, "row"), select("Row", [["", kind === "near" ? "choose …" : "any"], ...(model?.rows ?? []).map((r) => [r, r])], row || (kind === "near" ? (state.row ?? model?.rows.at(-1)) : ""), (v) => (row = v))),
    h("button", { class: "primary", type: "submit" }, "Search"), why("search"));
  if (kind === "near") row ||= state.row ?? model?.rows.at(-1);
  fill(root, form, results);
  if (found) list(found, results);
  field?.focus();
}

async function run(value, results) {
  words = value;
  if (kind === "near" && state.position === null) return fill(results, h("p", { class: "soft" }, "Pin a token first: places with a like vector are found."));
  if (kinds[kind].field && value === "") return;
  went?.abort();
  const me = (went = new AbortController());
  fill(results, h("p", { class: "soft" }, "searching …"));
  try {
    const got = await api.post("/api/search", { model: model?.name, limit: 50, ...kinds[kind].query(value), ...(kind !== "text" && row ? { row } : {}) }, me.signal);
    if (went !== me) return;
    found = got;
    list(got, results);
    announce(`${got.total} found`);
  } catch (err) {
    if (err.name !== "AbortError") fill(results, h("p", { class: "notice bad" }, err.message));
  }
}

function list(got, results) {
  const more = got.total > got.hits.length ? `, the first ${got.hits.length} shown` : "";
  fill(results, h("p", { class: "soft" }, `${got.what}: ${got.total} found in ${got.conversations} conversation${got.conversations === 1 ? "" : "s"}${more}${got.codec ? ", rows stored as " + got.codec : ""}`), h("ul", {}, got.hits.map(hit)));
}

function hit(x) {
  const before = x.context_window.map((t) => t.token_text).join("").replaceAll("\n", "⏎").slice(-48);
  return h("li", {}, h("button", { class: "hit", onclick: () => set({ conversation: x.conversation_id, position: x.position, row: x.row || state.row }, "push") },
    h("span", { class: "soft" }, "…", before), h("mark", { class: "glyphs" }, glyphs(x.token_text)), h("span", { class: "where" }, `${x.conversation_id} · position ${x.position}${x.row ? " · " + x.row : ""}${x.same ? ` · and ${x.same} alike` : ""}`),
    h("b", {}, kinds[kind].score(x))));
}
