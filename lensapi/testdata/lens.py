#!/usr/bin/env python3
"""Writes lens.json: what package lens computes, by NumPy in float64, for the tiny models of lenstest.

The forward pass is that of ../lenstest/testdata/generate.py, nothing of the Go code. Inner values are caught where that
pass calls attend and affine.
"""
import json, math, os, struct, sys
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "lenstest", "testdata")
sys.path.insert(0, MODELS)
sys.dont_write_bytecode = True
import generate as G

IDS = G.IDS[:7]
OTHER = [G.V - 4, G.V - 3, 84, 31, 265, 266, 267]                    # differs from IDS at position 3
A, B = 84, 100                                                       # the two tokens of attributions
TRACK = [5, 100, G.V - 1]


def load(folder):
    """The tensors of a folder, whatever their type."""
    w = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".safetensors"):
            continue
        data = open(os.path.join(folder, name), "rb").read()
        n, = struct.unpack_from("<Q", data)
        head = json.loads(data[8:8 + n])
        head.pop("__metadata__", None)
        for k, t in head.items():
            raw = data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]
            if t["dtype"] == "BF16":
                v = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
            elif t["dtype"] == "BOOL":
                continue
            else:
                v = np.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[t["dtype"]])
            w[k] = v.reshape(t["shape"])
    return w


# where each family's sublayers end: the affine map behind z, and that behind the MLP's activation
OUT = {"gpt2": ("attn.c_proj", "mlp.c_proj"), "gpt_neo": ("out_proj", "mlp.c_proj"), "gpt_neox": ("attention.dense", "mlp.dense_4h_to_h"),
       "opt": ("self_attn.out_proj", "fc2"), **{f: ("self_attn.o_proj", "mlp.down_proj") for f in G.LLAMAS}}


class Probe(G.Reference):
    """A reference that keeps z, the values and the MLP's post of each layer, and lets them be edited."""

    def probe(self, ids, resid=None, z=None, attn=None, mlp=None, pattern=None):
        self.seen, self.edit = {"z": [], "v": [], "post": [], "w_o": [], "w_out": [], "b_o": [], "b_out": []}, (z, attn, mlp)
        G_attend, layer = G.attend, [0]
        def attend(q, k, v, *a, **kw):
            z_, pattern_ = G_attend(q, k, v, *a, **kw)
            H = q.shape[1]
            if pattern:
                pattern_ = pattern(layer[0], pattern_)
                group = H // v.shape[1]
                z_ = np.stack([pattern_[h] @ v[:, h // group] for h in range(H)], axis=1).reshape(len(q), -1)
            if z:
                z_ = z(layer[0], z_.reshape(len(q), H, -1)).reshape(len(q), -1)
            self.seen["v"].append(np.repeat(v, H // v.shape[1], axis=1))
            layer[0] += 1
            return z_, pattern_
        G.attend = attend
        try:
            x = self.table[ids]
            if self.family in G.GEMMAS:
                x = x * math.sqrt(x.shape[1])
            tok, pos = x, None
            if self.family in ("gpt2", "gpt_neo"):
                pos = self.w[self.p + "wpe.weight"][:len(ids)]
            if self.family == "opt":
                pos = self.w[self.p + "decoder.embed_positions.weight"][2:2 + len(ids)]
            x = tok if pos is None else tok + pos
            r = {"tok": tok, "pos": pos, "resid": [], "mid": [], "attn_out": [], "mlp_out": [], "pattern": [], "pre": []}
            for l in range(2):
                if resid:
                    x = resid(l, x)
                r["resid"].append(x)
                at, pat, ml = getattr(self, "llama" if self.family in G.LLAMAS else self.family)(x, l)
                r["mid"].append(x + at)
                x = x + at + ml
                for k, v in zip(("attn_out", "mlp_out", "pattern"), (at, ml, pat)):
                    r[k].append(v)
            r["resid"].append(x)
            r["logits"] = self.unembed(x)
            return {**r, **self.seen}
        finally:
            G.attend = G_attend

    def affine(self, x, name, transposed=False):
        y = super().affine(x, name, transposed)
        w = self.w[name + ".weight"] if transposed else self.w[name + ".weight"].T      # [in, out]
        bias = self.w.get(name + ".bias", np.zeros(w.shape[1]))
        a, m = OUT[self.family]
        if name.endswith(a):
            l = len(self.seen["z"])
            self.seen["z"].append(x); self.seen["w_o"].append(w); self.seen["b_o"].append(bias)
            if self.edit[1]:
                y = self.edit[1](l, y)
        elif name.endswith(m):
            l = len(self.seen["post"])
            self.seen["post"].append(x); self.seen["w_out"].append(w); self.seen["b_out"].append(bias)
            if self.edit[2]:
                y = self.edit[2](l, y)
        return y

    def final_norm(self, x, like=None):
        """The final norm; with like, its scale is that of the row like."""
        like = x if like is None else like
        rms = self.family in G.LLAMAS
        c = self.cfg
        eps = c["rms_norm_eps"] if rms else c.get("layer_norm_epsilon") or c.get("layer_norm_eps") or 1e-5
        mean = (lambda y: 0) if rms else (lambda y: y.mean(-1, keepdims=True))
        scale = np.sqrt(np.mean((like - mean(like)) ** 2, -1, keepdims=True) + eps)
        gain = self.w[self.p + self.final + ".weight"] + (self.family in G.GEMMAS)
        return (x - mean(x)) / scale * gain + (0 if rms else self.w[self.p + self.final + ".bias"])

    def scale(self, x):
        rms, c = self.family in G.LLAMAS, self.cfg
        eps = c["rms_norm_eps"] if rms else c.get("layer_norm_epsilon") or c.get("layer_norm_eps") or 1e-5
        return np.sqrt(np.mean((x - (0 if rms else x.mean())) ** 2) + eps)

    def head(self, y):
        return G.soft_cap(y @ self.out.T, self.cfg.get("final_logit_softcapping"))


def translator(row, d):
    """The translators that the Go test makes too, rounded to float32 as there."""
    i, j = np.arange(d)[:, None], np.arange(d)[None, :]
    return (0.1 * np.sin(7 * i + 3 * j + row)).astype("f4").astype("f8"), (0.1 * np.cos(5 * np.arange(d) + row)).astype("f4").astype("f8")


def logp(z):
    top = z.max(-1, keepdims=True)
    part = top + np.log(np.exp(z - top).sum(-1, keepdims=True))
    return z - part, part[..., 0]


def stats(z, model, ids):
    lp, part = logp(z)                                               # [T, V]
    lm, _ = logp(model)
    p, m = np.exp(lp), np.exp(lm)
    a = (p + m) / 2
    answer = model.argmax(-1)
    T = np.arange(len(ids))
    return {"log_partition": part, "entropy": -(p * lp).sum(-1), "kl": (m * (lm - lp)).sum(-1), "kl_reverse": (p * (lp - lm)).sum(-1),
            "js": ((p * (lp - np.log(a))).sum(-1) + (m * (lm - np.log(a))).sum(-1)) / 2, "tv": np.abs(p - m).sum(-1) / 2,
            "max_probability": p.max(-1), "top": z.argmax(-1), "cross_entropy": -lp[T[:-1], ids[1:]],
            "answer_logprob": lp[T, answer], "answer_rank": 1 + (z > z[T, answer][:, None]).sum(-1),
            "next_rank": 1 + (z[:-1] > z[T[:-1], ids[1:]][:, None]).sum(-1)}


def lenses(ref, r):
    """[variant][row] for the rows embed, 0_mid, 0_post, ...; no mid rows in a parallel model."""
    rows = [r["resid"][0]]
    for l in range(2):
        if not ref.cfg.get("use_parallel_residual"):
            rows.append(r["mid"][l])
        rows.append(r["resid"][l + 1])
    last, d, out = rows[-1], rows[0].shape[1], {}
    for name in ("raw", "normed", "scaled"):
        out[name] = []
        for x in rows:
            y = x if name == "raw" else ref.final_norm(x, last if name == "scaled" else None)
            out[name].append(stats(ref.head(y), r["logits"], IDS))
    for name in ("tuned", "jacobian"):
        out[name] = []
        for i, x in enumerate(r["resid"]):
            if i < 2:
                W, b = translator(i, d)
                x = x + x @ W.T + b if name == "tuned" else x @ W.T
            out[name].append(stats(ref.head(ref.final_norm(x)), r["logits"], IDS))
    return out


def tracked(ref, r):
    lp = [logp(ref.head(ref.final_norm(x)))[0] for x in r["resid"]]
    return {"ids": TRACK, "logprob": [[x[:, t] for x in lp] for t in TRACK],
            "rank": [[1 + (x > x[:, [t]]).sum(-1) for x in lp] for t in TRACK]}


def attribution(ref, r):
    """Direct attribution at the last position: of the logit of A, of it centred, and of A less B, before any soft cap."""
    T, H = len(IDS) - 1, r["pattern"][0].shape[0]
    rms = ref.family in G.LLAMAS
    gain = ref.w[ref.p + ref.final + ".weight"] + (ref.family in G.GEMMAS)
    s = ref.scale(r["resid"][2][T])
    out = {}
    for name, w in (("logit", ref.out[A]), ("centred", ref.out[A] - ref.out.mean(0)), ("difference", ref.out[A] - ref.out[B])):
        u = w * gain
        if not rms:
            u = u - u.mean()
        f = lambda x: float(x @ u) / s
        post = lambda x, l, which: x
        if ref.family in ("gemma2", "gemma3_text"):                  # the norm behind the sublayer, its scale taken as it was
            def post(x, l, which):
                full = (r["z"][l] @ r["w_o"][l] if which == "attention" else r["post"][l] @ r["w_out"][l])[T]
                g = ref.w[f"{ref.p}layers.{l}.post_{which}_layernorm.weight"] + 1
                return x / np.sqrt(np.mean(full ** 2) + ref.cfg["rms_norm_eps"]) * g
        heads, values, neurons, attn_bias, mlp_bias = [], [], [], [], []
        for l in range(2):
            z = r["z"][l][T].reshape(H, -1)
            D = z.shape[1]
            W = r["w_o"][l].reshape(H, D, -1)
            heads.append([f(post(z[h] @ W[h], l, "attention")) for h in range(H)])
            bv = value_bias(ref, l, H, D)
            values.append([f(post(bv[h] @ W[h], l, "attention")) for h in range(H)])
            attn_bias.append(f(post(r["b_o"][l], l, "attention")))
            neurons.append([f(post(a * w, l, "feedforward")) for a, w in zip(r["post"][l][T], r["w_out"][l])])
            mlp_bias.append(f(post(r["b_out"][l], l, "feedforward")))
        bias = 0 if rms else float(w @ ref.w[ref.p + ref.final + ".bias"])
        out[name] = {"embed": f(r["tok"][T]), "pos_embed": 0 if r["pos"] is None else f(r["pos"][T]), "bias": bias,
                     "attn": [f(x[T]) for x in r["attn_out"]], "mlp": [f(x[T]) for x in r["mlp_out"]], "heads": heads, "value_bias": values,
                     "attn_bias": attn_bias, "neurons": neurons, "mlp_bias": mlp_bias, "total": float(ref.final_norm(r["resid"][2][T]) @ w)}
    return out


def value_bias(ref, l, H, D):
    """[H, D]: what attention's value bias adds to z, as its weights sum to one."""
    f, p = ref.family, ref.p
    zero = np.zeros((H, D))
    if f == "gpt2":
        return np.split(ref.w[f"{p}h.{l}.attn.c_attn.bias"], 3)[2].reshape(H, D)
    if f == "gpt_neox":
        b = ref.w.get(f"{p}layers.{l}.attention.query_key_value.bias")
        return zero if b is None else b.reshape(H, 3, D)[:, 2]
    name = f"{p}decoder.layers.{l}.self_attn.v_proj.bias" if f == "opt" else f"{p}layers.{l}.self_attn.v_proj.bias"
    b = ref.w.get(name)
    return zero if b is None else np.repeat(b.reshape(-1, D), H // (len(b) // D), axis=0)


def attention(r):
    """Weights times the length of what each value adds (Kobayashi et al. 2020), and rollout (Abnar and Zuidema 2020)."""
    weighted, roll = [], np.eye(len(IDS))
    for l in range(2):
        H = r["pattern"][l].shape[0]
        W = r["w_o"][l].reshape(H, -1, r["w_o"][l].shape[1])
        length = np.stack([np.linalg.norm(r["v"][l][:, h] @ W[h], axis=-1) for h in range(H)])      # [H, T]
        weighted.append(r["pattern"][l] * length[:, None, :])
        roll = (0.5 * r["pattern"][l].mean(0) + 0.5 * np.eye(len(IDS))) @ roll
    return {"pattern": r["pattern"], "weighted": weighted, "rollout": roll}


def patches(ref, clean):
    """The difference of the last logits of A and B in the run on OTHER with one value of the run on IDS put in."""
    T = len(IDS) - 1
    diff = lambda r: float(r["logits"][T, A] - r["logits"][T, B])
    corrupt = ref.probe(OTHER)
    out = {"clean": diff(clean), "corrupt": diff(corrupt), "resid_pre": [], "z": [], "pattern": []}
    H = clean["pattern"][0].shape[0]
    for l in range(2):
        row = []
        for p in range(T + 1):
            def resid(l_, x):
                if l_ == l:
                    x = x.copy(); x[p] = clean["resid"][l][p]
                return x
            row.append(diff(ref.probe(OTHER, resid=resid)))
        out["resid_pre"].append(row)
        row, rowp = [], []
        for h in range(H):
            def z(l_, x):
                if l_ == l:
                    x = x.copy(); x[:, h] = clean["z"][l].reshape(T + 1, H, -1)[:, h]
                return x
            def pattern(l_, x):
                if l_ == l:
                    x = x.copy(); x[h] = clean["pattern"][l][h]
                return x
            row.append(diff(ref.probe(OTHER, z=z)))
            rowp.append(diff(ref.probe(OTHER, pattern=pattern)))
        out["z"].append(row)
        out["pattern"].append(rowp)
    for name in ("attn", "mlp"):
        if ref.family in ("gemma2", "gemma3_text"):                  # hooks stand behind the norm there
            continue
        key = name + "_out"
        out[key] = []
        for l in range(2):
            row = []
            for p in range(T + 1):
                def put(l_, x):
                    if l_ == l:
                        x = x.copy(); x[p] = clean[key][l][p]
                    return x
                row.append(diff(ref.probe(OTHER, **{name: put})))
            out[key].append(row)
    return out


def gradients(ref, clean):
    """First-order estimates of patches: the derivative of the difference along the change, by central differences in float64."""
    T = len(IDS) - 1
    diff = lambda r: float(r["logits"][T, A] - r["logits"][T, B])
    base = ref.probe(OTHER)
    H = clean["pattern"][0].shape[0]
    heads = lambda x: x.reshape(T + 1, H, -1)
    def along(site, layer, pick, theirs, mine):
        def at(h):
            def edit(l, x):
                if l == layer:
                    x = x.copy()
                    x[pick] += h * (theirs - mine)[pick]
                return x
            return diff(ref.probe(OTHER, **{site: edit}))
        h = 1e-3                                                     # two steps, the error of both but h^4 (Richardson)
        return diff(base) + (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    positions, every = [(p,) for p in range(T + 1)], slice(None)
    out = {"resid_pre": [[along("resid", l, p, clean["resid"][l], base["resid"][l]) for p in positions] for l in range(2)],
           "z": [[along("z", l, (every, h), heads(clean["z"][l]), heads(base["z"][l])) for h in range(H)] for l in range(2)],
           "pattern": [[along("pattern", l, (h,), clean["pattern"][l], base["pattern"][l]) for h in range(H)] for l in range(2)]}
    if ref.family not in ("gemma2", "gemma3_text"):                  # hooks stand behind the norm there
        for name in ("attn", "mlp"):
            key = name + "_out"
            out[key] = [[along(name, l, p, clean[key][l], base[key][l]) for p in positions] for l in range(2)]
    return out


def main():
    all = {"ids": IDS, "other": OTHER, "a": A, "b": B, "models": {}}
    for name, (cfg, dtype, opt) in G.MODELS.items():
        ref = Probe({**G.BASE, **cfg}, load(os.path.join(MODELS, name)), opt.get("windows", (0, 0)))
        r = ref.probe(IDS)
        assert np.allclose(r["logits"], ref.run(IDS)["logits"])
        all["models"][name] = {"lens": lenses(ref, r), "track": tracked(ref, r), "attribution": attribution(ref, r), "attention": attention(r),
                               "patch": patches(ref, r), "gradient": gradients(ref, r)}
    G.dump(os.path.join(HERE, "lens.json"), all, 8)


if __name__ == "__main__":
    main()
