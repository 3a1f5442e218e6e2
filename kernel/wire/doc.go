// Package wire carries Jupyter messages: connection files, the signed multipart
// framing, typed headers and contents, and ZeroMQ sockets that survive hostile
// peers.
//
// # Transport
//
// Sockets are built on the connection layer of go-zeromq/zmq4 (one zmq4.Conn
// per peer), not on its sockets: each peer is accepted, shakes hands under a
// deadline, reads and writes in goroutines of its own, so one that is silent,
// stalled or malformed affects nobody else. Frame lengths are checked before
// anything is allocated, and large frames are allocated as their bytes arrive.
//
// Router answers the peer a message came from. Publisher fans out to
// subscribers through byte-bounded queues: streams are dropped first and the
// loss is announced, a peer that still does not keep up is disconnected. Echo is
// the heartbeat.
//
// # Units
//
// Sizes are bytes. Time-outs are time.Duration.
//
// # Concurrency
//
// A Codec, a Router, a Publisher and an Echo are safe for concurrent use. A
// Peer may be read by one goroutine and written by others.
//
// # Errors
//
// Decode errors wrap ErrSignature, ErrReplay or ErrFormat. Nothing panics on
// any input.
//
// What it leaves to others: what messages mean (package kernel).
package wire
