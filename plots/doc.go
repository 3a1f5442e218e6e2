// Package plots draws the pictures of the logit lens: a heatmap of rows by
// positions, the layer predictions of one token, lines over rows, matrices of
// attention and heads, the terms of a sum; as PNG, SVG and text.
//
// # Shapes and units
//
// A picture is given as a plain value ([Heatmap], [Predictions], [Lines],
// [Matrix], [Bars]) whose Draw
// checks it and returns a [Figure]. Rows come bottom-up, the embedding first,
// and are drawn bottom-up. Positions count from 0, ranks from 1, entropies and
// divergences are in nats. Sizes are CSS pixels; a PNG holds twice as many
// pixels each way. Token texts are display texts as [Glyphs] makes them.
//
// Wide heatmaps are folded, like text, into bands of as many columns as a
// notebook page shows at full size; nothing is left out. A picture that would
// exceed [MaxPixels] is refused with an error that names a size that fits.
//
// # Concurrency
//
// Every function and method is safe for concurrent use as long as the caller
// does not change the slices it handed over while Draw runs: Draw copies what
// it keeps. Equal input gives equal bytes.
//
// # Errors
//
// Bad input (empty, ragged, NaN, infinite, outside the scale) is reported by
// Draw in one line that names the cell and what is allowed. Nothing panics.
//
// # Fonts
//
// Pictures use Liberation Sans (SIL Open Font License 1.1, embedded through
// gonum/plot). The marks that it lacks (␣ ⏎ ⇥ ∅ ⟨ ⟩) are outlines of our own;
// any other character that it lacks is written as ⟨U+6771⟩ in a PNG and left
// to the viewer's fonts in an SVG.
//
// # Left to others
//
// Computing the numbers, choosing positions, and decoding tokens to bytes
// belong to the caller; metadata and transport belong to the notebook kernel,
// which finds [Figure.MIMEBundle] by its method set.
package plots
