// Package magic adds commands to an Evaluator: lines of a cell that start with
// a percent sign, an exclamation mark or a dollar sign, and whole cells whose first
// line starts with two percent signs. %help lists them.
//
//	%cd notebooks
//	!ls -l
//	%time total := sum(1_000_000)
//
//	strings.Cut?
//
//	%%writefile hello.txt
//	everything below the first line
//
// # Which lines are commands
//
// A line is a command if it starts where a statement of Go could start, outside
// of brackets, raw strings and comments. No statement of Go starts with % or $.
// One that starts with ! is Go if it reads as an expression of names that the
// session or the cell knows, and a command otherwise. To keep a cell valid Go,
// commands with a percent sign may stand behind two slashes: //%cd notebooks. A
// name with a question mark before or behind it asks what it is; two ask for its
// source too.
//
// Commands split a cell: what stands before one runs before it, then the command,
// then the rest; the first error ends the cell. Lines keep their numbers. Only
// the last part displays its value.
//
// # Concurrency
//
// As the Evaluator it wraps. The current folder and the environment, which %cd
// and %env change, are the process's.
//
// # Errors
//
// A command that fails is an *kernel.EvalError, as code that fails is. A
// shell command that ends with another exit status than 0 fails.
//
// What it leaves to others: the language, and commands that know models or
// caches (Command lets a program add them).
package magic
