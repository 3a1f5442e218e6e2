package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// vec writes code for vectors of one width: 512 bits (AVX-512) or 256 (AVX2).
type vec struct {
	*build.Context
	bits    int
	globals map[string]operand.Mem // constants of the file
	used    []string               // those of this function
	keep    []string               // those to hold in registers
	kept    map[string]reg.VecVirtual
}

// lanes is how many float32 a vector holds.
func (v *vec) lanes() int { return v.bits / 32 }

func (v *vec) reg() reg.VecVirtual {
	if v.bits == 512 {
		return v.ZMM()
	}
	return v.YMM()
}

// half is a register of half the width: what widens to float64.
func (v *vec) half() reg.VecVirtual {
	if v.bits == 512 {
		return v.YMM()
	}
	return v.XMM()
}

func (v *vec) zero() reg.VecVirtual {
	r := v.reg()
	v.VXORPS(r, r, r)
	return r
}

// bits32 and bits64 are vectors of one value: in a register, if v keeps them there, or in memory.
func (v *vec) bits32(x uint32) operand.Op {
	return v.constant(fmt.Sprintf("c32_%08x", x), 16, func(i int) (int, operand.Constant) { return 4 * i, operand.U32(x) })
}

func (v *vec) bits64(x uint64) operand.Op {
	return v.constant(fmt.Sprintf("c64_%016x", x), 8, func(i int) (int, operand.Constant) { return 8 * i, operand.U64(x) })
}

func (v *vec) f32(x float32) operand.Op { return v.bits32(math.Float32bits(x)) }
func (v *vec) f64(x float64) operand.Op { return v.bits64(math.Float64bits(x)) }

func (v *vec) constant(name string, n int, at func(i int) (int, operand.Constant)) operand.Op {
	if r, ok := v.kept[name]; ok {
		return r
	}
	if _, ok := v.globals[name]; !ok {
		v.globals[name] = v.StaticGlobal(name)
		v.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range n {
			offset, x := at(i)
			v.AddDatum(offset, x)
		}
	}
	if !slices.Contains(v.used, name) {
		v.used = append(v.used, name)
	}
	return v.globals[name]
}

// inReg is a constant in a register, where an instruction demands one.
func (v *vec) inReg(op operand.Op) reg.VecVirtual {
	if r, ok := op.(reg.VecVirtual); ok {
		return r
	}
	r := v.reg()
	v.VMOVUPS(op, r)
	return r
}

// broadcast32 and broadcast64 fill a vector with an argument.
func (v *vec) broadcast32(name string) reg.VecVirtual {
	r := v.reg()
	v.VBROADCASTSS(v.param(name), r)
	return r
}

func (v *vec) broadcast64(name string) reg.VecVirtual {
	r := v.reg()
	v.VBROADCASTSD(v.param(name), r)
	return r
}

func (v *vec) param(name string) operand.Mem {
	b, err := v.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// loop is a function over n float32, a positive multiple of 16.
type loop struct {
	name, signature, doc string
	ptrs                 []string // arguments that point to n float32
	// body writes what comes before the loop and returns what writes the work on one vector of float32, at(ptr) of each
	// argument: part 0 alone, or 0 and 1, of 16. It also returns what comes after the loop, or nil.
	body func(v *vec) (step func(at func(ptr string) operand.Mem, part int), end func())
}

// lanes is that of package kernels: the partial sums of a reduction.
const lanes = 16

// maxKept leaves registers for the work.
const maxKept = 20

// write writes the function for both widths, NAME256 and NAME512.
func (l loop) write(c *build.Context, globals map[string]operand.Mem) {
	l.one(&vec{Context: c, bits: 256, globals: globals})
	// Wide vectors are many: constants stay in them. Which there are, the code says when it is written for nobody.
	dry := &vec{Context: build.NewContext(), bits: 512, globals: map[string]operand.Mem{}}
	l.one(dry)
	l.one(&vec{Context: c, bits: 512, globals: globals, keep: dry.used})
}

func (l loop) one(v *vec) {
	name := fmt.Sprint(l.name, v.bits)
	function(v.Context, name, l.signature, name+" "+l.doc)
	base := map[string]reg.GPVirtual{}
	for _, p := range l.ptrs {
		base[p] = v.Load(v.Param(p), v.GP64()).(reg.GPVirtual)
	}
	n := v.Load(v.Param("n"), v.GP64())
	v.kept = map[string]reg.VecVirtual{}
	step, end := l.body(v)
	for _, k := range v.keep[:min(len(v.keep), maxKept)] {
		r := v.reg()
		v.VMOVUPS(v.globals[k], r)
		v.kept[k] = r
	}
	i := v.GP64()
	v.XORQ(i, i)
	v.Label("loop")
	for part := range lanes / v.lanes() {
		step(func(p string) operand.Mem {
			return operand.Mem{Base: base[p], Index: i, Scale: 4, Disp: part * v.bits / 8}
		}, part)
	}
	v.ADDQ(operand.Imm(lanes), i)
	v.CMPQ(i, n)
	v.JLT(operand.LabelRef("loop"))
	if end != nil {
		end()
	}
	v.VZEROUPPER()
	v.RET()
}
