// state.js: what the page shows, as one object that is also the address: #conversation/position/row?variant=raw&view=heatmap. A copied link shows the same, and Back
// goes back.

const fresh = () => ({
  conversation: null, // id
  position: null, // the pinned token
  row: null, // name of the chosen row
  variant: "normed",
  color: "surprisal", // what tints the text
  tracked: [], // ids of tokens, at most mostTracked
  view: null, // the open view of the dock
  statistic: "probability", // of the heatmap and the comparison
  beside: null, // a second variant in the heatmap
  layer: 0, // of the attention view
  head: null,
  weighted: false,
  against: null, // the other conversation of a comparison
});

export const state = fresh();
export let model = null; // what /api/models/{name} says of the model in use; not part of the address
export function setModel(m) {
  model = m;
  tell(["model"]);
}

const listeners = [];

// on calls f(state, changed) after any of the named fields changed; "model" is one of them.
export function on(fields, f) {
  listeners.push({ fields, f });
}

function tell(changed) {
  for (const { fields, f } of listeners) if (fields.some((k) => changed.includes(k))) f(state, changed);
}

const same = (a, b) => a === b || (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((x, i) => x === b[i]));

// set changes fields and the address. how is "push" for steps that Back should undo, "replace" for the others.
export function set(patch, how = "replace") {
  const changed = Object.keys(patch).filter((k) => !same(state[k], patch[k]));
  if (changed.length === 0) return;
  Object.assign(state, patch);
  history[how === "push" ? "pushState" : "replaceState"](null, "", address());
  tell(changed);
}

// address is the state as a link's end; defaults are left out.
export function address(s = state) {
  const place = [s.conversation, s.position, s.row].map((x) => (x === null ? "" : encodeURIComponent(x)));
  while (place.length && place.at(-1) === "") place.pop();
  const rest = new URLSearchParams();
  const plain = fresh();
  for (const k of Object.keys(plain)) {
    if (["conversation", "position", "row"].includes(k) || same(s[k], plain[k]) || s[k] === null) continue;
    rest.set(k, Array.isArray(s[k]) ? s[k].join(",") : String(s[k]));
  }
  return "#" + place.join("/") + (rest.size ? "?" + rest : "");
}

// read takes the state from the address, which a user may have typed: what it does not understand it leaves at its default.
export function read() {
  const [place, query] = location.hash.slice(1).split("?");
  const parts = place.split("/").map(decode);
  const rest = new URLSearchParams(query ?? "");
  const next = fresh();
  next.conversation = parts[0] || null;
  next.position = whole(parts[1]);
  next.row = parts[2] || null;
  for (const k of ["variant", "color", "view", "statistic", "beside", "against"]) next[k] = rest.get(k) ?? next[k];
  for (const k of ["layer", "head"]) next[k] = whole(rest.get(k)) ?? next[k];
  if (rest.get("layer") === "rollout") next.layer = "rollout";
  next.weighted = rest.get("weighted") === "true";
  next.tracked = [...new Set((rest.get("tracked") ?? "").split(",").map(whole).filter((n) => n !== null))].slice(0, 6);
  const changed = Object.keys(next).filter((k) => !same(state[k], next[k]));
  Object.assign(state, next);
  if (changed.length) tell(changed);
}

const whole = (s) => (/^\d{1,9}$/.test(s ?? "") ? Number(s) : null);

function decode(s) {
  try {
    return decodeURIComponent(s);
  } catch {
    return "";
  }
}

addEventListener("popstate", read);
