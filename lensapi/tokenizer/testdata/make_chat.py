"""Writes chat/golden.json: what Jinja makes of the templates beside it and of random expressions.

Jinja is set up as transformers sets it up (utils/chat_template_utils.py). The templates are those of the published
checkpoints Qwen/Qwen3-0.6B and mistralai/Mistral-Nemo-Instruct-2407 (Apache 2.0),
deepseek-ai/DeepSeek-R1-Distill-Qwen-32B and microsoft/Phi-3.5-mini-instruct (MIT); constructs.jinja is ours.

    python3 make_chat.py      (made with Jinja 3.1.6)
"""

import json
import pathlib
import random

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception


def case(about, source, chat, generate):
    c = dict(about)
    try:
        c["want"] = env.from_string(source).render(
            messages=chat, tools=None, documents=None, add_generation_prompt=generate,
            bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="",
        )
    except Exception as e:
        c["error"] = f"{type(e).__name__}: {e}"
    return c


user = lambda text: {"role": "user", "content": text}
assistant = lambda text: {"role": "assistant", "content": text}
system = lambda text: {"role": "system", "content": text}
chats = [
    [user("Hi")],
    [user("Hi"), assistant(" Hello! \n"), user("Bye")],
    [system("Be brief."), user("Hi")],
    [system(" Sé \n"), user("a"), assistant("<think>\nhm\n</think>\n\nyes"), user("b"), assistant("c")],
    [user(""), assistant(""), user("x\n\n")],
    [user("a"), user("b")],
    [assistant("first"), user("q")],
    [],
    [user("日本 {{x}} <|im_end|>"), assistant("  "), user("/no_think ok")],
]

folder = pathlib.Path(__file__).parent / "chat"
rnd = random.Random(7)

values = ["'a'", "' x\\n'", "''", "'abc-de'", "0", "1", "2", "-3", "7", "1.5", "true", "false", "none", "[]", "[3, 1, 2]",
          "['b', 'A', 'c']", "{'a': 1, 'b': [1, 2]}", "{}", "missing", "s", "n", "l", "d", "messages", "messages[0]", "'é日'"]
filters = ["length", "first", "last", "list", "upper", "lower", "trim", "title", "capitalize", "int", "float", "reverse|list",
           "sort", "unique|list", "sum", "min", "max", "tojson", "abs", "default(9)", "default(9, true)", "items|list", "join",
           "join(', ')", "replace('a', 'b')", "count", "tojson(indent=2)", "indent(2)", "dictsort", "round", "select|list",
           "reject('odd')|list", "map('string')|list", "selectattr('role', 'equalto', 'user')|list",
           "rejectattr('role')|list", "map(attribute='a', default=0)|list"]
tests = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence",
         "true", "false", "odd", "even", "in l", "eq 1", "ne 1", "gt 1", "divisibleby 2", "not none", "lt(2)"]
methods = ["strip()", "upper()", "split(',')", "split()", "startswith('a')", "endswith(' ')", "replace('a', '--')", "lstrip('a')",
           "title()", "capitalize()", "find('b')", "count('a')", "splitlines()", "split(',', 1)", "startswith(('x', 'a'))"]
items = ["0", "-1", "1:", "::-1", ":2", "1:-1", "::2", "-2:", "5:1:-1", "'a'", "'role'"]


def expression(depth):
    if depth == 0:
        return rnd.choice(values)
    e = lambda: expression(depth - 1)
    forms = [
        lambda: f"({e()} {rnd.choice(['+', '-', '*', '/', '//', '%', '~'])} {e()})",
        lambda: f"({e()} {rnd.choice(['==', '!=', '<', '<=', '>', '>=', 'and', 'or', 'in', 'not in'])} {e()})",
        lambda: f"not {e()}",
        lambda: f"({e()} if {e()} else {e()})",
        lambda: f"({e()} if {e()})",
        lambda: f"{rnd.choice(values)}[{rnd.choice(items)}]",
        lambda: f"({e()})|{rnd.choice(filters)}",
        lambda: f"s.{rnd.choice(methods)}",
        lambda: f"({e()} is {rnd.choice(tests)})",
        lambda: f"[{e()}, {e()}]",
        lambda: f"{{'k': {e()}, 2: {e()}}}",
        lambda: f"d.{rnd.choice(['items()|list', 'keys()|list', 'values()|list', 'get(1)', 'a', 'zz'])}",
        lambda: f"-{rnd.choice(values)}",
        lambda: f"{e()} {rnd.choice(['+', '-', '*', '~'])} {e()} {rnd.choice(['+', '==', 'and', '~', '<'])} {e()}",
    ]
    return rnd.choice(forms)()


cases = [
    case({"template": f.name, "messages": chat, "generate": generate}, f.read_text(), chat, generate)
    for f in sorted(folder.glob("*.jinja")) for chat in chats for generate in (True, False)
]
frame = (folder / "expression.txt").read_text()
while len(cases) < 900:
    e = expression(rnd.choice([1, 2, 2, 3]))
    c = case({"expression": e}, frame.replace("EXPRESSION", e), chats[1], False)
    if "want" in c and "object at 0x" not in c["want"]:
        cases.append(c)
(folder / "golden.json").write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
