#!/usr/bin/env python3
"""Write the tokenizer fixtures of this folder and their goldens. Standard library only; run it here, without arguments.

Everything is done the plain way and shares nothing with the Go code: patterns are scanned by hand with unicodedata,
merging looks for the lowest rank again after every merge, added tokens are searched at every position.
"""
import json
import os
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))

CORPUS = """The model reads a token and writes the next one. A token may be a word, a part of a word, or a byte.
The capital of France is Paris; the capital of Japan is Tokyo. It's the reader's job to ask: what does layer 3 know?
We don't know yet, and they'll say they've seen it: 10 100 1000 10000 100000 0 00 000 0000 00000000.
def attention(q, k, v):
    scores = q @ k.T
    if mask:
        scores = scores + mask
    return softmax(scores) @ v

Ein Kind läuft über die Brücke. Le café est fermé à l'été. 東京は日本の首都です。 日本語 東京
""" * 3

TEXTS = [
    "", " ", "  ", "   ", "a", " a", "  a", "a ", "a  ", " a  b   c    d ", "\n", "\n\n", " \n", "\n ", "a\nb", "a\n\n  b", "\t\ta\t",
    "\r\n", "a \r\n b", "The capital of France is Paris.", "  The model", "it's we'll they've I'd I'm don't you're '", "IT'S WE'LL 'S 's''s",
    "0", "00", "000", "0000", "00000", "000000", "0000000", "00000000", "000000000", "0000000000", "0" * 17, "12345 1 234", "3.14159", "x1y22z333",
    "\U0001F600", "a\U0001F600b", "\U0001F468\u200d\U0001F469\u200d\U0001F467", "\U0001F1EB\U0001F1F7 \U0001F1EF\U0001F1F5", "caf\u00e9", "cafe\u0301", "e\u0301\u0301\u0301", "\u0301a", "n\u0303o",
    "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002", "\u4f60\u597d \u4e16\u754c", "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u0442\u0435\u043a\u0441\u0442", "\u0661\u0662\u0663 \u00bd \u2167", "\u00a0a\u00a0\u00a0b", "\u2003\u2003x", "\u3000\u3000", "a\u0085b", "a\u2028b", "\u200bz", "\ufeffbom",
    "def attention(q, k, v):\n    scores = q @ k.T\n\n\n        return 1\n", "!!!???...", "a.b,c;d:e", "---- ====", "$%^&*()_+{}|", "\u00fcber Br\u00fccken",
    "<|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b", "<|endoftext|><|endoftext|>", "<|endoftext|", "x<|end<|endoftext|>|>", "<s>hello</s>", "<unk>", "<0x41>", "\u2581a\u2581", "\u2581", "\x00\x01\x7f", "[MASK] a[MASK]b  [MASK]  c", "cat concat cat-cat cat", "Hello\u2026 \u201cworld\u201d \u2014 ok\u00bfno", "\u1e9e\u00df\ufb01\u017f's", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\ud55c\uad6d\uc5b4 \ubb38\uc7a5", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "The " * 40,
]

WHITE = set("\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}


def kind(c):
    if c in WHITE:
        return "s"
    k = unicodedata.category(c)[0]
    return k if k in "LN" else "o"


def run(text, i, ok, most=None):
    j = i
    while j < len(text) and ok(text[j]) and (most is None or j - i < most):
        j += 1
    return j


def spaces(text, i):
    """\\s+(?!\\S)|\\s+ at i"""
    j = run(text, i, lambda c: kind(c) == "s")
    return j - 1 if j < len(text) and j - i > 1 else j


def gpt2_split(text):
    out, i = [], 0
    while i < len(text):
        j = None
        for s in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"):
            if text.startswith(s, i):
                j = i + len(s)
                break
        if j is None:
            k = i + 1 if text[i] == " " else i
            for want in "LNo":
                for start in ((k, i) if k > i else (i,)):
                    e = run(text, start, lambda c: kind(c) == want)
                    if e > start:
                        j = e
                        break
                if j:
                    break
        if j is None:
            j = spaces(text, i)
        out.append(text[i:j])
        i = j
    return out


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def llama3_split(text):
    out, i = [], 0
    while i < len(text):
        j = None
        for s in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"):
            # U+017F folds to s
            if text[i:i + len(s)].lower().replace("\u017f", "s") == s:
                j = i + len(s)
                break
        if j is None:
            k = i + 1 if kind(text[i]) in "so" and text[i] not in "\r\n" else i
            e = run(text, k, lambda c: kind(c) == "L")
            if e > k:
                j = e
        if j is None and kind(text[i]) == "N":
            j = run(text, i, lambda c: kind(c) == "N", 3)
        if j is None:
            k = i + 1 if text[i] == " " else i
            e = run(text, k, lambda c: kind(c) == "o")
            if e > k:
                j = run(text, e, lambda c: c in "\r\n")
        if j is None:
            e = run(text, i, lambda c: kind(c) == "s")
            last = max((m for m in range(i, e) if text[m] in "\r\n"), default=None)
            j = last + 1 if last is not None else spaces(text, i)
        out.append(text[i:j])
        i = j
    return out


def byte_alphabet():
    keep = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    table, n = {}, 0
    for b in range(256):
        if b in keep:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + n)
            n += 1
    return table


B2U = byte_alphabet()
U2B = {u: b for b, u in B2U.items()}


def to_bytes_alphabet(s):
    return "".join(B2U[b] for b in s.encode())


def train(words, alphabet, merges):
    """words: list of lists of symbols. Ties go to the smallest pair."""
    words = [list(w) for w in words]
    done = []
    for _ in range(merges):
        counts = {}
        for w in words:
            for p in zip(w, w[1:]):
                counts[p] = counts.get(p, 0) + 1
        counts = {p: n for p, n in counts.items() if n > 1}
        if not counts:
            break
        best = min(counts, key=lambda p: (-counts[p], p))
        done.append(best)
        for w in words:
            i = 0
            while i + 1 < len(w):
                if (w[i], w[i + 1]) == best:
                    w[i:i + 2] = [best[0] + best[1]]
                i += 1
    return done


def bpe(symbols, rank):
    symbols = list(symbols)
    while len(symbols) > 1:
        pairs = [(rank.get(p, 1 << 60), i) for i, p in enumerate(zip(symbols, symbols[1:]))]
        r, i = min(pairs)
        if r == 1 << 60:
            break
        symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
    return symbols


def model_ids(word, t):
    """ids of one pre-tokenized word"""
    vocab, rank = t["vocab"], t["rank"]
    if t.get("ignore_merges") and word in vocab:
        return [vocab[word]]
    symbols = []
    for c in word:
        if c in vocab:
            symbols.append(c)
        elif t.get("byte_fallback"):
            symbols += ["<0x%02X>" % b for b in c.encode()]
        elif t.get("fuse_unk") and symbols and symbols[-1] == "<unk>":
            pass
        else:
            symbols.append("<unk>")
    return [vocab[s] for s in bpe(symbols, rank)]


def is_word(c):
    return c == "_" or unicodedata.category(c)[0] in "LM" or unicodedata.category(c) in ("Nd", "Pc", "Nl")


def cut(text, tokens):
    """[(string, None) or (content, token)], leftmost, then longest"""
    out, i, done = [], 0, 0
    while i < len(text):
        best = None
        for k in tokens:
            if text.startswith(k["content"], i) and (best is None or len(k["content"]) > len(best["content"])):
                best = k
        if best is None:
            i += 1
            continue
        a, b = i, i + len(best["content"])
        i = b
        if best["single_word"] and (a > 0 and is_word(text[a - 1]) or b < len(text) and is_word(text[b])):
            continue
        if best["lstrip"]:
            while a > done and text[a - 1] in WHITE:
                a -= 1
            a = max(a, done)
        if best["rstrip"]:
            while b < len(text) and text[b] in WHITE:
                b += 1
        if best["lstrip"] and a >= b:
            continue
        if a > done:
            out.append((text[done:a], None))
        out.append((best["content"], best))
        done = b
    if done < len(text):
        out.append((text[done:], None))
    return out


def encode(text, t):
    ids, first = [], True
    for s, k in cut(text, [k for k in t["added"] if not k["normalized"]]):
        if k:
            ids.append(k["id"])
        else:
            for s2, k2 in cut(t["normalize"](s), [k for k in t["added"] if k["normalized"]]):
                if k2:
                    ids.append(k2["id"])
                else:
                    for w in t["words"](s2, first):
                        ids += model_ids(w, t)
                first = False
        first = False
    return ids


def token(i, content, **kw):
    return dict(dict(id=i, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True), **kw)


def write(name, t, normalizer, pre, post, decoder, config, pairs=False):
    os.makedirs(os.path.join(HERE, name), exist_ok=True)
    merges = sorted(t["rank"], key=t["rank"].get)
    model = {"type": "BPE", "dropout": None, "unk_token": t.get("unk_token"), "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": bool(t.get("fuse_unk")), "byte_fallback": bool(t.get("byte_fallback")),
             "ignore_merges": bool(t.get("ignore_merges")), "vocab": t["vocab"],
             "merges": [list(m) for m in merges] if pairs else ["%s %s" % m for m in merges]}
    d = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": t["added"], "normalizer": normalizer,
         "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model}
    save(os.path.join(name, "tokenizer.json"), d)
    save(os.path.join(name, "tokenizer_config.json"), config)
    inv = {i: s for s, i in t["vocab"].items()}
    inv.update({k["id"]: k["content"] for k in t["added"]})
    special = {k["id"] for k in t["added"] if k["special"]}
    golden = []
    for text in TEXTS + t.get("texts", []):
        ids = encode(text, t)
        golden.append({"text": text, "ids": ids, "decoded": t["decode"]([inv[i] for i in ids if i not in special])})
    save(os.path.join(name, "golden.json"), golden)


def save(path, d):
    with open(os.path.join(HERE, path), "w", encoding="utf-8", newline="\n") as f:
        json.dump(d, f, ensure_ascii=True, indent=None, separators=(",", ":"))
        f.write("\n")


def decode_bytes(tokens):
    out = b""
    for t in tokens:
        out += bytes(U2B[c] for c in t) if all(c in U2B for c in t) else t.encode()
    return out.decode("utf-8", "replace")


def decode_spm(tokens):
    out, run = "", b""
    def flush():
        try:
            return run.decode()
        except UnicodeDecodeError:
            return "\ufffd" * len(run)
    for t in tokens:
        t = t.replace("\u2581", " ")
        if len(t) == 6 and t.startswith("<0x") and t.endswith(">"):
            run += bytes([int(t[3:5], 16)])
        else:
            out += flush() + t
            run = b""
    out += flush()
    return out[1:] if out.startswith(" ") else out


def byte_level():
    words = [to_bytes_alphabet(w) for w in gpt2_split(CORPUS)]
    merges = train(words, None, 300)
    vocab = {}
    for b in sorted(B2U.values()):
        vocab[b] = len(vocab)
    for a, b in merges:
        vocab.setdefault(a + b, len(vocab))
    return vocab, {m: i for i, m in enumerate(merges)}


def main():
    BL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    vocab, rank = byte_level()
    n = len(vocab)
    base = dict(vocab=vocab, rank=rank, normalize=lambda s: s, decode=decode_bytes)
    gpt2_words = lambda s, first: [to_bytes_alphabet(w) for w in gpt2_split(s)]

    write("gpt2", dict(base, words=gpt2_words, added=[token(n, "<|endoftext|>"), token(n + 1, "[MASK]", lstrip=True, rstrip=True), token(n + 2, "cat", single_word=True, special=False)]),
          None, BL, None, BL, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "add_prefix_space": False})

    runs = [token(n + i - 1, " " * i, normalized=True, special=False) for i in range(12, 1, -1)]
    write("neox", dict(base, words=gpt2_words, normalize=lambda s: unicodedata.normalize("NFC", s), added=[token(n + 12, "<|endoftext|>")] + runs,
                       texts=[" " * i + "x" for i in range(1, 30)] + ["a" + " " * i + "b" for i in range(1, 16)]),
          {"type": "NFC"}, dict(BL), {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}, BL,
          {"tokenizer_class": "GPTNeoXTokenizer", "bos_token": {"content": "<|endoftext|>", "lstrip": False}, "eos_token": "<|endoftext|>"})

    whole = dict(vocab)
    for w in ("\u0120Tokyo", "attention", to_bytes_alphabet(" \u6771\u4eac")):
        whole.setdefault(w, len(whole))
    m = len(whole)
    write("llama3", dict(base, vocab=whole, ignore_merges=True, words=lambda s, first: [to_bytes_alphabet(w) for w in llama3_split(s)],
                         added=[token(m, "<|begin_of_text|>"), token(m + 1, "<|end_of_text|>"), token(m + 2, "<|endoftext|>")],
                         texts=["attention Tokyo \u6771\u4eac", "x'S don'T", "1234567890", "  \n \n  x", "!\n\n a", "a\u00e9\u0301b", "\n\n\n\nx"]),
          None, {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False},
                                                       {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
          {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
           {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [m], "tokens": ["<|begin_of_text|>"]}}}]},
          dict(BL, add_prefix_space=True), {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}, pairs=True)

    text = "\u2581" + CORPUS.replace(" ", "\u2581")
    words = [w for w in text.replace("\n", " ").replace("\u2581", " \u2581").split(" ") if w]
    merges = train(words, None, 250)
    letters = sorted(set(text) - {"\n"} - set("\u6771\u4eac@=+"))
    spm = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for b in range(256):
        spm["<0x%02X>" % b] = len(spm)
    for c in letters:
        spm[c] = len(spm)
    plain = {"<unk>": 0, "<s>": 1, "</s>": 2}
    for c in letters:
        plain[c] = len(plain)
    kept = [m for m in merges if all(c in spm for c in m[0] + m[1])]
    for v in (spm, plain):
        for a, b in kept:
            v.setdefault(a + b, len(v))
    rank = {m: i for i, m in enumerate(kept)}
    specials = [token(0, "<unk>"), token(1, "<s>"), token(2, "</s>")]
    post = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    conf = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    write("llama2", dict(vocab=spm, rank=rank, byte_fallback=True, fuse_unk=True, unk_token="<unk>", added=specials,
                         normalize=lambda s: "\u2581" + s.replace(" ", "\u2581") if s else s, words=lambda s, first: [s], decode=decode_spm),
          {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
          None, post, {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
                                                      {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
          dict(conf, add_bos_token=True, add_eos_token=False))

    def metaspace_words(s, first):
        s = s.replace(" ", "\u2581")
        if first and not s.startswith("\u2581"):
            s = "\u2581" + s
        out = []
        for c in s:
            if c == "\u2581" or not out:
                out.append(c)
            else:
                out[-1] += c
        return out

    def metaspace_decode(tokens):
        return "".join(t.replace("\u2581", "" if i == 0 else " ") for i, t in enumerate(tokens))

    ms = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    write("metaspace", dict(vocab=plain, rank=rank, unk_token="<unk>", fuse_unk=True, added=specials, normalize=lambda s: s, words=metaspace_words, decode=metaspace_decode),
          None, ms, post, ms, dict(conf, add_bos_token=False))


main()
