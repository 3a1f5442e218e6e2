// scale.js: where a statistic's value stands on the colour map, and how it is written.

import { nats, percent } from "./glyphs.js";
import { model } from "./state.js";

const vocab = () => model?.d_vocab ?? 50_000;
const share = (x) => percent(Math.log(x));

// A scale maps a value to 0..1. logit and log_partition have no natural ends: theirs are given by use.
const scales = {
  probability: { to: (x) => x, write: share, ends: "0 to 100 %" },
  answer_probability: { to: (x) => x, write: share, ends: "0 to 100 %" },
  tv: { to: (x) => x, write: nats, ends: "0 to 1" },
  js: { to: (x) => x / Math.LN2, write: nats, ends: "0 to ln 2" },
  rank: { to: (x) => 1 - Math.log(x) / Math.log(vocab()), write: String, ends: "last to first" },
  entropy: { to: (x) => x / Math.log(vocab()), write: nats, ends: "0 to ln of the vocabulary" },
  kl: { to: (x) => x / 10, write: nats, ends: "0 to 10 nats" },
  kl_reverse: { to: (x) => x / 10, write: nats, ends: "0 to 10 nats" },
  cross_entropy: { to: (x) => x / 10, write: nats, ends: "0 to 10 nats" },
  logit: { to: (x) => (x + 5) / 30, write: nats, ends: "−5 to 25" },
  log_partition: { to: (x) => (x + 5) / 30, write: nats, ends: "−5 to 25" },
};

export const scaleOf = (statistic) => scales[statistic] ?? scales.probability;
export const statistics = () => (model?.statistics ?? Object.keys(scales)).filter((s) => s in scales);
