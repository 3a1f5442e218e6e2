// exports.js: the conversation as a file, and as a link.

import { h, fill, download, announce } from "./dom.js";
import { state } from "./state.js";
import { current } from "./transcript.js";
import * as api from "./api.js";

export const name = "Export";
export const fields = ["conversation", "variant", "statistic"];

const formats = [
  ["json", "every cell, with every digit; the same as gopherlens lens --json"],
  ["csv", "one line per cell, for a spreadsheet or R"],
  ["npz", "the grid as NumPy arrays"],
  ["html", "a page that opens anywhere, offline"],
  ["png", "the heatmap as a picture"],
  ["svg", "the heatmap as a drawing, for a paper"],
  ["npy", "the residual rows as a NumPy array"],
  ["safetensors", "the residual rows with their names, for Python"],
];

export function show(root) {
  const conversation = current();
  if (!conversation?.tokens.length) return fill(root, h("p", { class: "soft" }, "Open a conversation to save it as a file or a link."));
  const note = h("p", { class: "soft", role: "status" });
  fill(root, h("p", { class: "soft" }, `${conversation.conversation_id}, ${conversation.tokens.length} tokens, lens ${state.variant}`), h("div", { class: "exports" },
    formats.map(([format, what]) => h("button", { class: "export", "data-format": format, onclick: () => save(conversation, format, note) }, h("b", {}, format), h("span", {}, what))),
    h("button", { class: "export", onclick: () => copy(note) }, h("b", {}, "link"), h("span", {}, "copies an address that shows exactly this view"))), note);
}

async function save(conversation, format, note) {
  note.textContent = "writing …";
  try {
    const picture = ["png", "svg"].includes(format);
    const q = { format, variant: state.variant, statistic: picture && ["probability", "entropy", "kl", "rank"].includes(state.statistic) ? state.statistic : "" };
    download(await api.file("/api/export/" + encodeURIComponent(conversation.conversation_id), q), `${conversation.conversation_id}.${format}`);
    note.textContent = `saved ${conversation.conversation_id}.${format}`;
    announce(note.textContent);
  } catch (err) {
    note.textContent = err.message;
  }
}

async function copy(note) {
  try {
    await navigator.clipboard.writeText(location.href);
    note.textContent = "the link is copied";
  } catch {
    note.textContent = `copy the address: ${location.href}`; // a page on plain http may not write the clipboard
  }
}
