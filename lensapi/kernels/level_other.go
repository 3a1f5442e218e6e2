//go:build !amd64

package kernels

func available() level { return portable }
