// dock.js: the views of a whole conversation, one at a time, under its text.

import { h, fill, $ } from "./dom.js";
import { state, set, on } from "./state.js";
import { Gone } from "./api.js";
import * as heatmap from "./heatmap.js";
import * as trajectories from "./trajectories.js";
import * as attention from "./attention.js";
import * as compare from "./compare.js";
import * as search from "./search.js";
import * as exports from "./exports.js";

// A view has a name, the fields of the state on which it depends, and show(root), which may return a promise.
const views = { heatmap, trajectories, attention, compare, search, export: exports };

let big = false;

export function open(name, focus) {
  set({ view: name }, state.view === name ? "replace" : "push");
  document.body.dataset.pane = "views";
  if (focus) $("view").querySelector("input, select, button")?.focus();
}

export const openNth = (n) => Object.keys(views)[n] && open(Object.keys(views)[n]);

function toggle(name) {
  if (state.view === name) set({ view: null }, "push");
  else open(name);
}

function tabs() {
  const names = Object.keys(views);
  const tab = (name) => h("button", {
    role: "tab", id: "tab-" + name, "aria-selected": String(state.view === name), "aria-controls": "view", tabindex: name === (state.view ?? names[0]) ? "0" : "-1", onclick: () => toggle(name),
  }, views[name].name);
  fill($("tabs"), names.map(tab), state.view && h("span", { class: "right" },
    h("button", { class: "icon", "aria-label": big ? "Smaller" : "Larger", title: big ? "Smaller" : "Larger", onclick: grow }, big ? "▾" : "▴"),
    h("button", { class: "icon", "aria-label": "Close the view", onclick: () => set({ view: null }, "push") }, "✕")));
}

function grow() {
  big = !big;
  document.body.classList.toggle("big-dock", big);
  tabs();
}

function arrows(e) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
  if (!by) return;
  const all = [...$("tabs").querySelectorAll("[role=tab]")];
  const next = all[(all.indexOf(document.activeElement) + by + all.length) % all.length];
  next.focus();
  e.preventDefault();
}

// show paints the open view; what goes wrong in it is said in its place.
async function show() {
  const root = $("view");
  const view = views[state.view];
  document.body.classList.toggle("docked", Boolean(view));
  if (!view) return fill(root);
  root.setAttribute("aria-labelledby", "tab-" + state.view);
  try {
    await view.show(root);
  } catch (err) {
    if (err.name === "AbortError" || views[state.view] !== view) return;
    fill(root, h("p", { class: "notice bad" }, err instanceof Gone ? "The server does not answer. " : `${err.message}. `, h("button", { onclick: show }, "Try again")));
  }
}

let following = false;

// follow shows the view again one frame later: the panel, which a click asks for, comes first.
function follow() {
  if (following) return;
  following = true;
  requestAnimationFrame(() => setTimeout(() => {
    following = false;
    show();
  }));
}

export function start() {
  $("tabs").addEventListener("keydown", arrows);
  on(["view"], () => (tabs(), show()));
  on(["conversation", "position", "row", "variant", "tracked", "statistic", "beside", "layer", "head", "weighted", "against", "model"], (_, changed) => {
    const view = views[state.view];
    if (view && changed.some((k) => view.fields.includes(k))) follow();
  });
  addEventListener("theme", show);
  tabs();
  show();
}

// refresh is called when the conversation shown is another one, or has more tokens than before.
export const refresh = show;
