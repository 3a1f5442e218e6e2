// Package console is a terminal client for a kernel: it edits cells, runs them and
// prints what comes of them.
//
// On a terminal it edits lines with history and completion (Tab), goes on
// reading while a cell is not finished, asks what cells ask, and interrupts the
// running cell on Ctrl-C. Without one it reads cells from a pipe, so that
// consoles can be scripted. Pictures go to the terminal where it says that it
// shows them (kitty's protocol by its name, sixels by its answer to the question
// for its attributes) and to a file that is named otherwise.
//
// # Concurrency
//
// Run uses the client alone until it returns.
//
// # Errors
//
// Run returns nil at the end of the input, and an error when the connection is
// lost or the terminal fails. A cell that fails is printed.
//
// What it leaves to others: starting the kernel, signals.
package console
