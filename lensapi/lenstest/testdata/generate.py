#!/usr/bin/env python3
"""Writes the tiny models of this folder and their goldens: NumPy in float64, nothing of the Go code.

  generate.py                    all models, into the folder of this script
  generate.py greedy DIR ID N    N greedy ids after ID, by the model in DIR

Letters in comments: T positions, H heads, D values of a head, V vocabulary.
"""
import json, math, os, struct, sys
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


# ---- the reference -------------------------------------------------------------------------------------------

def normalize(x, eps, centre):
    if centre:
        x = x - np.mean(x, axis=1, keepdims=True)
    return x / np.sqrt(np.mean(x ** 2, axis=1, keepdims=True) + eps)


def activate(name, x):
    if name == "silu":
        return x / (1 + np.exp(-x))
    if name == "relu":
        return np.where(x > 0, x, 0)
    if name == "gelu":
        return x * np.vectorize(lambda v: math.erfc(-v / math.sqrt(2)) / 2)(x)
    assert name in ("gelu_new", "gelu_pytorch_tanh"), name
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))


def frequencies(dims, base, scaling, ctx):
    """Radians per position of each pair, and what the rotated values are multiplied by."""
    wave = [2 * math.pi * base ** (2 * i / dims) for i in range(dims // 2)]     # positions per turn
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    s, first = scaling.get("factor", 1), scaling.get("original_max_position_embeddings", ctx)
    amplitude = 1
    if kind == "linear":
        wave = [w * s for w in wave]
    elif kind == "llama3":
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        def llama3(w):
            if w < first / high:
                return w
            if w > first / low:
                return w * s
            smooth = (first / w - low) / (high - low)
            return 1 / ((1 - smooth) / (w * s) + smooth / w)
        wave = [llama3(w) for w in wave]
    elif kind == "yarn":
        amplitude = scaling.get("attention_factor") or 0.1 * math.log(s) + 1
        lo, hi = ((dims * math.log(first / (2 * math.pi * n))) / (2 * math.log(base))
                  for n in (scaling.get("beta_fast", 32), scaling.get("beta_slow", 1)))
        ramp = np.clip((np.arange(dims // 2) - max(math.floor(lo), 0)) / (min(math.ceil(hi), dims - 1) - max(math.floor(lo), 0)), 0, 1)
        wave = [1 / (r / (w * s) + (1 - r) / w) for r, w in zip(ramp, wave)]
    elif kind == "longrope":                                        # a sequence within the first context
        amplitude = math.sqrt(1 + math.log(ctx / first) / math.log(first))
        wave = [w * f for w, f in zip(wave, scaling["short_factor"], strict=True)]
    else:
        assert kind == "default", kind
    return 2 * math.pi / np.array(wave), amplitude


def rotate(x, dims, base, scaling={}, ctx=0):                       # [T, H, D]
    """Each pair (i, i + dims/2) is one complex number, turned by position * its frequency."""
    half = dims // 2
    freq, amplitude = frequencies(dims, base, scaling, ctx)
    z = (x[..., :half] + 1j * x[..., half:dims]) * (amplitude * np.exp(1j * np.outer(np.arange(len(x)), freq)))[:, None, :]
    return np.concatenate([z.real, z.imag, x[..., dims:]], axis=2)


def soft_cap(x, cap):
    return cap * np.tanh(x / cap) if cap else x


def attend(q, k, v, scale=None, window=0, cap=None):                # [T, H, D], [T, K, D], [T, K, D]
    """One head and one query at a time, over the positions that it sees: nothing to mask."""
    T, H, D = q.shape
    group = H // k.shape[1]
    scale = 1 / math.sqrt(D) if scale is None else scale
    z, pattern = np.zeros((T, H, D)), np.zeros((H, T, T))
    for h in range(H):
        for t in range(T):
            see = slice(max(0, t + 1 - window) if window else 0, t + 1)
            s = soft_cap(k[see, h // group] @ q[t, h] * scale, cap)
            e = np.exp(s - s.max())
            pattern[h, t, see] = e / e.sum()
            z[t, h] = pattern[h, t, see] @ v[see, h // group]
    return z.reshape(T, H * D), pattern


LLAMAS = ["llama", "mistral", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gemma3_text"]
GEMMAS = ["gemma", "gemma2", "gemma3_text"]
NAMES = {"gpt2": ("transformer.", "wte", "lm_head", "ln_f"), "gpt_neo": ("transformer.", "wte", "lm_head", "ln_f"),
         "gpt_neox": ("gpt_neox.", "embed_in", "embed_out", "final_layer_norm"),
         "opt": ("model.", "decoder.embed_tokens", "lm_head", "decoder.final_layer_norm"),
         **{f: ("model.", "embed_tokens", "lm_head", "norm") for f in LLAMAS}}
TIED = ["gpt2", "gpt_neo", "opt"] + GEMMAS                          # unless the config says otherwise


class Reference:
    def __init__(self, cfg, weights, windows=(0, 0)):
        self.cfg, self.w = cfg, {k: v.astype(np.float64) for k, v in weights.items() if v.dtype != bool}
        self.family, self.windows = cfg["model_type"], windows
        prefix, embed, out, self.final = NAMES[self.family]
        self.p = prefix if prefix + embed + ".weight" in self.w else ""
        self.table = self.w[self.p + embed + ".weight"]
        self.out = self.table if cfg.get("tie_word_embeddings", self.family in TIED) else self.w[out + ".weight"]

    def affine(self, x, name, transposed=False):
        w = self.w[name + ".weight"]
        return x @ (w if transposed else w.T) + self.w.get(name + ".bias", 0)

    def norm(self, x, name):
        c = self.cfg
        if self.family in LLAMAS:
            return normalize(x, c["rms_norm_eps"], False) * (self.w[name + ".weight"] + (self.family in GEMMAS))
        eps = c.get("layer_norm_epsilon") or c.get("layer_norm_eps") or 1e-5
        return normalize(x, eps, True) * self.w[name + ".weight"] + self.w[name + ".bias"]

    def unembed(self, x):
        return soft_cap(self.norm(x, self.p + self.final) @ self.out.T, self.cfg.get("final_logit_softcapping"))

    def run(self, ids):
        x = self.table[ids]
        if self.family in GEMMAS:
            x = x * math.sqrt(x.shape[1])
        if self.family in ("gpt2", "gpt_neo"):
            x = x + self.w[self.p + "wpe.weight"][:len(ids)]
        if self.family == "opt":
            x = x + self.w[self.p + "decoder.embed_positions.weight"][2:2 + len(ids)]
        r = {"resid": [x], "attn_out": [], "mlp_out": [], "pattern": []}
        layers = next(self.cfg[k] for k in ("n_layer", "num_layers", "num_hidden_layers") if k in self.cfg)
        for l in range(layers):
            attn, pattern, mlp = getattr(self, "llama" if self.family in LLAMAS else self.family)(x, l)
            x = x + attn + mlp
            for k, v in zip(("resid", "attn_out", "mlp_out", "pattern"), (x, attn, mlp, pattern)):
                r[k].append(v)
        r["logits"] = self.unembed(x)
        return r

    def gpt2(self, x, l):
        p, H, T = f"{self.p}h.{l}.", self.cfg["n_head"], len(x)
        qkv = self.affine(self.norm(x, p + "ln_1"), p + "attn.c_attn", True)
        q, k, v = (qkv[:, i * x.shape[1]:(i + 1) * x.shape[1]].reshape(T, H, -1) for i in range(3))
        scale = 1 / math.sqrt(q.shape[2]) if self.cfg.get("scale_attn_weights", True) else 1
        z, pattern = attend(q, k, v, scale / (l + 1) if self.cfg.get("scale_attn_by_inverse_layer_idx") else scale)
        attn = self.affine(z, p + "attn.c_proj", True)
        h = self.affine(self.norm(x + attn, p + "ln_2"), p + "mlp.c_fc", True)
        return attn, pattern, self.affine(activate(self.cfg["activation_function"], h), p + "mlp.c_proj", True)

    def llama(self, x, l):
        c, p, T = self.cfg, f"{self.p}layers.{l}.", len(x)
        h = self.norm(x, p + "input_layernorm")
        D = c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
        H, K = c["num_attention_heads"], c["num_key_value_heads"]
        if self.family == "phi3":
            q, k, v = np.split(self.affine(h, p + "self_attn.qkv_proj").reshape(T, H + 2 * K, D), [H, H + K], axis=1)
        else:
            q, k, v = (self.affine(h, p + f"self_attn.{n}_proj").reshape(T, -1, D) for n in "qkv")
        if self.family in ("qwen3", "gemma3_text"):
            q, k = (np.stack([self.norm(y[:, i], p + f"self_attn.{n}_norm") for i in range(y.shape[1])], axis=1) for n, y in (("q", q), ("k", k)))
        rope = {k: c[k] for k in ("rope_theta", "original_max_position_embeddings") if k in c} | {**(c.get("rope_scaling") or {}), **(c.get("rope_parameters") or {})}
        if self.family == "gemma3_text" and self.windows[l]:
            rope = {"rope_theta": c["rope_local_base_freq"]}
        dims = int(D * c.get("partial_rotary_factor", 1))
        q, k = (rotate(y, dims, rope["rope_theta"], rope, c["max_position_embeddings"]) for y in (q, k))
        scale = c["query_pre_attn_scalar"] ** -0.5 if "query_pre_attn_scalar" in c else None
        z, pattern = attend(q, k, v, scale, self.windows[l], c.get("attn_logit_softcapping"))
        attn = self.affine(z, p + "self_attn.o_proj")
        wrapped = self.family in ("gemma2", "gemma3_text")
        if wrapped:
            attn = self.norm(attn, p + "post_attention_layernorm")
        h = self.norm(x + attn, p + ("pre_feedforward_layernorm" if wrapped else "post_attention_layernorm"))
        if self.family == "phi3":
            gate, up = np.split(self.affine(h, p + "mlp.gate_up_proj"), 2, axis=1)
        else:
            gate, up = self.affine(h, p + "mlp.gate_proj"), self.affine(h, p + "mlp.up_proj")
        act = c.get("hidden_activation") or c["hidden_act"]
        mlp = self.affine(activate(act, gate) * up, p + "mlp.down_proj")
        return attn, pattern, self.norm(mlp, p + "post_feedforward_layernorm") if wrapped else mlp

    def gpt_neo(self, x, l):
        c, p, T = self.cfg, f"{self.p}h.{l}.", len(x)
        h = self.norm(x, p + "ln_1")
        q, k, v = (self.affine(h, p + f"attn.attention.{n}_proj").reshape(T, c["num_heads"], -1) for n in "qkv")
        z, pattern = attend(q, k, v, 1, self.windows[l])
        attn = self.affine(z, p + "attn.attention.out_proj")
        h = self.affine(self.norm(x + attn, p + "ln_2"), p + "mlp.c_fc")
        return attn, pattern, self.affine(activate(c["activation_function"], h), p + "mlp.c_proj")

    def opt(self, x, l):
        c, p, T = self.cfg, f"{self.p}decoder.layers.{l}.", len(x)
        h = self.norm(x, p + "self_attn_layer_norm")
        q, k, v = (self.affine(h, p + f"self_attn.{n}_proj").reshape(T, c["num_attention_heads"], -1) for n in "qkv")
        z, pattern = attend(q, k, v)
        attn = self.affine(z, p + "self_attn.out_proj")
        h = self.affine(self.norm(x + attn, p + "final_layer_norm"), p + "fc1")
        return attn, pattern, self.affine(activate(c["activation_function"], h), p + "fc2")

    def gpt_neox(self, x, l):
        c, p, T = self.cfg, f"{self.p}layers.{l}.", len(x)
        H = c["num_attention_heads"]
        D = c["hidden_size"] // H
        qkv = self.affine(self.norm(x, p + "input_layernorm"), p + "attention.query_key_value").reshape(T, H, 3, D)
        dims, base = int(D * c["rotary_pct"]), c["rotary_emb_base"]
        z, pattern = attend(rotate(qkv[:, :, 0], dims, base), rotate(qkv[:, :, 1], dims, base), qkv[:, :, 2])
        attn = self.affine(z, p + "attention.dense")
        h = self.norm(x if c["use_parallel_residual"] else x + attn, p + "post_attention_layernorm")
        return attn, pattern, self.affine(activate(c["hidden_act"], self.affine(h, p + "mlp.dense_h_to_4h")), p + "mlp.dense_4h_to_h")


def golden(ref, ids):
    r = ref.run(ids)
    def logp(z):
        top = z.max(axis=1)
        part = top + np.log(np.sum(np.exp(z - top[:, None]), axis=1))
        return z - part[:, None], part
    final, _ = logp(r["logits"])
    lens = []
    for x in r["resid"]:
        lp, part = logp(ref.unembed(x))
        top = np.lexsort((np.arange(lp.shape[1])[None, :].repeat(len(lp), 0), -lp), axis=1)[:, :10]
        lens.append({"ids": top, "logprobs": np.take_along_axis(lp, top, 1), "entropy": -np.sum(np.exp(lp) * lp, axis=1),
                     "kl": np.sum(np.exp(final) * (final - lp), axis=1), "log_partition": part,
                     "next_logprob": lp[np.arange(len(ids) - 1), ids[1:]]})
    return {"ids": ids, "lens": lens, **r}


# ---- files ---------------------------------------------------------------------------------------------------

def save(path, tensors, dtype):
    head, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, v in tensors.items():
        d = "BOOL" if v.dtype == bool else dtype
        blob = {"F32": lambda: v.astype("<f4"), "F16": lambda: v.astype("<f2"), "BOOL": lambda: v.astype("u1"),
                "BF16": lambda: (v.astype("<f4").view("<u4") >> 16).astype("<u2")}[d]().tobytes()
        head[name] = {"dtype": d, "shape": list(v.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    js = json.dumps(head, separators=(",", ":")).encode()
    js += b" " * (-len(js) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(js)) + js + b"".join(blobs))


def load_f32(path):
    with open(path, "rb") as f:
        data = f.read()
    n, = struct.unpack_from("<Q", data)
    head = json.loads(data[8:8 + n])
    head.pop("__metadata__", None)
    assert all(t["dtype"] == "F32" for t in head.values())
    return {k: np.frombuffer(data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]], "<f4").reshape(t["shape"])
            for k, t in head.items()}


def dump(path, value, digits):
    def plain(v):
        if isinstance(v, np.ndarray):
            return plain(v.tolist())
        if isinstance(v, dict):
            return {k: plain(x) for k, x in v.items()}
        if isinstance(v, (list, tuple)):
            return [plain(x) for x in v]
        return float(f"%.{digits}g" % v) if isinstance(v, float) else v
    with open(path, "w", encoding="utf-8") as f:
        json.dump(plain(value), f, separators=(",", ":"), ensure_ascii=False)
        f.write("\n")


MERGES = ["t h", "th e", "Ġ the", "i n", "e r", "Ġ a", "o u", "Ġ s", "a t", "Ġ c", "Ġc at", "Ġs at"]
SPECIAL = ["<|bos|>", "<|user|>", "<|assistant|>", "<|end|>"]
CHAT = ("{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}")


def tokenizer():
    """Byte-level BPE as GPT-2 writes it: 256 bytes, a few merges, four special tokens."""
    keep = set(range(33, 127)) | set(range(161, 173)) | set(range(174, 256))
    spare = iter(range(256, 512))
    vocab = [chr(b) if b in keep else chr(next(spare)) for b in range(256)] + [m.replace(" ", "") for m in MERGES]
    added = [{"id": len(vocab) + i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for i, s in enumerate(SPECIAL)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": byte_level, "post_processor": byte_level, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "vocab": {t: i for i, t in enumerate(vocab)}, "merges": MERGES}}


# ---- the models ----------------------------------------------------------------------------------------------

V, D, CTX = 256 + len(MERGES) + len(SPECIAL), 16, 64
BASE = {"vocab_size": V, "bos_token_id": V - 4, "eos_token_id": V - 1, "torch_dtype": "float32"}
GPT2 = {"model_type": "gpt2", "n_embd": D, "n_layer": 2, "n_head": 2, "n_positions": CTX, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"}
LLAMA = {"model_type": "llama", "hidden_size": D, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "intermediate_size": 40, "max_position_embeddings": CTX, "rms_norm_eps": 1e-6, "hidden_act": "silu"}
GEMMA = {"hidden_size": D, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "intermediate_size": 40,
         "max_position_embeddings": CTX, "rms_norm_eps": 1e-6, "hidden_activation": "gelu_pytorch_tanh"}
NEOX = {"model_type": "gpt_neox", "hidden_size": D, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
        "max_position_embeddings": CTX, "layer_norm_eps": 1e-5, "rotary_emb_base": 10000}
MODELS = {  # name: (config, dtype, options)
    "gpt2": (GPT2, "F32", {}),
    "gpt2-untied": ({**GPT2, "tie_word_embeddings": False, "activation_function": "relu", "n_inner": 24}, "F32", {}),
    "gpt2-bare": ({**GPT2, "activation_function": "gelu"}, "F32", {"bare": True, "buffers": True}),
    "llama": ({**LLAMA, "rope_theta": 10000.0, "tie_word_embeddings": False}, "F16", {}),
    "llama-tied": ({**LLAMA, "num_key_value_heads": 1, "head_dim": 6, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True,
                    "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}, "F32", {}),
    "neox": ({**NEOX, "hidden_act": "gelu", "rotary_pct": 0.25, "use_parallel_residual": True, "tie_word_embeddings": False}, "F32", {}),
    "neox-serial": ({**NEOX, "hidden_act": "gelu_new", "rotary_pct": 0.5, "use_parallel_residual": False, "attention_bias": False,
                     "tie_word_embeddings": True}, "BF16", {"shards": True}),
    "llama3": ({**LLAMA, "head_dim": 8, "rope_theta": 20.0, "tie_word_embeddings": True,
                "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                 "original_max_position_embeddings": 32}}, "BF16", {}),
    "mistral": ({**LLAMA, "model_type": "mistral", "rope_theta": 10000.0, "sliding_window": 5, "tie_word_embeddings": False}, "F16", {"windows": (5, 5)}),
    "qwen2": ({**LLAMA, "model_type": "qwen2", "head_dim": 8, "tie_word_embeddings": True, "use_sliding_window": True, "sliding_window": 4,
               "max_window_layers": 1, "rope_theta": 20.0,
               "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 2, "beta_slow": 0.5}},
              "F32", {"windows": (0, 4)}),
    "qwen3": ({**LLAMA, "model_type": "qwen3", "head_dim": 6, "attention_bias": True, "rope_theta": 1000000, "sliding_window": None,
               "tie_word_embeddings": True}, "BF16", {}),
    "phi3": ({**LLAMA, "model_type": "phi3", "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "sliding_window": 6, "tie_word_embeddings": False},
             "BF16", {"windows": (6, 6)}),
    "gemma": ({**GEMMA, "model_type": "gemma", "num_key_value_heads": 1, "hidden_act": "gelu", "rope_theta": 10000.0}, "BF16", {}),
    "gemma2": ({**GEMMA, "model_type": "gemma2", "rope_theta": 10000.0, "query_pre_attn_scalar": 9, "sliding_window": 4, "attn_logit_softcapping": 1.5,
                "final_logit_softcapping": 3.0}, "BF16", {"windows": (4, 0)}),
    "gemma3": ({**GEMMA, "model_type": "gemma3_text", "rope_theta": 1000.0, "rope_local_base_freq": 100.0, "query_pre_attn_scalar": 12, "sliding_window": 4,
                "sliding_window_pattern": 2, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}, "BF16", {"windows": (4, 0)}),
    "gpt-neo": ({"model_type": "gpt_neo", "hidden_size": D, "num_layers": 2, "num_heads": 2, "max_position_embeddings": CTX, "window_size": 4,
                 "attention_types": [[["global", "local"], 1]], "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}, "BF16", {"windows": (0, 4)}),
    "opt": ({"model_type": "opt", "hidden_size": D, "num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 40, "max_position_embeddings": CTX,
             "activation_function": "relu", "do_layer_norm_before": True, "word_embed_proj_dim": D}, "BF16", {}),
    "gpt2-scaled": ({**GPT2, "scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True}, "BF16", {}),
    "phi3-long": ({**LLAMA, "model_type": "phi3", "head_dim": 8, "rope_theta": 100.0, "partial_rotary_factor": 0.75, "original_max_position_embeddings": 32,
                   "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.5, 2.5], "long_factor": [4.0, 8.0, 16.0]}, "tie_word_embeddings": True},
                  "BF16", {}),
}
IDS = [V - 4, V - 3, 84, 258, 265, 266, 267, 258, 32, 109, V - 1, 84]


def weights(cfg, opt, rng):
    w, fam, d = {}, cfg["model_type"], D
    def matrix(name, *shape):
        w[name] = rng.normal(size=shape) * (0.6 if "embed" in name or "wte" in name else 0.3)
    def bias(name, n):
        w[name] = rng.normal(size=n) * 0.1
    def norm(name, n=d):
        w[name + ".weight"] = (fam not in GEMMAS) + rng.normal(size=n) * 0.2
        if fam not in LLAMAS:
            bias(name + ".bias", n)
    def affine(name, n_in, n_out, with_bias, transposed=False):
        matrix(name + ".weight", *((n_in, n_out) if transposed else (n_out, n_in)))
        if with_bias:
            bias(name + ".bias", n_out)
    if fam == "gpt2":
        p, f = "" if opt.get("bare") else "transformer.", cfg.get("n_inner", 4 * d)
        matrix(p + "wte.weight", V, d)
        matrix(p + "wpe.weight", CTX, d)
        for l in range(2):
            q = f"{p}h.{l}."
            norm(q + "ln_1")
            affine(q + "attn.c_attn", d, 3 * d, True, True)
            affine(q + "attn.c_proj", d, d, True, True)
            norm(q + "ln_2")
            affine(q + "mlp.c_fc", d, f, True, True)
            affine(q + "mlp.c_proj", f, d, True, True)
            if opt.get("buffers"):
                w[q + "attn.bias"] = np.tril(np.ones((1, 1, CTX, CTX), bool))
        norm(p + "ln_f")
        if not cfg.get("tie_word_embeddings", True):
            matrix("lm_head.weight", V, d)
    elif fam in LLAMAS:
        h, b, mb, f = cfg.get("head_dim", d // 4), cfg.get("attention_bias", False), cfg.get("mlp_bias", False), cfg["intermediate_size"]
        kv = cfg["num_key_value_heads"] * h
        matrix("model.embed_tokens.weight", V, d)
        for l in range(2):
            q = f"model.layers.{l}."
            norm(q + "input_layernorm")
            if fam == "phi3":
                affine(q + "self_attn.qkv_proj", d, 4 * h + 2 * kv, False)
            else:
                affine(q + "self_attn.q_proj", d, 4 * h, b or fam == "qwen2")
                affine(q + "self_attn.k_proj", d, kv, b or fam == "qwen2")
                affine(q + "self_attn.v_proj", d, kv, b or fam == "qwen2")
            affine(q + "self_attn.o_proj", 4 * h, d, b)
            if fam in ("qwen3", "gemma3_text"):
                norm(q + "self_attn.q_norm", h)
                norm(q + "self_attn.k_norm", h)
            norm(q + "post_attention_layernorm")
            if fam in ("gemma2", "gemma3_text"):
                norm(q + "pre_feedforward_layernorm")
                norm(q + "post_feedforward_layernorm")
            if fam == "phi3":
                affine(q + "mlp.gate_up_proj", d, 2 * f, False)
            else:
                affine(q + "mlp.gate_proj", d, f, mb)
                affine(q + "mlp.up_proj", d, f, mb)
            affine(q + "mlp.down_proj", f, d, mb)
        norm("model.norm")
        if not cfg.get("tie_word_embeddings", fam in TIED):
            matrix("lm_head.weight", V, d)
    elif fam == "gpt_neo":
        matrix("transformer.wte.weight", V, d)
        matrix("transformer.wpe.weight", CTX, d)
        for l in range(2):
            q = f"transformer.h.{l}."
            norm(q + "ln_1")
            for n in "qkv":
                affine(q + f"attn.attention.{n}_proj", d, d, False)
            affine(q + "attn.attention.out_proj", d, d, True)
            norm(q + "ln_2")
            affine(q + "mlp.c_fc", d, 4 * d, True)
            affine(q + "mlp.c_proj", 4 * d, d, True)
        norm("transformer.ln_f")
    elif fam == "opt":
        matrix("model.decoder.embed_tokens.weight", V, d)
        matrix("model.decoder.embed_positions.weight", CTX + 2, d)
        for l in range(2):
            q, f = f"model.decoder.layers.{l}.", cfg["ffn_dim"]
            norm(q + "self_attn_layer_norm")
            for n in ("q", "k", "v", "out"):
                affine(q + f"self_attn.{n}_proj", d, d, True)
            norm(q + "final_layer_norm")
            affine(q + "fc1", d, f, True)
            affine(q + "fc2", f, d, True)
        norm("model.decoder.final_layer_norm")
    else:
        b, f = cfg.get("attention_bias", True), cfg["intermediate_size"]
        matrix("gpt_neox.embed_in.weight", V, d)
        for l in range(2):
            q = f"gpt_neox.layers.{l}."
            norm(q + "input_layernorm")
            affine(q + "attention.query_key_value", d, 3 * d, b)
            affine(q + "attention.dense", d, d, b)
            norm(q + "post_attention_layernorm")
            affine(q + "mlp.dense_h_to_4h", d, f, True)
            affine(q + "mlp.dense_4h_to_h", f, d, True)
        norm("gpt_neox.final_layer_norm")
        if not cfg["tie_word_embeddings"]:
            matrix("embed_out.weight", V, d)
    return w


def rounded(v, dtype):
    """The value that the file holds: the reference must see what a reader sees."""
    if v.dtype == bool:
        return v
    if dtype == "BF16":
        return ((v.astype("<f4").view("<u4") + 0x8000) & 0xFFFF0000).astype("<u4").view("<f4")
    return v.astype({"F32": "<f4", "F16": "<f2"}[dtype]).astype("<f4")


def main():
    if sys.argv[1:2] == ["greedy"]:
        folder, first, n = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        ref = Reference(json.load(open(os.path.join(folder, "config.json"))), load_f32(os.path.join(folder, "model.safetensors")))
        ids, gap = [first], math.inf
        for _ in range(n):
            z = ref.run(ids)["logits"][-1]
            second, top = np.sort(z)[-2:]
            gap = min(gap, top - second)
            ids.append(int(np.argmax(z)))
        print(json.dumps({"first": first, "ids": ids[1:], "smallest_gap": float("%.3g" % gap)}))
        return
    for seed, (name, (cfg, dtype, opt)) in enumerate(MODELS.items()):
        folder = os.path.join(HERE, name)
        os.makedirs(folder, exist_ok=True)
        cfg = {**BASE, **cfg}
        w = {k: rounded(v, dtype) for k, v in weights(cfg, opt, np.random.default_rng(1000 + seed)).items()}
        dump(os.path.join(folder, "config.json"), cfg, 17)
        dump(os.path.join(folder, "tokenizer.json"), tokenizer(), 17)
        dump(os.path.join(folder, "tokenizer_config.json"), {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": False, "bos_token": SPECIAL[0],
                                                              "eos_token": SPECIAL[3], "chat_template": CHAT}, 17)
        if opt.get("shards"):
            names = list(w)
            parts = [names[:len(names) // 2], names[len(names) // 2:]]
            files = [f"model-{i + 1:05}-of-00002.safetensors" for i in range(2)]
            for part, file in zip(parts, files):
                save(os.path.join(folder, file), {k: w[k] for k in part}, dtype)
            dump(os.path.join(folder, "model.safetensors.index.json"),
                 {"metadata": {}, "weight_map": {k: f for part, f in zip(parts, files) for k in part}}, 17)
        else:
            save(os.path.join(folder, "model.safetensors"), w, dtype)
        dump(os.path.join(folder, "golden.json"), golden(Reference(cfg, w, opt.get("windows", (0, 0))), IDS), 9)


if __name__ == "__main__":
    main()
