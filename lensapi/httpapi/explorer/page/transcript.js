// transcript.js: the conversation as text. Each token is an inline box, tinted underneath; text stays text.

import { h, fill, $ } from "./dom.js";
import { inText, glyphs, nats } from "./glyphs.js";
import { state, set, on } from "./state.js";
import * as data from "./data.js";
import * as tint from "./tint.js";
import * as hover from "./hover.js";

export const contextTokens = 15;

let shown = null; // the conversation as the server gives it; its tokens stand at their positions
let spans = []; // by position
let values = []; // by position

// current is the conversation that the state asks for, or null while it is not here.
export const current = () => (shown !== null && shown.conversation_id === state.conversation ? shown : null);
export const tokenAt = (p) => shown?.tokens[p] ?? null;

// open shows a conversation, or what to do while there is none.
export function open(conversation) {
  shown = conversation;
  spans = [];
  values = [];
  fill($("transcript"));
  if (!conversation) return;
  for (const t of conversation.tokens) place(t);
  retint();
  mark();
}

// append adds a token that the model just read or wrote.
export function append(token) {
  if (token.position !== shown.tokens.length) return; // the reader came back in the middle; the end of the answer brings the whole
  shown.tokens.push(token);
  place(token);
  values.push(token.surprisal);
  if (state.color === "surprisal") tint.paint(spans[token.position], token.surprisal);
}

function place(token) {
  const span = h("span", {
    class: "token" + (token.template ? " template" : "") + (token.generated ? " generated" : ""),
    role: "option", "aria-selected": "false", tabindex: token.position === 0 ? "0" : "-1", "data-p": String(token.position),
  }, inText(token.token_text));
  spans[token.position] = span;
  turn(token).append(span);
}

// turn finds the block of a token's turn, or begins it.
function turn(token) {
  const log = $("transcript");
  const last = log.lastElementChild;
  if (last?.dataset.turn === String(token.turn)) return last.querySelector(".words");
  const who = token.role === "prompt" ? "text" : token.role;
  const words = h("div", { class: "words", role: "listbox", "aria-label": `${who}, turn ${token.turn}`, "aria-orientation": "horizontal" });
  log.append(h("div", { class: `turn ${token.role}`, "data-turn": String(token.turn) }, h("div", { class: "who" }, who), words));
  return words;
}

// retint colours all tokens by the chosen number.
export async function retint() {
  tint.legend();
  const conversation = shown;
  if (!conversation) return;
  try {
    const got = await tint.values(conversation);
    if (conversation !== shown) return;
    values = got;
  } catch {
    values = []; // the banner says that the server is gone; plain text is still right
  }
  spans.forEach((span, p) => tint.paint(span, values[p]));
}

// mark shows which token is pinned and which are the fifteen before it.
function mark() {
  for (const s of $("transcript").querySelectorAll(".pinned, .context")) {
    s.classList.remove("pinned", "context");
    s.setAttribute("aria-selected", "false");
  }
  const p = state.position;
  if (p === null || !spans[p]) return;
  for (let i = Math.max(0, p - contextTokens); i < p; i++) spans[i].classList.add("context");
  spans[p].classList.add("pinned");
  spans[p].setAttribute("aria-selected", "true");
  rove(p);
  const span = spans[p];
  requestAnimationFrame(() => span.scrollIntoView({ block: "nearest" })); // asks for the layout, which is made once, when all else has changed
}

// rove makes one token the one that Tab reaches.
function rove(p) {
  for (const s of $("transcript").querySelectorAll('.token[tabindex="0"]')) s.tabIndex = -1;
  spans[p].tabIndex = 0;
}

// step pins the token so many places on; from nothing pinned it begins at the last.
export function step(by) {
  if (!current()?.tokens.length) return;
  const last = shown.tokens.length - 1;
  const p = state.position === null ? last : Math.max(0, Math.min(last, state.position + by));
  set({ position: p }, state.position === null ? "push" : "replace");
  spans[p].focus({ preventScroll: true });
}

const positionOf = (target) => {
  const span = target.closest?.(".token");
  return span ? Number(span.dataset.p) : null;
};

// describe is the first line of the tooltip.
export function describe(p) {
  const t = tokenAt(p);
  return [h("b", { class: "glyphs" }, glyphs(t.token_text)), ` id ${t.token_id} · position ${p}`,
    t.surprisal === null || t.surprisal === undefined ? "" : ` · surprisal ${nats(t.surprisal)}`, t.template ? " · template" : ""];
}

export function start() {
  const log = $("transcript");
  $("skip").addEventListener("click", () => (log.querySelector('.token[tabindex="0"]') ?? log).focus()); // no link: the address is the state
  log.addEventListener("click", (e) => {
    const p = positionOf(e.target);
    if (p === null || getSelection().type === "Range") return; // a selection of text is no click
    hover.hide();
    set({ position: p }, "push");
  });
  log.addEventListener("pointerover", (e) => e.pointerType === "mouse" && hover.over(positionOf(e.target), e.target));
  log.addEventListener("pointerleave", () => hover.over(null));
  log.addEventListener("focusin", (e) => {
    const p = positionOf(e.target);
    if (p !== null && p !== state.position && e.target.matches(":focus-visible")) hover.over(p, e.target);
  });
  on(["position", "conversation"], mark);
  on(["color", "model"], retint);
  addEventListener("theme", retint);
}
