// sidebar.js: the conversations that the cache holds with the model in use, and the examples of an empty page.

import { h, fill, $ } from "./dom.js";
import { state, model, set, on } from "./state.js";
import * as api from "./api.js";
import * as composer from "./composer.js";

const page = 50; // conversations asked for at a time

let list = [];
let total = 0;

export async function refresh() {
  const got = await api.get("/api/conversations", { model: model?.name, limit: Math.max(page, list.length) });
  list = got.conversations;
  total = got.total;
  paint();
}

async function more() {
  const got = await api.get("/api/conversations", { model: model?.name, limit: page, offset: list.length });
  list.push(...got.conversations);
  paint();
}

export const known = () => list;

function paint() {
  const days = Map.groupBy(list, (c) => day(c.created_at));
  fill($("sidebar"), h("button", { class: "primary new", onclick: begin }, "+ New conversation"),
    [...days].map(([name, entries]) => [h("h2", {}, name), h("ul", {}, entries.map(entry))]),
    list.length < total && h("button", { class: "more", onclick: more }, `${total - list.length} more`));
}

function day(when) {
  const then = new Date(when), now = new Date();
  const days = Math.round((new Date(now.toDateString()) - new Date(then.toDateString())) / 86_400_000);
  return days <= 0 ? "Today" : days === 1 ? "Yesterday" : then.toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" });
}

function entry(c) {
  const here = c.conversation_id === state.conversation;
  return h("li", {}, h("button", { class: "entry" + (here ? " here" : ""), "aria-current": here ? "page" : null, title: `${c.conversation_id} · ${c.model_name}`,
    onclick: () => (close(), set({ conversation: c.conversation_id, position: null, row: null }, "push")) },
    h("span", {}, c.title || c.conversation_id), h("span", { class: "soft" }, `${c.total_tokens} tokens`)));
}

// begin shows the empty page, where the next message makes a conversation.
export function begin() {
  close();
  set({ conversation: null, position: null, row: null }, "push");
  composer.focus();
}

export function close() {
  document.body.classList.remove("menu");
  $("menu").setAttribute("aria-expanded", "false");
}

// welcome fills the empty page with examples that work on the model.
export async function welcome() {
  const log = $("transcript");
  fill(log, h("div", { class: "welcome" }, h("h2", {}, "What was the model about to say?"),
    h("p", {}, "Write to the model below, then click any token of the conversation: you see layer by layer what it was about to say there. Everything stays on this machine."),
    h("div", { class: "examples" })));
  const { examples } = await api.get("/api/examples", { model: model?.name });
  const box = log.querySelector(".examples");
  if (box) fill(box, examples.map((e) => h("button", { class: "example", onclick: () => play(e) }, h("b", {}, e.title), e.turns.map((t) => h("q", {}, t)), h("span", {}, e.look))));
}

// play says an example's turns one after the other, as far as they go well.
async function play(example) {
  for (const text of example.turns) {
    if (!(await composer.say(text))) return;
  }
  composer.hint("Now click a token. " + example.look);
}

export function start() {
  $("menu").addEventListener("click", () => {
    const open = document.body.classList.toggle("menu");
    $("menu").setAttribute("aria-expanded", String(open));
    if (open) $("sidebar").querySelector("button").focus();
  });
  on(["conversation"], paint);
  on(["model"], () => {
    list = [];
    refresh().catch(() => {}); // the banner says that the server is gone
  });
  paint();
}
