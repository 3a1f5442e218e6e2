// panel.js: the layers of the pinned token. Placeholders of the right height come first and rows take their place as they arrive, so that nothing jumps.

import { h, fill, $, announce, announceSoon, hush } from "./dom.js";
import { glyphs, percent, nats } from "./glyphs.js";
import { state, model, set, on } from "./state.js";
import { why, sentence } from "./explain.js";
import { Gone } from "./api.js";
import * as data from "./data.js";
import * as tracked from "./tracked.js";
import { current, tokenAt, step } from "./transcript.js";
import { around } from "./hover.js";

const doubt = 3; // nats of KL above which a row says little of where the model will end

let running = null; // AbortController of the column being fetched
let view = null; // the column shown, as far as it is here
let opened = innerWidth > 860; // whether the chosen row shows its candidates; on a phone the rows come first
let input = 0; // when the last key or click came, from which the time to the picture is counted; 0 when that was told already

export function start() {
  for (const kind of ["click", "keydown"]) addEventListener(kind, (e) => (input = e.timeStamp), { capture: true });
  on(["conversation", "position", "variant"], show);
  on(["row"], () => paint());
  on(["tracked"], () => paint());
  addEventListener("theme", () => paint());
  show();
}

// show fetches and paints the pinned token. The time from the click or key to the picture is kept as a performance measure.
export async function show() {
  running?.abort();
  running = null;
  view = null;
  hush();
  document.body.classList.toggle("has-pin", state.position !== null);
  if (state.conversation === null || state.position === null || !current()) return empty();
  const asked = input;
  const kept = data.column(state.conversation, state.variant, state.position);
  if (kept) {
    view = kept;
    paint();
    painted("click-cached", asked);
  } else {
    await fetchColumn(asked);
  }
}

async function fetchColumn(asked) {
  const me = (running = new AbortController());
  const mine = () => running === me;
  const arriving = { ...tokenAt(state.position), layer_predictions: [], pending: true };
  view = arriving;
  paint();
  let queued = false;
  const repaint = () => {
    queued = false;
    if (mine()) paint();
  };
  try {
    const got = await data.streamColumn(state.conversation, state.variant, state.position, me.signal, (layer) => {
      if (!mine()) return;
      if (!arriving.layer_predictions.includes(layer)) arriving.layer_predictions.push(layer);
      announceSoon(`${layer.row}: ${glyphs(layer.top[0].token)}, ${percent(layer.top[0].logprob)}`);
      if (!queued) requestAnimationFrame(repaint);
      queued = true;
    });
    if (!mine()) return;
    view = got;
    paint();
    painted("click-fetched", asked);
  } catch (err) {
    if (mine() && err.name !== "AbortError") failed(err);
  } finally {
    if (mine()) running = null;
  }
}

// painted notes how long it took, after the frame that shows it, and then fetches what is likely to be asked for next.
function painted(name, since) {
  input = 0;
  const built = performance.now(); // from here on one waits for the screen
  requestAnimationFrame(() => setTimeout(() => {
    if (since > 0) { // else the address asked for it, not a hand
      performance.measure(name, { start: since, end: performance.now() });
      performance.measure(name + "-script", { start: since, end: built });
    }
    neighbours();
  }));
}

// neighbours makes the next arrow key instant.
async function neighbours() {
  if (view === null || view.failed || state.position === null || current()?.busy) return;
  try {
    await around(state.position, 2, AbortSignal.timeout(5000));
  } catch { /* nothing is lost: the key will fetch */ }
}

function failed(err) {
  view = { ...view, failed: err };
  paint();
}

// live shows the token that the model writes at the moment, while nothing is pinned.
export function live(token, layers) {
  if (state.position !== null) return;
  view = { ...token, layer_predictions: layers, live: true };
  paint();
}

function empty() {
  fill($("panel"), h("div", { class: "empty" }, h("h2", {}, "Layers"),
    h("p", {}, "Click a token, or press ", h("kbd", {}, "←"), ", to see layer by layer what the model was about to say after it."), h("p", { class: "soft" }, sentence("lens"))));
}

const rowNames = () => current()?.rows ?? model?.rows ?? [];

function paint() {
  if (!view) return;
  const focused = document.activeElement?.closest?.("#panel [data-focus]")?.dataset.focus;
  const nothing = view.failed && view.layer_predictions.length === 0;
  fill($("panel"), heading(), !view.failed && story(), notice(), !nothing && table());
  if (focused) $("panel").querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function heading() {
  const facts = [`id ${view.token_id}`, `position ${view.position}`, view.template ? "template" : view.role, view.generated ? "generated" : null];
  return h("header", {}, h("h2", {}, h("span", { class: "chip glyphs" }, glyphs(view.token_text)), view.live && h("span", { class: "soft" }, " being written")),
    h("div", { class: "facts" }, facts.filter(Boolean).join(" · "), view.template && why("template")),
    !view.live && h("div", { class: "buttons" },
      h("button", { class: "icon", "aria-label": "Previous token", "data-focus": "previous", onclick: () => step(-1) }, "‹"),
      h("button", { class: "icon", "aria-label": "Next token", "data-focus": "next", onclick: () => step(1) }, "›"),
      h("button", { class: "icon", "aria-label": "Unpin", "data-focus": "close", onclick: () => set({ position: null, row: null }, "push") }, "✕")));
}

// story says in a sentence what the rows say in numbers.
function story() {
  const last = view.layer_predictions.at(-1);
  if (!last || view.pending || view.live) return h("p", { class: "story" }, view.live ? "what the model is about to say" : "the layers are arriving …");
  const first = last.top[0];
  const came = last.next && tokenAt(view.position + 1);
  return h("p", { class: "story" }, "After it the model was about to say ", chip(first.id, first.token), ` ${percent(first.logprob)}. `,
    came && (last.next.id === first.id ? ["That came ", h("b", {}, "✓"), ". "] : [chip(last.next.id, came.token_text), ` came, rank ${last.next.rank}, ${percent(last.next.logprob)}. `]),
    view.settled === "" ? "No row settles on it early." : view.settled && [h("span", { class: "settles" }, "◆"), ` It settles at ${view.settled}`, why("settled")]);
}

function notice() {
  if (view.failed) {
    const gone = view.failed instanceof Gone;
    return h("div", { class: "notice bad" }, gone ? "The server does not answer, and this token is not among those kept in this page. " : `No layers: ${view.failed.message}. `,
      h("button", { onclick: show }, "Try again"));
  }
  if (view.codec) return h("div", { class: "notice" }, `From rows stored as ${view.codec}: rounded, the normed lens is exact.`);
  return null;
}

// chip is a token in a sentence, with its hue if it is tracked.
const chip = (id, text) => h("span", { class: "chip glyphs", ...tracked.outline(id) }, glyphs(text));

function table() {
  const head = h("tr", {}, h("th", { scope: "col" }, "row", why("row")), h("th", { scope: "col" }, "first choice"), h("th", { scope: "col" }, "probability", why("probability")),
    h("th", { scope: "col", class: "number" }, "rank", why(view.layer_predictions[0]?.next ? "nextRank" : "rank")), h("th", { scope: "col", class: "number" }, "entropy", why("entropy")),
    h("th", { scope: "col", class: "number" }, "KL", why("kl")));
  const names = rowNames();
  const byName = new Map(view.layer_predictions.map((l) => [l.row, l]));
  const chosen = chosenRow();
  const settled = names.indexOf(view.settled);
  const rows = names.map((name, i) => {
    const layer = byName.get(name);
    return layer ? lines(layer, name === chosen, settled >= 0 && i >= settled, i === settled) : placeholder(name);
  });
  return h("div", { class: "scroller" }, h("table", { class: "layers", "aria-label": `Layers after ${glyphs(view.token_text)}, lens ${state.variant}` }, h("thead", {}, head), h("tbody", {}, rows.reverse())));
}

const chosenRow = () => (rowNames().includes(state.row) ? state.row : rowNames().at(-1));

const placeholder = (name) => h("tr", { class: "placeholder" }, h("th", { scope: "row" }, name), h("td", { colspan: "5" }, h("span", { class: "ghost" })));

// lines are a row, and its candidates when it is the chosen one and open.
function lines(layer, chosen, settled, first) {
  const top = layer.top[0];
  const next = layer.next;
  const doubtful = layer.kl > doubt;
  const open = chosen && opened;
  const rank = (next ?? layer.answer).rank;
  const row = h("tr", {
    class: ["layer", chosen && "chosen", settled && "settled", doubtful && "doubtful"].filter(Boolean).join(" "), "data-row": layer.row, onclick: () => choose(layer.row),
    title: doubtful ? `${sentence("doubtful")}` : null,
  },
    h("th", { scope: "row" }, h("button", { class: "rowname", "aria-expanded": String(open), "data-focus": "row " + layer.row, "aria-current": chosen ? "true" : null }, layer.row),
      first && h("span", { class: "settles", title: "settles here: " + sentence("settled") }, "◆", h("span", { class: "unseen" }, " settles here"))),
    h("td", {}, chip(top.id, top.token), next && next.id === top.id && h("span", { class: "came", title: "this is the token that came" }, "✓", h("span", { class: "unseen" }, " came"))),
    h("td", {}, bar(top.logprob, settled)), h("td", { class: "number" }, String(rank)), h("td", { class: "number" }, nats(layer.entropy)), h("td", { class: "number" }, nats(layer.kl)));
  return open ? [row, h("tr", { class: "candidates" }, h("td", { colspan: "6" }, candidates(layer)))] : row;
}

function bar(logprob, accent) {
  return h("span", { class: "bar" }, h("i", { class: accent ? "accent" : "", style: { width: `${(100 * Math.exp(logprob)).toFixed(2)}%` } }), h("span", {}, percent(logprob)));
}

// candidates lists the first choices of a row, and the token that came where it is not among them.
function candidates(layer) {
  const items = layer.top.map((c) => candidate(c, layer));
  const next = layer.next;
  if (next && !layer.top.some((c) => c.id === next.id)) {
    const text = tokenAt(view.position + 1)?.token_text ?? data.textOf(next.id) ?? `⟨id ${next.id}⟩`;
    items.push(candidate({ ...next, token: text, logit: next.logprob + layer.log_partition }, layer));
  }
  return h("ul", {}, items);
}

function candidate(c, layer) {
  const on = state.tracked.includes(c.id);
  return h("li", { class: layer.next?.id === c.id ? "actual" : "" },
    h("button", { class: "candidate", "aria-pressed": String(on), "data-focus": `candidate ${layer.row} ${c.id}`, title: `id ${c.id}, logit ${c.logit.toFixed(3)}, ln p ${c.logprob.toFixed(3)}: ${on ? "stop tracking" : "track"}`,
      onclick: (e) => (e.stopPropagation(), tracked.toggle(c.id, c.token)) },
      h("span", { class: "rank" }, String(c.rank)), chip(c.id, c.token), bar(c.logprob, layer.answer.id === c.id),
      h("span", { class: "mark" }, layer.next?.id === c.id ? "✓ came" : "", tracked.mark(c.id))));
}

// choose makes a row the chosen one; the chosen one opens and closes.
function choose(name) {
  opened = chosenRow() === name ? !opened : true;
  if (state.row === name || chosenRow() === name) paint();
  set({ row: name });
}

// The keys of the panel, called by keys.js.

export function stepRow(by) {
  const names = rowNames();
  if (!view || !names.length) return;
  const i = names.indexOf(chosenRow()) + by;
  if (i < 0 || i >= names.length) return;
  set({ row: names[i] });
  const layer = view.layer_predictions.find((l) => l.row === names[i]);
  if (layer) announce(`${layer.row}: ${glyphs(layer.top[0].token)}, ${percent(layer.top[0].logprob)}, entropy ${nats(layer.entropy)}`);
  $("panel").querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
}

export const toggleRow = () => view && choose(chosenRow());

export function trackFirst() {
  const top = view?.layer_predictions.find((l) => l.row === chosenRow())?.top[0];
  if (top) tracked.toggle(top.id, top.token);
}
