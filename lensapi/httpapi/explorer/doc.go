// Package explorer is the page of the Explorer: chat with a model, click a token, watch the layers arrive. It is plain HTML, CSS and JavaScript modules, embedded
// as they are written; nothing is built, and nothing is fetched from elsewhere.
//
// The page knows the server only by its API under /api. Each module of page says at its top what it is for; state.js is where to begin.
//
// # Concurrency
//
// A handler may be used by any number of requests.
package explorer
