// header.js: which model, which lens, which colour; theme, help and the cache's size.

import { h, fill, $, select } from "./dom.js";
import { state, model, set, on } from "./state.js";
import { title, why, help } from "./explain.js";
import { dark } from "./color.js";
import { bytes } from "./glyphs.js";
import { measures } from "./tint.js";
import * as api from "./api.js";
import * as cachepanel from "./cachepanel.js";

let names = []; // of the models there are
let choose = () => {}; // called with the name of a chosen model

export function start(onmodel) {
  choose = onmodel;
  on(["model", "variant", "color"], paint);
  fill($("tools"), h("button", { id: "cache", class: "quiet", onclick: cachepanel.open, title: "What is kept, and deleting it" }, "cache"),
    h("button", { class: "icon", "aria-label": "Dark or light", title: "Dark or light (D)", onclick: flip }, "◐"), h("button", { class: "icon", "aria-label": "Help", title: "Help (?)", onclick: help }, "?"));
  paint();
}

export function models(list) {
  names = list;
  paint();
}

export const flip = () => globalThis.setTheme(dark() ? "light" : "dark");

function paint() {
  const variants = model?.variants ?? ["normed"];
  fill($("controls"),
    h("label", {}, h("span", {}, "model"), select("Model", names.map((m) => [m.name, m.name]), model?.name ?? "", choose)),
    h("label", {}, h("span", {}, "lens"), select("Lens variant", variants.map((v) => [v, v]), state.variant, (variant) => set({ variant })), why("variant")),
    h("label", {}, h("span", {}, "colour"), select("Colour of the text", Object.keys(measures).map((k) => [k, k === "none" ? "none" : title(k).toLowerCase()]), state.color, (color) => set({ color })), why(state.color === "none" ? "surprisal" : state.color)),
    model?.approximation && h("span", { class: "notice", title: "The weights are rounded, and so are all numbers of this page." }, model.approximation));
}

// status shows the cache's size; a cache that cannot write says so.
export async function status(warn) {
  const { cache } = await api.get("/api/cache/status");
  $("cache").textContent = `cache ${bytes(cache.disk.bytes)}${cache.disk.max_bytes ? " of " + bytes(cache.disk.max_bytes) : ""}`;
  warn(cache.degraded ? `The cache goes on in memory only: ${cache.degraded}. ${cache.unsaved_tokens} tokens are not saved yet.` : null);
}
