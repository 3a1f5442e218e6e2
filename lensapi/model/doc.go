// Package model binds a checkpoint to an architecture and builds the Gorgonia programs that run it.
//
// Load reads a Hugging Face config.json and a weights.Set for one of the families that README.md lists. Each
// family is one file that lists its configuration, its tensors and its forward pass in the order of the paper.
// NewProgram turns the blocks into a Gorgonia graph of coarse custom operations on a tape machine, NewHead the
// final norm and the unembedding. One compiled program serves every sequence length.
//
// # Shapes and units
//
// T is the positions fed in one run, S all positions so far (those in the cache and the T new ones). Everything is
// row-major float32, one row per position. SITES.md (in the folder above) lists
// every place that can be read or edited, under the names of TransformerLens, with its shape.
//
// # Concurrency
//
// A Model is immutable and safe for concurrent use. A Program, a Head and a Cache belong to one goroutine at a
// time; programs share the model's weights.
//
// # Errors
//
// Load names everything that is wrong at once: each option of config.json that would change the numbers and is
// not supported, each tensor that is missing, unexpected, misshapen or of an unreadable type. It then runs three
// tokens and refuses a model whose attention rows do not sum to one, whose residual stream does not add up or
// whose numbers are not finite. A program whose Run failed must be thrown away.
//
// The package leaves sequences, pooling, hooks of users and sampling to package forward.
package model
