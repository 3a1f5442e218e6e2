// Package tokenizer turns text into token ids and back exactly as a Hugging Face checkpoint's tokenizer.json says, and
// renders its chat template.
//
// Load reads a folder: tokenizer.json (required), and tokenizer_config.json, special_tokens_map.json,
// generation_config.json and chat_template.jinja where they are. The model must be BPE. Supported around it is what the
// GPT-2, Llama 2, Llama 3, Qwen and GPT-NeoX files use; every part is listed in the error for one that is not. A file
// that asks for anything else that could change the ids is refused by name: nothing is ignored silently.
//
// # Shapes and units
//
// Ids are ints in [0, Size). Encode adds neither BOS nor EOS: what the checkpoint would prepend is told by BOS and
// AddsBOS, so that a caller can show it. Bytes(id) are the bytes one token stands for; the concatenation over the ids of
// a text is that text wherever the normalizer changes nothing (a sentencepiece-style tokenizer puts one space before it).
// Text is UTF-8; Encode refuses anything else, because the reference implementation cannot be given it and every
// replacement would be an invention. Likewise a character that the vocabulary cannot express is an error here, where the
// reference drops it silently when there is no unknown token.
//
// # Concurrency
//
// A Tokenizer is read-only after Load and may be used by any number of goroutines.
//
// # Errors
//
// Errors are one line and say what is allowed. ErrNoChatTemplate and *TemplateError can be branched on.
//
// # Chat templates
//
// A template is a program from the checkpoint's author and is not trusted. It is Jinja without include, import, extends
// and block, which read files; its length, nesting, loop iterations, values and output are bounded, and there is a
// deadline. It sees what transformers gives it (blocks trimmed, tools and documents None), and renders the same bytes as
// Jinja 3.1 on published templates and random expressions (testdata/make_chat.py). One thing differs: a template that asks
// whether strftime_now is defined is told no, so that a chat is not another prompt each day; one that calls it without
// asking gets today's date.
//
// What this package leaves to others: whether to prepend BOS, where a turn's tokens begin and end, and how a token is
// shown on a screen.
package tokenizer
