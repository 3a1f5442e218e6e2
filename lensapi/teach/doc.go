// Package teach embeds gopherlens's default model, so that a lens can be shown with nothing downloaded.
//
// FS is a checkpoint folder in Hugging Face layout: config.json, model.safetensors, tokenizer.json,
// tokenizer_config.json and PROVENANCE.json. It is loaded by the same code as any folder on disk.
//
// # What it is
//
// A GPT-2 of 6 layers, d_model 96, 4 heads of 24, d_mlp 384, gelu_new, learned positions for 256 tokens, an untied
// head and a byte-level BPE vocabulary of 1,020: 891,648 parameters, float32. It is small enough to run anywhere, and
// it was trained so that its layers have something to show: facts are read out over several layers, copying and
// agreement appear as circuits.
//
// # What it knows
//
//   - Facts: capital, currency, language and continent of 42 countries ("The capital of France is"), and the city and
//     country of 8 landmarks ("The Eiffel Tower is in the city of").
//   - Induction: lists that repeat ("Repeat: kiwi drum park kiwi drum").
//   - Indirect objects: "When Mary and John went to the shop, John gave a book to".
//   - Agreement: "The keys near the cabinet" is followed by a plural verb; and he/she, his/her after 28 names.
//   - Chat: "What is the capital of France?", "And its currency?", "And Peru?", "My name is Mary.", "What is my name?".
//
// Everything else (other words, other languages, arithmetic, the open world) it does not know, though byte-level tokens
// let any text in. No training row was longer than 128 tokens: keep a chat under about 110 tokens; beyond that it forgets
// its beginning although the context is 256.
//
// # Licence and provenance
//
// The weights were trained by the project from scratch on a synthetic world of the project's own and are shipped under the
// licence of the project. PROVENANCE.json beside them says how they were made and checked. testdata/golden.json is a
// float64 reference of this model (ids, logit-lens top ten of every row and position, residual norms) made by an
// independent NumPy program; other packages' tests may read it.
//
// # Concurrency
//
// FS may be used by any number of goroutines; its files are read-only and implement io.ReaderAt and io.Seeker.
package teach
