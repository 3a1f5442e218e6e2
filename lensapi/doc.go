// Package lens looks inside transformer language models: load one, chat with it, and see at any token and any layer what it was about to say.
//
// The folder is lensapi, the package clause lens, so that a Go program and a notebook cell read alike:
//
//	import lens "github.com/gopherlens/gopherlens/lensapi" // in a cell: import "lens"
//
//	m, err := lens.Load("teach")
//	grid, err := m.LogitLens(ctx, "The capital of France is", lens.LensOptions{})
//	chat, err := m.NewChat(lens.ChatOptions{ID: "capitals"})
//	reply, err := chat.Say(ctx, "What is the capital of France?")
//	view, err := chat.Click(reply.Start)
//
// It is where the model, the cache and the plots meet; none of those knows the others.
//
// # Shapes and units
//
// Rows of the residual stream are named: embed (what enters block 0), 0_post, ..., N-1_post (what leaves each block). Positions count the tokens that were fed,
// from 0; the lens at position p is about the token at p+1. Ranks count from 1: 1 + the number of tokens with a strictly greater logit. Logarithms are natural,
// entropies and divergences in nats. Nothing is rounded in data, only in display. A token is its id: texts are for people, and two tokens can share one.
//
// # The lens
//
// The variant is always named: see [Variant] for the formulas. [Normed] is the default, and its last row is not recomputed: it is the very output that the
// sampler read. Numbers that are not recorded with each token (other variants, further statistics) are computed from residual rows: [Fresh] ones by running the
// blocks again, exactly, or [Stored] ones from the cache without a forward pass, rounded, which the value and its caption say.
//
// # Beyond the lens
//
// [Model.Track] follows any token through all rows, [Model.Attribute] splits a logit into what layers, heads and neurons add, [Model.Attention] and
// [Model.HeadScores] show where heads look, [Model.Intervene] and [Model.Patch] change a run and measure what follows, [Model.FitTunedLens] fits translators,
// [Model.Search] looks through what the cache holds, [Model.Report] and [Conversation.Report] write what [Model.Verify] can compute again, [Grid.Parquet], [Grid.Zarr] and
// [Model.LogitLensKit] write for other tools. API.md maps other tools' calls to these.
//
// # The cache
//
// Every token is kept with its lens before a caller hears of it, so a click needs no forward pass, today or after a restart. What the lens showed is stored
// exactly; residual rows are stored as float16, which only [Conversation.Residuals] gives out.
//
// # Concurrency
//
// A [Model] is safe for concurrent use. A [Conversation] lets one Say run at a time and any number of readers beside it.
//
// # Errors
//
// Every error is an [*Error]: one line that names what was wrong and what is allowed, and a [Code]. A cancelled context gives [Interrupted] and loses nothing
// that was acknowledged. Bad input changes nothing.
//
// Left to others: the notebook (kernel), drawing (plots), storage (cache), arithmetic (lensapi/forward).
package lens
