// main.js: starts the page. What is shown follows from the state, and the state from the address.

import { $, h, fill } from "./dom.js";
import { state, model, setModel, set, on, read } from "./state.js";
import * as api from "./api.js";
import * as data from "./data.js";
import * as banner from "./banner.js";
import * as composer from "./composer.js";
import * as header from "./header.js";
import * as sidebar from "./sidebar.js";
import * as transcript from "./transcript.js";
import * as panel from "./panel.js";
import * as dock from "./dock.js";
import * as keys from "./keys.js";
import * as cachepanel from "./cachepanel.js";

// use makes a model the one in use; the server loads it, which can take a while for a large one.
async function use(name) {
  if (model?.name === name) return;
  const slow = setTimeout(() => banner.say(`The model ${name} is being loaded …`, { key: "loading", kind: "quiet", closing: false }), 400);
  try {
    const details = await api.get("/api/models/" + encodeURIComponent(name));
    data.forgetTexts();
    setModel(details);
    if (!model.variants.includes(state.variant)) set({ variant: "normed" });
  } catch (err) {
    banner.say(`The model ${name} cannot be used: ${err.message}.`, { retry: () => use(name) });
  } finally {
    clearTimeout(slow);
    banner.clear("loading");
  }
}

// change is use by hand: a conversation with another model is left, for what follows it would be with that one.
async function change(name) {
  await use(name);
  if (model?.name !== name) return; // it could not be loaded
  const shown = transcript.current();
  set({ tracked: [], against: null, layer: 0, head: null }); // ids of tokens and numbers of heads are the other model's
  if (shown && shown.model_name !== model.model_name) sidebar.begin();
  else if (!shown) open();
}

// open shows the conversation of the state.
async function open() {
  const id = state.conversation;
  if (id === null) {
    transcript.open(null);
    panel.show();
    return sidebar.welcome().catch(() => {}); // without a server there are no examples; the banner says why
  }
  if (transcript.current()?.conversation_id === id) return;
  try {
    const conversation = await data.conversation(id);
    if (state.conversation !== id) return;
    banner.clear("missing");
    transcript.open(conversation);
    panel.show();
    dock.refresh();
    if (conversation.model_name !== model?.model_name) await useOf(conversation);
  } catch (err) {
    if (state.conversation !== id) return;
    missing(id, err);
  }
}

// useOf finds the model that a conversation was had with.
async function useOf(conversation) {
  const { models } = await api.get("/api/models");
  const found = models.find((m) => m.name === conversation.model_name);
  if (found) await use(found.name);
}

function missing(id, err) {
  transcript.open(null);
  panel.show();
  const text = err.status === 404 ? `The conversation ${id} is not in the cache: it was deleted, or belongs to another cache.` : `The conversation ${id} cannot be read: ${err.message}.`;
  banner.say(text, { key: "missing", retry: err.status === 404 ? null : open });
  fill($("transcript"), h("div", { class: "welcome" }, h("p", {}, text), h("button", { class: "primary", onclick: sidebar.begin }, "New conversation")));
}

// changed is called when a conversation was made, grew or was deleted.
function changed() {
  sidebar.refresh().catch(() => {});
  status();
  dock.refresh();
}

const status = () => header.status((text) => (text ? banner.say(text, { key: "cache", kind: "quiet" }) : banner.clear("cache"))).catch(() => {});

// back is called when the server answers again.
function back() {
  status();
  sidebar.refresh().catch(() => {});
  if (!model) connect();
  else if (state.conversation !== transcript.current()?.conversation_id) open();
  else if (state.position !== null && !data.column(state.conversation, state.variant, state.position)) panel.show();
}

// connect asks what there is, chooses a model and shows the state.
async function connect() {
  try {
    const { models } = await api.get("/api/models");
    header.models(models);
    await use((models.find((m) => m.default) ?? models[0]).name);
    status();
    await open(); // the list of conversations came with the model
  } catch (err) {
    if (err.status === 401) banner.say("This server asks for a token: open the link that gopherlens serve printed.", { key: "token", closing: false });
    else if (!(err instanceof api.Gone)) banner.say(`The page could not start: ${err.message}.`, { retry: connect });
  }
  document.documentElement.dataset.ready = "true";
}

// panes are the two halves of the page on a narrow screen.
function panes() {
  const button = (pane, name) => h("button", { "data-pane": pane, onclick: () => (document.body.dataset.pane = pane) }, name);
  fill($("panes"), button("text", "Text"), button("views", "Views"));
  document.body.dataset.pane = "text";
}

read();
panes();
banner.start(back);
composer.start(changed);
header.start(change);
cachepanel.onDelete(changed);
sidebar.start();
transcript.start();
panel.start();
dock.start();
keys.start();
on(["conversation"], open);
performance.mark("usable"); // one can write and click from here on
connect();
