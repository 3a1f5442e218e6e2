package tokenizer_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
)

// withTemplate is the llama2 fixture with another chat template.
func withTemplate(t testing.TB, template any) *tokenizer.Tokenizer {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "llama2", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := json.Marshal(map[string]any{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": map[string]any{"content": "</s>"}, "chat_template": template})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(fstest.MapFS{"tokenizer.json": {Data: raw}, "tokenizer_config.json": {Data: cfg}})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Templates in the words of the published checkpoints.
const (
	chatML = `{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

	qwen2 = `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

	// Qwen2.5 without its branch for tools.
	qwen25 = `{%- if tools %}
    {{- '<|im_start|>system\n' }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
`

	llama2 = `{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}`

	llama3 = `{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>

'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>

' }}{% endif %}`

	// Llama 3.2 without its branches for tools.
	llama32 = `{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{#- System message #}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
`

	zephyr = `{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}`
)

var (
	oneTurn  = []tokenizer.Message{{Role: "user", Content: "Hi there"}}
	twoTurns = []tokenizer.Message{{Role: "user", Content: "Hi"}, {Role: "assistant", Content: " Hello! \n"}, {Role: "user", Content: "Bye"}}
	system   = []tokenizer.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "Hi"}}
)

func TestPublishedTemplates(t *testing.T) {
	for _, c := range []struct {
		name, template string
		msgs           []tokenizer.Message
		generate       bool
		want           string
	}{
		{"chatml", chatML, twoTurns, true, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n Hello! \n<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"},
		{"chatml, no prompt", chatML, oneTurn, false, "<|im_start|>user\nHi there<|im_end|>\n"},
		{"chatml, no messages", chatML, nil, true, "<|im_start|>assistant\n"},
		{"qwen2", qwen2, oneTurn, true, "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n"},
		{"qwen2, system", qwen2, system, false, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"},
		{"qwen2.5", qwen25, twoTurns, true, "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n Hello! \n<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"},
		{"qwen2.5, system", qwen25, system, true, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"},
		{"llama2", llama2, twoTurns, false, "<s>[INST] Hi [/INST] Hello! </s><s>[INST] Bye [/INST]"},
		{"llama2, system", llama2, system, false, "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]"},
		{"llama3", llama3, twoTurns, true, "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
		{"llama3.2", llama32, oneTurn, true, "<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
		{"llama3.2, system", llama32, system, false, "<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"},
		{"zephyr", zephyr, system, true, "<|system|>\nBe brief.</s>\n<|user|>\nHi</s>\n<|assistant|>\n"},
		{"zephyr, two turns", zephyr, twoTurns, false, "<|user|>\nHi</s>\n<|assistant|>\n Hello! \n</s>\n<|user|>\nBye</s>\n"},
	} {
		got, err := withTemplate(t, c.template).RenderChat(c.msgs, c.generate)
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n got %q\nwant %q", c.name, err, got, c.want)
		}
	}
}

// Small pieces whose results follow from Jinja's and Python's documentation, with trim_blocks and lstrip_blocks.
func TestTemplateSemantics(t *testing.T) {
	for _, c := range []struct{ template, want string }{
		{"a\n", "a"},
		{"a\n\n", "a\n"},
		{"{% if true %}\nx\n{% endif %}\ny", "x\ny"},
		{"  {% if true %}  x{% endif %}", "  x"},
		{"a {% if true %}x{% endif %}", "a x"},
		{"  {%+ if true %}x{% endif %}", "  x"},
		{"{% if true +%}\nx{% endif %}", "\nx"},
		{"a \n {%- if true -%} \n x \n {%- endif -%} \n b", "axb"},
		{"a {{- 'x' -}} b", "axb"},
		{"{{ 'x' }}\ny", "x\ny"},
		{"a{# c #}\nb", "ab"},
		{"  {# c #}\nb", "b"},
		{"a {#- c -#} b", "ab"},
		{"{% set x = 1 %}{% if x == 1 %}{% set x = 2 %}{% endif %}{{ x }}", "2"},
		{"{% set x = 1 %}{% for i in range(3) %}{% set x = i %}{% endfor %}{{ x }}", "1"},
		{"{% set ns = namespace(n=0) %}{% for i in range(5) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "10"},
		{"{% for i in range(5, 0, -2) %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}", "5,3,1"},
		{"{% for i in [1,2,3,4] if i % 2 == 0 %}{{ loop.index }}:{{ i }} {% endfor %}", "1:2 2:4 "},
		{"{% for i in [] %}x{% else %}none{% endfor %}", "none"},
		{"{% for k, v in {'a': 1, 'b': 'z'}.items() %}{{ k }}={{ v }};{% endfor %}", "a=1;b=z;"},
		{"{{ messages[-1].content }}|{{ messages[:1][0].role }}|{{ messages | length }}|{{ messages[7] is defined }}", "Bye|user|3|False"},
		{"{{ messages[5:] | length }}{{ 'abcdef'[1:-1] }}{{ 'abc'[-1] }}", "0bcdec"},
		{"{{ '' or 'fallback' }}|{{ 'a' and 'b' }}|{{ none or false }}|{{ undefined_name }}|{{ true }}", "fallback|b|False||True"},
		{"{{ messages and messages[0].role == 'user' }}|{{ not undefined_name }}", "True|True"},
		{"{{ undefined_name and undefined_name.x.y }}", ""},
		{"{{ 'yes' if messages|length > 2 else 'no' }}{{ 'x' if false }}", "yes"},
		{"{% set a = 'p' if false else 'q' %}{{ a }}", "q"},
		{"{{ ' a b '.strip() }}|{{ '\\n a\\n'.strip() }}|{{ 'xxax'.lstrip('x') }}|{{ 'a,b,c'.split(',')[1] }}|{{ ' a  b\\n'.split() | length }}", "a b|a|ax|b|2"},
		{"{{ 'a</think>b'.split('</think>')[-1].lstrip('\\n') }}", "b"},
		{"{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith('x') }}{{ 'abc'.upper() }}{{ 'aXb'.replace('X', '--') }}", "TrueFalseABCa--b"},
		{"{{ ['a', 'b'] | join(', ') }}|{{ '-'.join(['x', 'y']) }}|{{ ' t\\n' | trim }}|{{ 'ab' | upper }}|{{ undefined_name | default('d') }}", "a, b|x-y|t|AB|d"},
		{"{{ 1 + 2 }}{{ 7 // 2 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 'a' ~ 1 }}", "33-42a1"},
		{"{{ 'b' in 'abc' }}{{ 'role' in messages[0] }}{{ 2 in [1, 2] }}{{ 'x' not in 'abc' }}", "TrueTrueTrueTrue"},
		{"{{ messages[0] | tojson }}", `{"role": "user", "content": "Hi"}`},
		{"{{ {'é': [1, true, none, 'a\"\\n']} | tojson }}", `{"é": [1, true, null, "a\"\n"]}`},
		{"{{ \"it's\" }}{{ 'say \\'x\\'' }}{{ 'back\\\\slash' }}{{ '\\u00e9' }}{{ 'q\"q' }}", `it'ssay 'x'back\slashéq"q`},
		{"{{\n 'a'\n ~\n 'b'\n}}", "ab"},
		{"{% generation %}x{% endgeneration %}", "x"},
		{"{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}", "21"},
		{"{{ messages[0].role is string }}{{ messages is mapping }}{{ none is none }}{{ 3 is odd }}{{ x is not defined }}", "TrueFalseTrueTrueTrue"},
		{"100% {sure} }} %}", "100% {sure} }} %}"},
		{"{{ none }}|{{ nothing }}|{{ none is defined }}", "None||True"},
		{"{{ strftime_now('%Y-%m-%d') | length }}{{ strftime_now is defined }}", "10False"},
		{"{{ 'x'|int(5) }}{{ ' 7 '|int(5) }}{{ 1 in [1.0] }}", "57True"},
		{"{{ tools is none }}{{ documents is none }}", "TrueTrue"},
		{"{{ bos_token }}{{ eos_token }}", "<s></s>"},
	} {
		got, err := withTemplate(t, c.template).RenderChat(twoTurns, false)
		if err != nil || got != c.want {
			t.Errorf("%s\n err %v\n got %q\nwant %q", c.template, err, got, c.want)
		}
	}
}

func TestTemplateErrors(t *testing.T) {
	deep := strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100)
	for _, c := range []struct{ template, say string }{
		{"{{ raise_exception('roles must\nalternate') }}", "chat template refused the messages: roles must alternate"},
		{"{% include '/etc/passwd' %}", "include"},
		{"{% import 'x' as y %}", "import"},
		{"{% extends '/etc/passwd' %}", "extends"},
		{"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "macros nest deeper"},
		{"{% macro f(x) %}{{ x }}{{ f(x) if x != f(x) }}{% endmacro %}{{ f('a') }}", "chat template"},
		{"{% block a %}{% endblock %}", "block"},
		{"{% raw %}{{ x }}{% endraw %}", "raw"},
		{"{{ x", "not closed"},
		{"{% if true %}", "endif"},
		{"{% if true %}{% else %}{% else %}{% endif %}", "else"},
		{"{{ 'abc }}", "not closed"},
		{"{# x", "comment"},
		{"{{ ) }}", "unexpected"},
		{"{{ (] }}", "unexpected"},
		{"{{ 1 +\n\n * 2 }}", `line 3: unexpected "*"`},
		{"a\n{{ 2 ** 99999 }}", "line 2: an integer beyond"},
		{"{{ 999999999999999999999 }}", "too large"},
		{"{{ x.y }}", "undefined"},
		{"{{ lipsum(n=1000) }}", "supported: namespace"},
		{"{{ 'a'.format(1) }}", "supported: strip"},
		{"{{ 'a' | urlize }}", "supported: abs"},
		{"{{ 'a' is filter }}", "supported: defined"},
		{"{% call f() %}{% endcall %}", "supported: if"},
		{"{% break %}", "loop"},
		{"{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "does not take"},
		{"{% set a, b = [1] %}", "2 variables"},
		{"{{ messages }}", "tojson"},
		{"{{ messages[9].role }}", `"item 9" is undefined`},
		{"{{ 'a' + 1 }}", "not supported"},
		{"{{ 1 % 0 }}", "zero"},
		{"{% set messages.x = 1 %}", "namespace"},
		{"{{ messages[0].content() }}", "method"},
		{"{{ " + deep + " }}", "deeper"},
		{strings.Repeat("{% if true %}", 100) + strings.Repeat("{% endif %}", 100), "deeper"},
		{"{{ " + strings.Repeat("1+", 600) + "1 }}", "tokens"},
		{strings.Repeat("a", 100_000), "allowed"},
		{"{% for i in range(10000000000) %}{% endfor %}", "range"},
		{"{% for i in range(15000) %}{% for j in range(9) %}x{% endfor %}{% endfor %}", "loops turn"},
		{"{% set n = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}", "bytes"},
		{"{% set n = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set n.s = n.s.replace('x', n.s) %}{% endfor %}", "bytes"},
		{"{% set n = namespace(s=[1]) %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}", "bytes"},
		{"{% set n = namespace(s=[1]) %}{% for i in range(39) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s | tojson }}", "chat template"},
		{"{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s == n.s }}", "comparison"},
		{"{% set n = namespace(s=[1]) %}{% for i in range(38) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s == n.s }}", "loops turn"},

		{"{% set n = namespace() %}{% set n.n = n %}{{ n | tojson }}", "JSON"},
		{"{% set s = 'x' * 1000000000 %}", "bytes"},
		{"{% set s = [1] * 1000000000 %}", "bytes"},
		{"{{ 'x' | indent(1000000000) }}", "width"},
		{"{{ none | length }}", "no length"},
		{"{{ nothing | int }}", "undefined"},
		{"{% for i in range(2000) %}{{ '" + strings.Repeat("x", 50000) + "' }}{% endfor %}", "writes more"},
	} {
		short := c.template
		if len(short) > 80 {
			short = short[:80] + "..."
		}
		start := time.Now()
		out, err := withTemplate(t, c.template).RenderChat(twoTurns, false)
		took := time.Since(start)
		if took > 10*time.Second {
			t.Errorf("%s took %v", short, took)
		}
		var te *tokenizer.TemplateError
		if !errors.As(err, &te) {
			t.Errorf("%s: %q, %v; want a TemplateError", short, out, err)
			continue
		}
		if s := err.Error(); strings.ContainsAny(s, "\n\r") || !strings.Contains(s, c.say) || len(s) > 600 {
			t.Errorf("%s: the error is %q; it must be one line with %q", short, s, c.say)
		}
		if te.Raised != strings.Contains(c.template, "raise_exception") {
			t.Errorf("%s: Raised is %v", short, te.Raised)
		}
	}
}

func TestRolesMustAlternate(t *testing.T) {
	_, err := withTemplate(t, llama2).RenderChat([]tokenizer.Message{{Role: "user", Content: "a"}, {Role: "user", Content: "b"}}, true)
	var te *tokenizer.TemplateError
	if !errors.As(err, &te) || !te.Raised || te.Message != "Conversation roles must alternate user/assistant/user/assistant/..." {
		t.Errorf("%v", err)
	}
}

func TestTemplateSources(t *testing.T) {
	named := []map[string]string{{"name": "tool_use", "template": "tool"}, {"name": "default", "template": "named {{ messages[0].content }}"}}
	if got, err := withTemplate(t, named).RenderChat(oneTurn, false); err != nil || got != "named Hi there" {
		t.Errorf("named templates: %q %v", got, err)
	}
	tok := loadFixture(t, "gpt2")
	if tok.HasChatTemplate() {
		t.Error("a fixture without a template says that it has one")
	}
	if _, err := tok.RenderChat(oneTurn, false); !errors.Is(err, tokenizer.ErrNoChatTemplate) {
		t.Errorf("%v; want ErrNoChatTemplate", err)
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "gpt2", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	tok, err = tokenizer.Load(fstest.MapFS{
		"tokenizer.json":        {Data: raw},
		"tokenizer_config.json": {Data: []byte(`{"chat_template": "config"}`)},
		"chat_template.jinja":   {Data: []byte("file {{ bos_token }}")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tok.RenderChat(oneTurn, false); err != nil || got != "file <|endoftext|>" || !tok.HasChatTemplate() {
		t.Errorf("chat_template.jinja: %q %v", got, err)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{chatML, qwen2, qwen25, llama2, llama3, llama32, zephyr, "{{ a.b[1:2]|trim }}", "{% for a, b in c %}{% else %}{% endfor %}", "{{ x is", "{% set a.b = [1, {'c': (2,)}] %}", "{{ not - 1 in }}", "{{- -}}", "{% macro f(a, b=1) %}{{ f(a[::-1]) }}{% endmacro %}{{ f(messages) }}", "{% set x %}{% for m in messages|selectattr('role', 'eq', 'user')|map(attribute='a') %}{% break %}{% endfor %}{% endset %}", "{{ {1: 2 ** 3, 'a': [1] * 2}|dictsort|tojson(indent=2) }}"} {
		f.Add(s)
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "gpt2", "tokenizer.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, template string) {
		tok, err := tokenizer.Load(fstest.MapFS{"tokenizer.json": {Data: raw}, "chat_template.jinja": {Data: []byte(template)}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := tok.RenderChat(twoTurns, true)
		if err != nil && (out != "" || strings.ContainsAny(err.Error(), "\n\r")) {
			t.Errorf("%q with the error %q", out, err)
		}
	})
}
