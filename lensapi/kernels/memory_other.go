//go:build !linux

package kernels

import "errors"

func mapMemory(int) (data, mapped []byte, err error) { return nil, nil, errors.ErrUnsupported }

func unmapMemory([]byte) {}

func dropMemory([]byte) {}
