// Package kernelspec tells Jupyter about the kernel: it writes and removes the
// folder with kernel.json and the logos.
//
// # Errors
//
// One line that names the folder or the option. Install replaces an earlier
// installation of ours as a whole or not at all; a folder under the same name
// that is not ours is left alone by Install and Uninstall.
//
// What it leaves to others: flags, and running the kernel.
package kernelspec
