// dom.js: elements from JavaScript. Text is always set as text, never parsed as HTML, so that nothing a model writes can become markup.

// h("button", {class: "x", onclick: f, "aria-label": "…"}, children…) makes an element. A property that is null or false is left out.
export function h(tag, props = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(el, name, value);
  el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

function set(el, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
  else if (name === "style") for (const [k, v] of Object.entries(value)) el.style.setProperty(k, v); // the style object passes the page's policy, an attribute would not
  else if (name === "value" || name === "checked" || name === "selected" || name === "disabled") el[name] = value;
  else el.setAttribute(name, value === true ? "" : value);
}

export const $ = (id) => document.getElementById(id);

// fill replaces what an element holds.
export function fill(el, ...children) {
  el.replaceChildren(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

// select makes a labelled drop-down; options are [value, text] pairs.
export function select(label, options, value, onchange, props = {}) {
  const el = h("select", { ...props, "aria-label": label, onchange: () => onchange(el.value) },
    options.map(([v, text]) => h("option", { value: v, selected: v === value }, text)));
  return el;
}

let pending = [], breath = 0;

// announce tells a screen reader, politely, what happened. It is the answer to what the reader did last, so what waits to be said is forgotten.
export function announce(text) {
  hush();
  $("live").textContent = text;
}

// announceSoon gathers what arrives piece by piece, to say it in one breath; hush forgets it.
export function announceSoon(text) {
  if (pending.length === 0) breath = setTimeout(() => announce(pending.join("; ")), 300);
  pending.push(text);
}

export function hush() {
  clearTimeout(breath);
  pending = [];
}

// download saves what the server or the page made under a name.
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const a = h("a", { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// css reads a colour or length of the style sheet, so that canvases follow the theme.
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
