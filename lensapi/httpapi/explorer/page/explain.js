// explain.js: one sentence, and one formula, for each number that the page shows.

import { h, fill, $ } from "./dom.js";

const notes = {
  lens: ["Logit lens", "Each layer of the model writes into a running vector; the lens turns that vector, as it is after each layer, into a guess at the next token, as if the model stopped there.", "logits = W_U · norm(x)"],
  row: ["Row", "A row is a place in the model where the vector is read: embed is the token before any layer, 0_post is after the first layer, and the last row is the model's real output.", ""],
  probability: ["Probability", "How sure this row is of its first choice: all candidates of the vocabulary together make 100 %.", "p = exp(logit) / Σ exp(logit)"],
  answer_probability: ["Probability of the answer", "How likely this row holds the token that the model will put first in the end.", "p(answer), answer = the last row's first choice"],
  rank: ["Rank of the answer", "The place, from 1, that this row gives the token which the model puts first in the end.", "1 + number of tokens with a greater logit"],
  nextRank: ["Rank of what came", "The place, from 1, that this row gave the token that really came next.", "1 + number of tokens with a greater logit"],
  entropy: ["Entropy", "How undecided this row is: 0 when it is sure of one token, larger the more tokens it hesitates between.", "H = −Σ p ln p, in nats"],
  kl: ["KL divergence", "How far this row's guess is from what the model says in the end; 0 in the last row.", "KL = Σ p_model (ln p_model − ln p_row), in nats"],
  kl_reverse: ["Reverse KL", "The same distance measured from this row's side: it grows when the row believes in tokens that the model drops.", "Σ p_row (ln p_row − ln p_model), in nats"],
  js: ["Jensen-Shannon", "A distance to the model's final guess that is the same from both sides and never more than 0.69.", "½KL(p‖a) + ½KL(m‖a), a = ½(p + m), in nats"],
  tv: ["Total variation", "The share of probability that would have to move to turn this row's guess into the model's final one.", "½ Σ |p_row − p_model|"],
  cross_entropy: ["Surprise at what came", "How surprised this row was by the token that really came next.", "−ln p(next token), in nats"],
  surprisal: ["Surprisal", "How surprised the model was by this token, given all that stands before it: 0 when it was certain, 0.7 for one of two equal chances, 7 for one in a thousand.", "−ln p(token | what is before it), in nats"],
  logit: ["Logit", "The raw score of the first choice, before scores are turned into probabilities.", "W_U · norm(x)"],
  log_partition: ["Log-partition", "The number that turns a logit into a log-probability: subtract it.", "ln Σ exp(logit)"],
  settled: ["Settles", "The first row from which on the model's final choice is in first place and stays there.", ""],
  depth: ["How deep the answer settles", "The share of the model's rows that pass before its final choice is first and stays: pale tokens were decided early.", "index of the settling row / index of the last"],
  variant: ["Lens variant", "What is done to the vector before it is turned into a guess: normed (the usual lens) rescales it as the model would at its end, raw does not, scaled uses the last row's scale.", "normed: W_U norm(x) · raw: W_U x"],
  doubtful: ["Hatched rows", "This row is more than 3 nats from the model's final guess: its tokens say little about where the model is going.", "KL > 3"],
  attention: ["Attention", "How much each head, while it reads one token, takes from each token before it; each reading token's weights make 1.", "softmax(q · k / √d_head)"],
  weighted: ["Value-weighted", "Weight times the length of what is carried over: a head that looks at a token with nothing to carry does little.", "A · ‖v W_O‖"],
  rollout: ["Rollout", "An estimate of how much each early token reaches each later one through all layers, multiplying the attention of the layers.", "Π (½A + ½I), A = mean of heads"],
  track: ["Tracking", "A tracked token keeps its own colour everywhere, and its probability is drawn through all rows, even where it is not among the first.", ""],
  template: ["Template", "Markup that tells the model who speaks. The model reads it like any text, so it is shown, only paler.", ""],
  search: ["Search", "Looks through all that the cache holds for this model, without running the model.", ""],
  compare: ["Comparison", "One number of two conversations, cell by cell: the other one's less this one's.", "B − A"],
  temperature: ["Temperature", "0 always takes the first choice; larger values take less likely tokens more often.", "p ∝ exp(logit / T)"],
};

export const title = (key) => notes[key]?.[0] ?? key;
export const sentence = (key) => notes[key]?.[1] ?? "";
export const known = (key) => key in notes;

// why makes the small ? beside a number.
export function why(key) {
  const button = h("button", { type: "button", class: "why", "aria-label": `What is this: ${title(key)}` }, "?");
  button.addEventListener("click", (e) => {
    e.stopPropagation();
    show(button, key);
  });
  return button;
}

let card = null;

function show(button, key) {
  card ??= document.body.appendChild(h("div", { id: "why", popover: "auto", role: "note" }));
  const [name, sentence, formula] = notes[key];
  fill(card, h("b", {}, name), h("p", {}, sentence), formula && h("code", {}, formula));
  card.showPopover();
  const box = button.getBoundingClientRect(), own = card.getBoundingClientRect();
  card.style.left = `${Math.max(8, Math.min(box.left - 12, innerWidth - own.width - 8))}px`;
  card.style.top = `${box.bottom + own.height + 12 < innerHeight ? box.bottom + 6 : Math.max(8, box.top - own.height - 6)}px`;
}

// help shows the keys and how to read the page.
export function help() {
  const keys = [
    ["← →", "previous, next token"], ["↑ ↓", "row above, below"], ["Home End", "first, last token"], ["Enter", "open or close the row's candidates"], ["T", "track the row's first choice"],
    ["/", "search"], ["C", "write to the model"], ["1 … 6", "views: heatmap, trajectories, attention, …"], ["D", "dark or light"], ["Esc", "close, or unpin the token"], ["?", "this page"],
  ];
  dialog("How to read this page",
    h("p", {}, "Write to the model, then click any token. The panel shows, layer by layer, what the model was about to say after it: the logit lens. ", h("b", {}, "Colour"),
      " tells how surprising each token was; the fifteen tokens before a clicked one are underlined."),
    h("dl", { class: "keys" }, keys.map(([k, what]) => [h("dt", {}, k.split(" ").map((x) => (x === "…" ? x : h("kbd", {}, x)))), h("dd", {}, what)])),
    h("h3", {}, "The numbers"),
    h("dl", { class: "notes" }, Object.values(notes).map(([name, text, formula]) => [h("dt", {}, name), h("dd", {}, text, formula && " ", formula && h("code", {}, formula))])));
}

// dialog shows, or shows anew, the one dialog there is, under a name and with a closing button.
export function dialog(name, ...content) {
  const el = $("dialog");
  fill(el, h("header", {}, h("h2", { id: "dialog-title" }, name), h("button", { class: "icon", "aria-label": "Close", onclick: () => el.close() }, "✕")), content);
  el.setAttribute("aria-labelledby", "dialog-title");
  if (!el.open) el.showModal();
}
