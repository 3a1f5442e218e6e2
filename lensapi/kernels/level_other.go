//go:build !amd64

package kernels

func available() level { return portable }

// pause has no instruction of its own here.
func pause(int) {}
