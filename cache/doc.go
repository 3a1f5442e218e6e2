// Package cache keeps conversations on disk: their tokens, the lens records shown for each token, and the
// residual stream rows from which any other lens can be computed.
//
// Three classes of data are treated differently. Tokens, events and lens records are exact, held in memory for
// every open conversation and appended to a checksummed log with the token. Residual rows are large and can be
// recomputed; they live in immutable blocks of 16 tokens, named by a hash of everything they depend on, so that
// conversations with a common beginning share them. Memory above the blocks is a hint only: a block that was
// refused or evicted is read again, and one that is missing or damaged is recomputed.
//
// An append returns when tokens and rows are in the logs of the conversation. Blocks that are complete are compressed
// and written in the background; until then, and after a process that died before, their rows are read from the log.
//
// What is added is in memory first and then written, so a disk that is full, read-only, missing or slow does not stop
// a conversation: it goes on in memory, [Store.Status] says why and how much is not saved, and writing resumes by
// itself. Nothing is ever written over what another process has put there meanwhile.
//
// # Shapes and units
//
// Residual rows are float32 slices of shape [tokens, rows, d_model], row-major, where rows counts the places of the
// residual stream (embed, 0_post, ...). They are stored as float16; a vector that does not fit is stored as float32.
// What [Conversation.Rows] returns are the stored values, so they are the same bits whether a row comes from the
// tail, from memory, from disk or from a recomputation. Sizes are bytes. Positions count from 0.
//
// # Concurrency
//
// A [Store] and its conversations may be used from any number of goroutines. Readers do not wait for writers. One
// process writes to a conversation at a time: the first Append or AddEvent takes its lock, which the process keeps
// until [Store.Close]; others may read it meanwhile. [Store.Close] waits for calls in progress, so it must not be
// called from a [Recompute] function.
//
// # Errors
//
// Errors are one line and name the file or folder and the cause. Damage found on disk is a [CorruptError]; it is
// repaired where that loses nothing (a torn last frame is cut, a bad block is moved aside and recomputed) and told in
// [Store.Status]. Sentinels such as [ErrNotFound] and [ErrLocked] are for callers that must branch.
//
// # Left to others
//
// The package does not know models, tokenizers or lens records; they are numbers and bytes here. FORMAT.md
// describes the files.
package cache
