// Command asm writes the assembly of package kernels: `go generate` there runs it, and its test fails when what it
// writes is not what is committed.
//
// One source file here makes one pair of files there, NAME_amd64.s and NAME_gen_amd64.go with the declarations of its
// functions. What the functions promise is said there, and by the portable Go beside them: every one has a twin
// with the same bits.
//
// # Errors
//
// A program that avo refuses is an error; nothing is written then.
package main
