// Package client is a Jupyter client: it connects to a kernel's five channels,
// runs code and collects what comes of it.
//
// Dial returns when outputs cannot be lost any more: a subscription takes effect
// some time after the connection, so it waits until the kernel's own messages
// arrive on iopub.
//
// # Concurrency
//
// A Client is safe for concurrent use. The kernel answers requests on the shell
// channel one after the other; Interrupt and Shutdown go over control and do not
// wait for a running cell. Output callbacks run in the goroutine of the call
// they belong to; a slow callback holds up nobody else.
//
// # Errors
//
// A call fails with the context's error, with ErrClosed once the connection is
// gone, or with a *ReplyError when the kernel refuses the request. A cell that
// fails is not an error of Execute: its reply says so.
//
// What it leaves to others: starting the kernel, and answering its requests for
// input (Execute says that there is none to be had).
package client
