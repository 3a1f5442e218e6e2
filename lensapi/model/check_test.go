package model

import (
	"strings"
	"testing"
)

// The self-check must be able to fail: these are what a wrong graph would show it.
func TestChecks(t *testing.T) {
	pattern := func(data ...float32) error {
		return checkPattern(Activation{Shape: []int{2, 1, 2}, Data: data})
	}
	if err := pattern(1, 0, 0.25, 0.75); err != nil {
		t.Error(err)
	}
	for want, err := range map[string]error{
		"position 0 gives weight 0.5 to position 1": pattern(0.5, 0.5, 0.25, 0.75),
		"weights of position 1 sum to 0.75":         pattern(1, 0, 0.25, 0.5),
		"position 1 gives weight -0.5":              pattern(1, 0, -0.5, 1.5),
		"value 1 is 5, but":                         checkSum([]float32{3, 5}, []float32{1, 1}, []float32{2, 3}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
	if err := checkSum([]float32{3, 4, 0}, []float32{1, 1, 0}, []float32{2, 3, 0}); err != nil {
		t.Error(err)
	}
}
