#!/usr/bin/env python3
"""Writes lensapi/httpapi/HTTP.md: every endpoint with what a server really answers. .ci/transcript.py BINARY > lensapi/httpapi/HTTP.md

Numbers are shortened to five digits and lists to their first two elements, for reading; nothing else is changed."""
import json, os, re, shlex, subprocess, sys, tempfile, time

BASE = 'http://127.0.0.1:18811'
J = "-H 'Content-Type: application/json'"
CHAT = f"$B/api/chat/with-activations {J}"

# (section, what, curl's arguments); a section is a heading, once.
CALLS = [
    ('Chat', 'The answer in one piece: the conversation with all its tokens, those of the answer with their layers. `messages` in place of `text` sends the whole conversation; what a kept one has of it is not computed again.',
     f"""{CHAT} -d '{{"text": "What is the capital of France?", "conversation_id": "capitals", "layers": [-1], "top": 2}}'"""),
    ('', 'The same as server-sent events (`Accept: application/x-ndjson` for lines of JSON): `queued` with a place while others run, `start`, then each `token`, and after those of the answer a `layer` for each row; `done`, or `error`.',
     f"""-N {CHAT} -H 'Accept: text/event-stream' -d '{{"text": "And its currency?", "conversation_id": "capitals", "layers": [-1], "top": 1, "max_tokens": 2}}'"""),
    ('Click', 'A token and its layers, from the cache. `include_context=true` gives the layers of the tokens before it too, `activations=true` the residual rows, `variant=raw` another lens; `Accept: text/event-stream` row after row.',
     "'$B/api/activations/capitals/14?layers=3,4,5&top=2&context_size=3'"),
    ('', 'Asked again with the ETag of the answer: nothing to send.', "-s -o /dev/null -w '%{http_code}\\n' -H 'If-None-Match: ETAG' '$B/api/activations/capitals/14?layers=3,4,5&top=2&context_size=3'"),
    ('', 'Consecutive tokens, up to 64 at a time.', "'$B/api/activations/capitals?from=13&to=15&layers=-1&top=1'"),
    ('', 'The residual rows as a NumPy array [1, rows, d_model], or as safetensors.', "-s '$B/api/activations/capitals/14?format=npy' | head -c 80 | strings"),
    ('Whole conversations', 'Compact numbers for a heatmap: one statistic of every row and position, and each cell\'s first candidate.', "'$B/api/heatmap/capitals?statistic=entropy&from=12&to=16'"),
    ('', 'Chosen tokens through all rows, by id or by a text that is one token.', f"""$B/api/track {J} -d '{{"conversation_id": "capitals", "from": 14, "to": 16, "tokens": [" Paris", " Rome"], "ranks": true}}'"""),
    ('', 'One statistic of two prompts or conversations, position by position.', f"""$B/api/contrast {J} -d '{{"a": {{"text": "The capital of France is"}}, "b": {{"text": "The capital of Italy is"}}, "statistic": "entropy"}}'"""),
    ('', 'Files: `json`, `csv`, `parquet`, `npz`, `html`, `png`, `svg` of the lens, `safetensors` and `npy` of the residual rows.', "-s '$B/api/export/capitals?format=csv&from=14&to=15' | cut -c1-100"),
    ('', 'Text, tokens among the first candidates, drops of entropy, ranks that cross a bound, nearest residual rows.', f"""$B/api/search {J} -d '{{"token": {{"id": " Paris"}}, "row": "4_post", "limit": 1}}'"""),
    ('Inside the model', 'Where the heads of a layer look; keys end at their query. `rollout` in place of a layer; `weighted=true` multiplies by the length of what a head adds.', "'$B/api/attention/capitals/3?heads=0&query=14'"),
    ('', 'Activation patching: 1 is as in the clean run, 0 as in the corrupted. Streamed, it tells its `progress`.', f"""$B/api/patch {J} -d '{{"clean": "The capital of France is", "corrupted": "The capital of Italy is", "token": " Paris", "against": " Rome", "layers": [0, 5]}}'"""),
    ('Conversations and cache', 'Newest first.', "'$B/api/conversations?limit=1'"),
    ('', 'One with its messages and all its tokens.', "$B/api/conversations/capitals"),
    ('', 'What the cache holds and how the server fares.', "$B/api/cache/status"),
    ('', 'Deleting a conversation.', "-X DELETE $B/api/cache/capitals"),
    ('Models', 'Those that were registered at start; they are loaded when they are first asked for.', "$B/api/models"),
    ('', '', "$B/api/models/teach"),
    ('', 'Things to say, and what to look for.', "$B/api/examples"),
    ('For OpenAI\'s clients', '`conversation_id` is ours: the answer can be clicked. `stream`, `stop`, `seed`, `max_tokens`, `temperature` and `top_p` mean what they mean there.',
     f"""$B/v1/chat/completions {J} -d '{{"model": "teach", "messages": [{{"role": "user", "content": "What is the capital of Peru?"}}], "temperature": 0, "logprobs": true, "top_logprobs": 1}}'"""),
    ('', '', "$B/v1/models"),
    ('For machines', 'Alive; ready when the default model is loaded; metrics for Prometheus; the description of all this, which `/api/docs` shows to people.', "$B/healthz"),
    ('', '', "$B/readyz"),
    ('', '', "-s $B/metrics | grep ^gopherlens_ | head -4"),
    ('', '', "-s $B/api/openapi.json | head -c 200"),
    ('Errors', 'One form, with a code for programs and one line for people. The codes and their statuses are a table in errors.go.', f"""-w '%{{http_code}}' {CHAT} -d '{{"text": "a", "top_p": 2, "temprature": 1}}'"""),
    ('', '', "-w '%{http_code}' $B/api/activations/nobody/0"),
    ('', '', "-w '%{http_code}' -X PUT $B/api/models"),
    ('', 'Pages of other sites, and names that were bound to this address, are refused.', "-w '%{http_code}' -H 'Host: evil.example' $B/api/models"),
]


def shorten(v):
    if isinstance(v, float):
        return float(f'{v:.5g}')
    if isinstance(v, list):
        return [shorten(x) for x in v[:2]] + (['…'] if len(v) > 2 else [])
    if isinstance(v, dict):
        return {k: shorten(x) for k, x in v.items()}
    return v


def show(text):
    out = []
    for line in text.splitlines():
        head, body, tail = re.fullmatch(r'(data: )?(.*?)(\d{3})?', line, re.S).groups() if line.startswith(('data: ', '{')) else ('', '', '')
        try:
            out.append((head or '') + json.dumps(shorten(json.loads(body)), ensure_ascii=False) + ('\n' + tail if tail else ''))
        except ValueError:
            out.append(line)
    lines = '\n'.join(out).strip().splitlines()
    return '\n'.join(lines[:14] + ['…'] + lines[-4:] if len(lines) > 24 else lines)


def main():
    with tempfile.TemporaryDirectory() as cache:
        server = subprocess.Popen([sys.argv[1], 'serve', '--addr', '127.0.0.1:18811'], env=dict(os.environ, GOPHERLENS_CACHE_DIR=cache), stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if subprocess.run(f'curl -sf {BASE}/readyz', shell=True, stdout=subprocess.DEVNULL).returncode == 0:
                    break
                time.sleep(0.1)
            print('# The HTTP API, as it answers\n\nWritten by `.ci/transcript.py` from a server with an empty cache (`gopherlens serve`); `B=http://127.0.0.1:8808`. '
                  'For reading, numbers are shortened to five digits and lists to two elements (`…`).')
            etag = ''
            for section, what, args in CALLS:
                if section:
                    print(f'\n## {section}')
                run = args.replace('$B', BASE).replace('ETAG', etag)
                got = subprocess.run(f'curl -s {run}', shell=True, capture_output=True, text=True, errors='replace').stdout
                if 'activations/capitals/14?' in args and not etag:
                    etag = re.search('(?i)etag: (.*)', subprocess.run(f'curl -si {run}', shell=True, capture_output=True, text=True).stdout).group(1).strip()
                if what:
                    print(f'\n{what}')
                print(f'\n    $ curl {args.replace("-s ", "", 1).replace("ETAG", etag)}')
                print('\n'.join('    ' + line for line in show(got).splitlines()))
        finally:
            server.terminate()
            server.wait()


main()
