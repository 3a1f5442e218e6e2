// Package notebook reads, runs, writes and shows Jupyter notebooks (nbformat 4).
//
// [Read] turns an .ipynb file into typed cells and outputs, [Notebook.Write] writes them back the way Jupyter does, [Notebook.Run] executes
// the code cells through an [Executor], and [Notebook.HTML] makes one self-contained page.
//
// # Shapes and units
//
// Cells are counted from 1 among the code cells where people read the number (progress, errors) and from 0 over all cells where it is an
// index; both are named so. Sizes are bytes, lines count from 1. What the package does not understand is kept: unknown members of the file,
// of a cell, of an output and of metadata survive a round trip with their values and their order.
//
// # Trust
//
// A page made by [Notebook.HTML] never makes a network request and by default runs nothing that came out of the notebook. Raw HTML in
// Markdown is reduced to a few harmless tags without attributes, the rest is shown as text. A text/html output is put into the page only if
// it passes a strict grammar (known tags, known attributes, balanced, no URLs but inline images): lens tables do. Anything else goes into
// an <iframe sandbox> in which no script runs. A content security policy repeats all this for the browser. [HTMLOptions].Trusted lifts it for
// notebooks one has just run oneself; the policy then still forbids the network.
//
// # Concurrency
//
// A *Notebook belongs to one goroutine at a time. During Run an Executor may report outputs from another goroutine, but one at a time.
//
// # Errors
//
// Read says where in the file the trouble is (cells[3].outputs[0]: ...). Run returns a [*CellError] for a cell that failed.
//
// The package speaks no protocol and knows no kernel: starting one and turning its messages into outputs is left to the Executor, with
// [FromMessage] as help.
package notebook
