// banner.js: what went wrong, in a line above the page, with what can be done about it.

import { h, $, announce } from "./dom.js";
import { onReachable, ping } from "./api.js";
import * as data from "./data.js";
import { bytes } from "./glyphs.js";

const shown = new Map(); // key to element

// say shows a line under a key, which replaces an earlier one under it. It can be closed, or retried.
export function say(text, { key = text, retry = null, kind = "bad", closing = true } = {}) {
  clear(key);
  const line = h("div", { class: "banner " + kind, "data-key": key }, h("span", {}, text),
    retry && h("button", { onclick: () => (clear(key), retry()) }, "Try again"), closing && h("button", { class: "icon", "aria-label": "Close", onclick: () => clear(key) }, "✕"));
  shown.set(key, line);
  $("banners").append(line);
  return line;
}

export function clear(key) {
  shown.get(key)?.remove();
  shown.delete(key);
}

// start watches the server; back is called when it has come back.
export function start(back) {
  onReachable((yes) => {
    if (yes) {
      clear("gone");
      say("The server is back.", { key: "back", kind: "good" });
      setTimeout(() => clear("back"), 4000);
      back();
      return;
    }
    clear("back");
    const text = `The server does not answer. What this page has fetched stays readable (${bytes(data.cachedBytes())}); conversations are safe on disk. Trying again …`;
    say(text, { key: "gone", retry: ping, closing: false });
    announce(text);
  });
}
