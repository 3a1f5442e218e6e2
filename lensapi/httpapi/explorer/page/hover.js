// hover.js: a token that the mouse rests on is fetched before it is clicked, with its neighbours. One such request runs at a time, and it is called off when the
// mouse moves on.

import { h, fill, $ } from "./dom.js";
import { glyphs, percent } from "./glyphs.js";
import { state } from "./state.js";
import * as data from "./data.js";
import { describe, current } from "./transcript.js";

const rest = 80; // milliseconds before a hover counts
const neighbours = 1; // on each side

let timer = 0;
let running = null; // AbortController of the prefetch
let over_ = null; // position under the mouse

// over is told where the mouse is; null is nowhere.
export function over(p, target) {
  if (p === over_) return;
  over_ = p;
  clearTimeout(timer);
  running?.abort();
  running = null;
  $("tooltip").hidden = true;
  if (p === null) return;
  timer = setTimeout(() => bring(p, target), rest);
}

async function bring(p, target) {
  const conversation = current();
  if (!conversation || conversation.busy) return; // while the model writes, it has the machine for itself
  tell(p, target);
  if (data.column(state.conversation, state.variant, p)) return;
  running = new AbortController();
  try {
    await around(p, neighbours, running.signal);
    if (over_ === p) tell(p, target);
  } catch {
    // Called off, or the server is gone: the click will say so.
  }
}

// hide takes the tooltip away.
export const hide = () => ($("tooltip").hidden = true);

// around brings the columns on both sides of a position.
export function around(p, reach, signal) {
  const total = current()?.tokens.length ?? 0;
  return data.prefetch(state.conversation, state.variant, Math.max(0, p - reach), Math.min(total, p + reach + 1), signal);
}

// tell shows the tooltip of a token: what the model's last row says after it, where that is known already.
function tell(p, target) {
  if (!current()?.tokens[p] || !target.isConnected || p === state.position) return; // the panel says more of the pinned one
  const last = data.column(state.conversation, state.variant, p)?.layer_predictions.at(-1);
  const tip = $("tooltip");
  fill(tip, h("div", {}, describe(p)), last && h("div", {}, "then ", h("b", { class: "glyphs" }, glyphs(last.top[0].token)), ` ${percent(last.top[0].logprob)}`,
    last.next ? ` · what came had rank ${last.next.rank}, ${percent(last.next.logprob)}` : ""));
  tip.hidden = false;
  const box = target.getBoundingClientRect();
  tip.style.left = `${Math.max(6, Math.min(box.left, innerWidth - tip.offsetWidth - 6))}px`;
  const below = box.bottom + 8; // above would hide the line before, which is read at that moment
  tip.style.top = `${below + tip.offsetHeight < innerHeight ? below : box.top - tip.offsetHeight - 8}px`;
}
