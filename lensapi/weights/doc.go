// Package weights reads safetensors checkpoints: one file or shards with an index.
//
// # Shapes and units
//
// Tensors are dense, row-major and little-endian, as the format prescribes. Offsets and sizes are bytes.
//
// # Concurrency
//
// A Set is safe for concurrent use until Close: nothing is changed after Open. Files of the operating system are mapped where it
// offers that, others are read through io.ReaderAt.
//
// # Errors
//
// Nothing read from a file is trusted: the header length, every offset and every shape are checked against the
// length of the file before memory is allocated. A tensor whose bytes overlap another's, a gap between tensors, a
// name that appears twice and a file shorter or longer than its header says are errors of Open. A mapped file that another program cuts
// short faults when it is read: Float32 and Digest return that as an error, and Guard does so for readers of Stored.
//
// The package leaves the meaning of names and shapes to package model.
package weights
