// Package kernel speaks the Jupyter messaging protocol, version 5.5, in front of
// an Evaluator that runs the cells.
//
// # Values
//
// A value becomes a MIME bundle that always holds text/plain:
//
//   - a value with a method MIMEBundle() map[string]any displays itself; data is
//     a string, a []byte (sent as base64) or anything encoding/json can write.
//     An optional MIMEMetadata() map[string]any goes beside it. Both use built-in
//     types only, so a library displays itself without importing this package;
//   - a value with a method HTML, Markdown, Latex, SVG, JavaScript (all of type
//     func() string), JSON (func() map[string]any), PNG, JPEG or PDF (func()
//     []byte) is shown as that;
//   - a value that can draw itself as gonum's *plot.Plot does, with a method
//     WriterTo of two lengths and a format, is an image;
//   - a list or map of structs or of pointers to them is a table, and so is a list
//     of maps by name, and a matrix of gonum's, with its shape; as HTML and as text,
//     cut with a count of what is left out;
//   - an image.Image, and a []byte that starts as a PNG, JPEG, GIF or PDF file, is
//     an image (or the document);
//   - an error and a fmt.Stringer show their text;
//   - a struct shows the names and values of its fields, a function its type;
//   - everything else is formatted as fmt's %v does, the first 500 elements of a
//     list or map.
//
// Methods of the pointer count where a struct stands in a variable, but for
// Error and String of types of cells, which fmt does not call there either.
//
// A panic in one of those methods is caught and shown in the value's place.
//
// # Concurrency
//
// A Kernel owns its goroutines: Run returns when all of them have ended. Each
// shell runs one cell at a time, in a goroutine of its own; requests on the
// control channel, and on the shell channel for another shell, are answered
// while it runs.
// Interrupt, Connection, RegisterComm and a Comm may be used from any goroutine.
//
// # Errors
//
// New reports a wrong configuration or an address that cannot be bound. After
// that no message from outside ends the kernel: a message that cannot be
// authenticated or parsed is dropped and logged, a request whose content is
// wrong gets an error reply.
//
// The order of messages that clients may rely on is in PROTOCOL.md. What the
// package leaves to others: running code (Evaluator), signals, command lines and
// connection files on disk (the command), installing (kernelspec).
package kernel
