// composer.js: writing to the model, and taking in what it answers.

import { h, fill, $, announce } from "./dom.js";
import { state, model, set, on } from "./state.js";
import { why } from "./explain.js";
import * as api from "./api.js";
import * as data from "./data.js";
import * as transcript from "./transcript.js";
import * as panel from "./panel.js";
import { say as banner } from "./banner.js";

let running = null; // AbortController of the answer
let input, send, note;
let changed = () => {}; // called when a conversation was made or grew

const fields = [
  ["temperature", "temperature", { min: 0, max: 10, step: 0.1, value: 0 }],
  ["max_tokens", "tokens at most", { min: 1, max: 4096, step: 1, value: 64 }],
  ["top_k", "top k (0: all)", { min: 0, max: 100000, step: 1, value: 0 }],
  ["top_p", "top p", { min: 0.01, max: 1, step: 0.01, value: 1 }],
  ["seed", "seed", { min: 0, max: 2 ** 31, step: 1, value: 1 }],
];

export function start(onchange) {
  changed = onchange;
  input = h("textarea", { id: "say", rows: "1", placeholder: "Say something …", "aria-label": "Message to the model", onkeydown: enter, oninput: grow });
  send = h("button", { type: "submit", class: "primary" }, "Send");
  note = h("div", { class: "soft note", role: "status" });
  fill($("composer"), note, h("div", { class: "line" }, input, options(), send));
  on(["conversation"], () => running || hint("")); // what was said of another one
  $("composer").addEventListener("submit", (e) => {
    e.preventDefault();
    if (running) stop();
    else say(input.value);
  });
}

function options() {
  return h("details", { class: "options" }, h("summary", { "aria-label": "Sampling options", title: "Sampling options" }, "⚙"),
    h("div", { class: "card" }, h("b", {}, "Sampling"), why("temperature"),
      fields.map(([name, label, props]) => h("label", {}, h("span", {}, label), h("input", { type: "number", id: "option-" + name, ...props, value: String(props.value) }))),
      h("label", {}, h("span", {}, "system"), h("input", { type: "text", id: "option-system", placeholder: "for a new conversation" }))));
}

function enter(e) {
  if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
  e.preventDefault();
  if (!running) say(input.value);
}

function grow() {
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight + 2, 140)}px`;
}

export const focus = () => input.focus();

// hint shows a line above the field, until the next message.
export const hint = (text) => (note.textContent = text);

// ended settles when the answer that is running, if one is, has ended.
let ended = Promise.resolve();

// say sends a message and takes in the answer token by token; the transcript grows as it comes. It returns whether the answer came to its end.
export function say(written) {
  const text = written.replace(/^\n+|\n+$/g, ""); // the line breaks of a key that was held or pasted; all else is the writer's
  if (text.trim() === "" || running) return Promise.resolve(false);
  const run = answer(text);
  ended = run;
  return run;
}

async function answer(text) {
  running = new AbortController();
  busy(true);
  input.value = "";
  grow();
  const taking = new Taking();
  try {
    await api.events("/api/chat/with-activations", { body: request(text), signal: running.signal, each: (event, value) => taking[event]?.(value) });
    note.textContent = taking.ending();
    return true;
  } catch (err) {
    await failed(err, text, taking);
    return false;
  } finally {
    running = null;
    busy(false);
    if (taking.conversation) await settle(taking.conversation);
  }
}

// stop ends the answer; what was written stays, on the server too.
export async function stop() {
  running?.abort();
  await ended;
}

function request(text) {
  const body = { text, top: 10 };
  if (state.conversation) body.conversation_id = state.conversation;
  else if ($("option-system").value) body.system = $("option-system").value;
  if (model) body.model = model.name;
  for (const [name] of fields) {
    const n = $("option-" + name).valueAsNumber;
    if (Number.isFinite(n)) body[name] = n;
  }
  return body;
}

// Taking is what has come of one answer. Its methods are the events of the stream.
class Taking {
  conversation = null;
  token_ = null;
  layers = [];
  started = performance.now();
  written = 0;
  reason = null;

  queued({ position }) {
    note.textContent = position > 0 ? `waiting: ${position} before this one` : "";
  }

  start(s) {
    this.conversation = s.conversation_id;
    note.textContent = "";
    data.forget(this.conversation);
    if (state.conversation !== this.conversation || !transcript.current()) {
      transcript.open({ conversation_id: s.conversation_id, model_name: s.model_name, rows: s.rows, tokens: [], busy: true });
      set({ conversation: s.conversation_id, position: null, row: null }, "push");
    }
    transcript.current().busy = true;
    set({ position: null });
  }

  token(t) {
    if (state.conversation !== this.conversation) return; // the reader went elsewhere; the server goes on
    const log = $("transcript");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    transcript.append(t);
    if (atEnd) log.scrollTop = log.scrollHeight;
    this.token_ = t;
    this.layers = [];
    if (t.generated) this.written++;
  }

  layer(l) {
    this.layers.push(l);
    this.picture ||= requestAnimationFrame(() => {
      this.picture = 0;
      if (running && state.conversation === this.conversation) panel.live(this.token_, this.layers);
    });
  }

  done(d) {
    this.reason = d;
    this.seconds = (performance.now() - this.started) / 1000;
    announce(`The model wrote: ${d.text}`);
  }

  ending() {
    if (!this.reason) return "";
    const speed = this.reason.replayed ? "from the cache" : `${(this.written / this.seconds).toFixed(0)} tokens a second, every layer kept`;
    const why = { length: "stopped at the chosen length", context: "the context is full: begin a new conversation", stop: "stopped at a stop text" }[this.reason.stop];
    return `${this.written} tokens, ${speed}${why ? " · " + why : ""}`;
  }
}

async function failed(err, text, taking) {
  if (err.name === "AbortError") {
    note.textContent = "stopped: what was written is kept";
    return;
  }
  if (!taking.conversation) {
    input.value = text; // nothing was taken: the words are still there to send again
    grow();
  }
  note.textContent = "";
  if (err instanceof api.Gone) { // there is a banner already
    hint(taking.conversation ? "the answer was cut off: what was written is kept" : "not sent: the server does not answer");
    return;
  }
  banner(`The answer failed: ${err.message}.`, { retry: taking.conversation ? null : () => say(text) });
}

// settle reads the whole conversation again, as the server keeps it.
async function settle(id) {
  data.forget(id);
  changed(id);
  if (state.conversation !== id) return;
  try {
    const whole = await data.conversation(id);
    if (state.conversation !== id) return;
    const top = $("transcript").scrollTop;
    transcript.open(whole);
    $("transcript").scrollTop = top;
    panel.show();
  } catch {
    transcript.current().busy = false; // what came is still shown
  }
}

function busy(yes) {
  send.textContent = yes ? "Stop" : "Send";
  send.classList.toggle("stop", yes);
  $("chat").setAttribute("aria-busy", String(yes));
}
