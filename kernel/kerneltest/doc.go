// Package kerneltest runs a kernel inside a test, in the spirit of
// net/http/httptest: on real sockets, with a real client.
//
// Only tests import it.
package kerneltest
