// Package httpapi serves the logit lens over HTTP: chat, click any token, watch the layers arrive.
//
//	s, err := httpapi.New(httpapi.Options{Models: []httpapi.Source{{Name: "teach", Load: func() (*lens.Model, error) { return lens.Load("teach") }}}})
//	err = s.Serve(ctx, listener)
//
// HTTP.md shows every endpoint with what it really answers; /api/openapi.json describes them for programs and /api/docs for people. Client calls them from Go.
//
// # Streams
//
// A chat, a click and a patching sweep are answered in one piece, or as they come: as server-sent events (Accept: text/event-stream) or NDJSON
// (application/x-ndjson) with the same events. The model writes while earlier tokens are sent; a slow reader does not hold it up, and what it has not read yet
// waits in the cache, not in memory. A client that goes away ends the work; what was written until then is kept.
//
// # Limits
//
// Runs are let through a few at a time (Options.Slots), some more wait and are told their place, the rest are refused with 429 and Retry-After. Those at work
// take turns, token by token, and leave a processor free: clicks and other reads of the normed lens run no model and wait for nobody. Bodies, tokens, positions per request and all times are bounded.
//
// # Safety
//
// A request is refused when its Host is not one of this server's names, or its Origin another page, so that web pages cannot reach a server on loopback.
// Beyond loopback a token is required. Models are those that were registered; nothing that a request says reaches the file system. Errors are one line with a
// code (the table is in errors.go); causes, which may name files, go to the log.
//
// # Concurrency
//
// A Server may be used by any number of requests. One answer at a time is written in a conversation, with any number of readers beside it.
package httpapi
