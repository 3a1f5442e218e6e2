// data.js: what the views need of the server, each thing fetched once. A conversation's tokens, the columns of layers of clicked tokens and the strips of the
// heatmap lie in one cache bounded by bytes, so that a second look asks for nothing.

import { ByteCache } from "./cache.js";
import * as api from "./api.js";

const kept = new ByteCache(32 << 20);
const pending = new Map(); // key to the promise of what is being fetched
const texts = new Map(); // id to text, of the model in use, as far as seen

export const cachedBytes = () => kept.bytes;
export const textOf = (id) => texts.get(id) ?? null;
export const learn = (id, text) => texts.size < 200_000 && texts.set(id, text);
export const forgetTexts = () => texts.clear();

const at = (id) => "/api/activations/" + encodeURIComponent(id);
const keyOf = (conversation, ...rest) => [conversation, ...rest].join("\n");
const objectBytes = 2; // a parsed object takes about twice the bytes of its JSON

// once fetches what is under a key, unless it is kept or on its way.
function once(key, fetch) {
  const value = kept.get(key);
  if (value) return Promise.resolve(value);
  if (!pending.has(key)) {
    const promise = fetch()
      .then(({ value, bytes }) => {
        if (pending.get(key) === promise) kept.put(key, value, objectBytes * bytes); // a forgotten one is not kept after all
        return value;
      })
      .finally(() => pending.get(key) === promise && pending.delete(key));
    pending.set(key, promise);
  }
  return pending.get(key);
}

// forget drops all that is known of a conversation, because it grew or is gone.
export function forget(conversation) {
  const prefix = keyOf(conversation, "");
  kept.dropAll(prefix);
  for (const key of [...pending.keys()]) if (key.startsWith(prefix)) pending.delete(key);
}

export const conversation = (id) => once(keyOf(id, "tokens"), () => api.sized("/api/conversations/" + encodeURIComponent(id)));

// Columns

const columnKey = (id, variant, p) => keyOf(id, "column", variant, p);

// column is the kept column, or undefined.
export const column = (id, variant, p) => kept.get(columnKey(id, variant, p));

// streamColumn fetches one column row by row; row(layer) is called for each as it comes. A column that a prefetch is bringing already is waited for.
export async function streamColumn(id, variant, p, signal, row) {
  const key = columnKey(id, variant, p);
  const coming = pending.get(key);
  if (coming) {
    try {
      const view = await coming;
      view?.layer_predictions.forEach(row);
      if (view) return view;
    } catch (err) {
      if (err.name !== "AbortError") throw err; // the prefetch was called off: ask again
    }
  }
  signal.throwIfAborted();
  let view = null;
  await api.events(`${at(id)}/${p}`, {
    q: { variant },
    signal,
    each(event, data) {
      if (event === "token") view = { ...data, layer_predictions: [] };
      else if (event === "layer") row(add(view, data));
      else if (event === "done") view.settled = data.settled;
    },
  });
  keep(id, variant, view);
  return view;
}

function add(view, layer) {
  view.layer_predictions.push(layer);
  for (const c of layer.top) learn(c.id, c.token);
  return layer;
}

// candidateBytes and columnBytes are about what a parsed candidate, and the rest of a column, take in memory.
const candidateBytes = 160, columnBytes = 1500;

function keep(id, variant, view) {
  const candidates = view.layer_predictions.reduce((n, l) => n + l.top.length + 2, 0);
  kept.put(columnKey(id, variant, view.position), view, columnBytes + candidateBytes * candidates);
}

// prefetch brings the columns of positions from to to-1 that are neither here nor on their way, in one request.
export async function prefetch(id, variant, from, to, signal) {
  const missing = (p) => !kept.has(columnKey(id, variant, p)) && !pending.has(columnKey(id, variant, p));
  while (from < to && !missing(from)) from++;
  while (from < to && !missing(to - 1)) to--;
  if (from >= to) return;
  const whole = api.get(at(id), { from, to, variant }, signal).then((range) => {
    for (const view of range.tokens) {
      for (const l of view.layer_predictions) for (const c of l.top) learn(c.id, c.token);
      keep(id, variant, { ...view, conversation_id: id, model_name: range.model_name, model_digest: range.model_digest, variant, codec: range.codec });
    }
    return range;
  });
  for (let p = from; p < to; p++) {
    const key = columnKey(id, variant, p);
    const one = whole.then(() => kept.get(key)).finally(() => pending.get(key) === one && pending.delete(key));
    one.catch(() => {}); // whoever waits hears of it; nobody has to
    pending.set(key, one);
  }
  await whole;
}

// Strips of the heatmap

export const stripLength = 256;

// strip is one statistic of all rows, for the positions of the n-th part of stripLength.
export const strip = (id, variant, statistic, n) =>
  once(keyOf(id, "strip", variant, statistic, n), async () => {
    const got = await api.sized("/api/heatmap/" + encodeURIComponent(id), { statistic, variant, from: n * stripLength, to: end(id, n) });
    for (const [tok, text] of Object.entries(got.value.texts)) learn(Number(tok), text);
    return got;
  });

// keptStrip is the strip if it is here.
export const keptStrip = (id, variant, statistic, n) => kept.get(keyOf(id, "strip", variant, statistic, n));

// end bounds a strip by what the conversation holds.
function end(id, n) {
  const total = kept.get(keyOf(id, "tokens"))?.tokens.length ?? Infinity;
  return Math.min(total, (n + 1) * stripLength);
}

// Attention

export const attention = (id, layer, options) =>
  once(keyOf(id, "attention", layer, JSON.stringify(options)), () => api.sized(`/api/attention/${encodeURIComponent(id)}/${layer}`, options));

export const track = (body) =>
  once(keyOf(body.conversation_id, "track", JSON.stringify(body)), async () => {
    const value = await api.post("/api/track", body);
    return { value, bytes: 20 * value.tracked.length * value.rows.length * value.ids.length };
  });
