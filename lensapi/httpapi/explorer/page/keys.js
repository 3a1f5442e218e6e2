// keys.js: the keyboard. Keys do nothing while a field is being written in, or a dialog is open.

import { $ } from "./dom.js";
import { state, set } from "./state.js";
import { help } from "./explain.js";
import { flip } from "./header.js";
import * as transcript from "./transcript.js";
import * as panel from "./panel.js";
import * as dock from "./dock.js";
import * as composer from "./composer.js";
import * as sidebar from "./sidebar.js";

const keys = {
  ArrowLeft: () => transcript.step(-1),
  ArrowRight: () => transcript.step(1),
  ArrowUp: () => panel.stepRow(1), // rows stand bottom-up
  ArrowDown: () => panel.stepRow(-1),
  Home: () => transcript.step(-Infinity),
  End: () => transcript.step(Infinity),
  Enter: (target) => {
    const p = target.dataset?.p; // a token that Tab or a click reached
    if (p !== undefined && Number(p) !== state.position) set({ position: Number(p) }, "push");
    else panel.toggleRow();
  },
  t: () => panel.trackFirst(),
  "/": () => dock.open("search", true),
  c: () => composer.focus(),
  d: flip,
  "?": help,
};

const writing = (el) => el.matches?.("input, textarea, select, [contenteditable]");

// own says that an element uses a key itself.
function own(el, key) {
  if (key === "Enter") return el.matches?.("button, a, summary") || false;
  if (key.startsWith("Arrow") || key === "Home" || key === "End") return Boolean(el.closest?.("[role=tablist], .scrolls"));
  return false;
}

function pressed(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || $("dialog").open) return;
  if (e.key === "Escape") return escape(e);
  if (writing(e.target) || own(e.target, e.key)) return;
  const act = keys[e.key] ?? keys[e.key.toLowerCase()] ?? (/^[1-6]$/.test(e.key) ? () => dock.openNth(Number(e.key) - 1) : null);
  if (!act) return;
  e.preventDefault();
  act(e.target);
}

// escape closes the nearest thing: a field's focus, the menu, the view, the pinned token.
function escape(e) {
  if (document.querySelector("#why:popover-open")) return; // closes by itself
  if (writing(e.target)) e.target.blur();
  else if (e.target.closest?.("#dock") && state.view !== null) set({ view: null }, "push");
  else if (document.body.classList.contains("menu")) sidebar.close();
  else if (state.position !== null) set({ position: null, row: null }, "push");
  else if (state.view !== null) set({ view: null }, "push");
}

export const start = () => addEventListener("keydown", pressed);
