// Package forward runs a model: sequences with a key/value cache, hooks, the residual stream copied out, logits and
// sampling.
//
// # Shapes and units
//
// T is the positions fed in one call; positions count from 0 over the whole sequence. Residual rows are named as
// Model.Rows says: embed, 0_post, ..., N-1_post. Logits are natural, before any temperature.
//
// # Concurrency
//
// A Runner is safe for concurrent use and keeps compiled programs for reuse. A Session and a Sampler belong to one
// goroutine at a time; any number of sessions may run at once. They take turns in the order in which they came, and a long prompt takes many
// turns. Lens and Read take none, so a hook may call them in the midst of a turn; they share the processors with those who have one. Forks, and sessions that Resume gives, share keys and values that nobody changes. No goroutine outlives a call
// by more than the fraction of a millisecond for which those of package kernels look for more work.
//
// # Errors
//
// ErrEmpty, *ContextError and *TokenError for ids that cannot be fed; a site that does not exist, an error of a hook
// and a cancelled context name the place. After any error a session is as it was before the call.
//
// # Bits
//
// Rows do not depend on how a sequence was split into calls, on other sessions or on the number of threads (see
// package kernels). What they do depend on besides model and ids is named by Numerics.
//
// The package leaves building graphs to package model, and other lenses and statistics to its callers.
package forward
