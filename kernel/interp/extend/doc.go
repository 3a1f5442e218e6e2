// Package extend builds kernels that have more packages for cells to import:
// Build compiles the command gopherlens again, with the symbol tables of the
// packages of further modules beside those of every kernel.
//
// # How
//
// The go command does the work, on the source of gopherlens: a checkout, or the
// module in the version of the running binary. The requirements are a copy of
// go.mod to which it adds the modules (-modfile), the tables are files that the
// source does not have (-overlay), so the source stays as it is. The tables are
// written by the generator of the committed ones (interp/internal/gen).
// Packages that every kernel has get their tables anew if their module's
// version has changed.
//
// The new binary is asked to import each package (its command packages --check)
// before it gets its name.
//
// # Errors
//
// One line that names the module or the package: no go command, no source, a
// version that does not exist, a package that needs cgo or does not compile, a
// path that is taken. Of a module's packages, those that cannot be compiled are
// left out with a note; if one was asked for by its own path, or none is left,
// it is an error.
//
// What it leaves to others: flags, and installing the binary.
package extend
