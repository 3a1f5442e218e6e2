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
// No table can hold generic functions and types. They become part of the kernel
// as source, which is interpreted, with what they use of their package's
// unexported functions, types and constants, while all else stays compiled. Left
// out, with a note, is what needs an unexported variable, a type that compiled
// code uses too, or an unexported field or method of such a type: of these there
// must not be two. Functions whose signature names an instance of a generic type
// come with it. Other instances that compiled code makes, in fields for
// instance, are other types than those of cells.
//
// The new binary is asked to import each package (its command packages --check)
// before it gets its name. If it cannot because of a package's generic code, it
// is built again without that.
//
// # Errors
//
// One line that names the module or the package: no go command, no source, a
// version that does not exist, a package that needs cgo or does not compile, a
// path that is taken. Of a module's packages, those that cannot be compiled are
// left out with a note; if one was asked for by its own path, or none is left,
// it is an error.
//
// A kernel built by a built kernel has what is named, not what its builder had.
// The replace directives of a local module do not count, as in any other use.
//
// What it leaves to others: flags, and installing the binary.
package extend
