// cachepanel.js: what is kept, how much it takes, and deleting it.

import { h, fill, announce } from "./dom.js";
import { state, model, set } from "./state.js";
import { dialog } from "./explain.js";
import { bytes } from "./glyphs.js";
import * as api from "./api.js";
import * as data from "./data.js";

let changed = () => {}; // called after a deletion
export const onDelete = (f) => (changed = f);

export async function open() {
  dialog("Cache", h("p", { class: "soft" }, "reading …"));
  await paint();
}

async function paint() {
  try {
    const [status, list] = await Promise.all([api.get("/api/cache/status"), api.get("/api/conversations", { model: model?.name, limit: 200 })]);
    dialog("Cache", facts(status), table(list));
  } catch (err) {
    dialog("Cache", h("p", { class: "notice bad" }, err.message));
  }
}

function facts({ cache, forward }) {
  const limit = (n) => (n > 0 ? ` of ${bytes(n)}` : "");
  const asked = cache.memory.hits + cache.memory.misses;
  return h("dl", { class: "facts-list" }, [
    ["kept", `${cache.conversations} conversations, ${cache.tokens} tokens; when space runs out, residual rows go first, never tokens or what the lens showed`],
    ["on disk", bytes(cache.disk.bytes) + limit(cache.disk.max_bytes)], ["in memory", bytes(cache.memory.bytes) + limit(cache.memory.max_bytes) + (asked ? `, ${Math.round((100 * cache.memory.hits) / asked)} % of reads found there` : "")],
    ["in this page", bytes(data.cachedBytes())], ["model ran", `${forward.passes} passes over ${forward.tokens} tokens since the server began`],
    cache.degraded ? ["trouble", cache.degraded] : null,
  ].filter(Boolean).map(([k, v]) => [h("dt", {}, k), h("dd", {}, v)]));
}

function table(list) {
  const about = (c) => (c.bytes !== undefined ? bytes(c.bytes) : model ? "about " + bytes(c.total_tokens * model.bytes_per_token) : "–");
  return h("div", { class: "scroller" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, [`conversation with ${model?.name ?? "the model"}`, "tokens", "size", ""].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, list.conversations.map((c) => h("tr", {}, h("td", {}, c.title || c.conversation_id, h("div", { class: "soft" }, c.conversation_id)), h("td", { class: "number" }, String(c.total_tokens)),
      h("td", { class: "number" }, about(c)), h("td", {}, remover(c)))))),
  list.total > list.conversations.length && h("p", { class: "soft" }, `and ${list.total - list.conversations.length} older ones`));
}

// remover asks once more before it deletes, in place.
function remover(c) {
  const button = h("button", { class: "quiet", "aria-label": `Delete ${c.title || c.conversation_id}`, onclick: () => fill(button.parentElement, h("button", { class: "bad", onclick: () => remove(c) }, "Really delete")) }, "Delete");
  return button;
}

async function remove(c) {
  try {
    await api.remove("/api/cache/" + encodeURIComponent(c.conversation_id));
    data.forget(c.conversation_id);
    if (state.conversation === c.conversation_id) set({ conversation: null, position: null, row: null });
    announce(`${c.title || c.conversation_id} is deleted`);
  } finally {
    changed();
    await paint();
  }
}
