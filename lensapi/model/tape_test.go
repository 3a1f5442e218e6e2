package model

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// TestInline: the pinned Gorgonia runs on the calling goroutine, and gives what RunAll gives.
func TestInline(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(1, 2), gorgonia.WithName("x"))
	y := gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.HadamardProd(x, x)), x))
	var out gorgonia.Value
	gorgonia.Read(y, &out)
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	run, ok := inline(vm)
	if !ok {
		t.Fatal("this version of Gorgonia keeps its instructions elsewhere: every run moves between threads")
	}
	for i, f := range []func() error{run, vm.RunAll, run, run} {
		in := []float32{float32(i), 3}
		if err := gorgonia.Let(x, tensor.New(tensor.WithShape(1, 2), tensor.WithBacking(in))); err != nil {
			t.Fatal(err)
		}
		if err := f(); err != nil {
			t.Fatal(err)
		}
		vm.Reset()
		if got := out.Data().([]float32); got[0] != float32(i*i+i) || got[1] != 12 {
			t.Errorf("run %d: %v", i, got)
		}
	}
}
