package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// quantize writes the twins of int8Rows.set in package kernels, for whole groups.
func quantize(c *build.Context) {
	for _, level := range []string{"AVX2", "AVX512"} {
		quantizeFor(c, tile{level: level})
	}
}

func quantizeFor(c *build.Context, t tile) {
	function(c, "quantize"+t.level, "func(dst, x *float32, n int)", "quantize"+t.level+" writes n groups of a row of int8Rows; see set.")
	dst, x := c.Load(c.Param("dst"), c.GP64()).(reg.GPVirtual), c.Load(c.Param("x"), c.GP64()).(reg.GPVirtual)
	n := c.Load(c.Param("n"), c.GP64())
	magnitude, most := t.vector(c), c.XMM()
	c.VPCMPEQD(magnitude.AsY(), magnitude.AsY(), magnitude.AsY())
	c.VPSRLD(operand.Imm(1), magnitude.AsY(), magnitude.AsY())
	steps := c.GP32()
	c.MOVL(operand.U32(math.Float32bits(127)), steps)
	c.VMOVD(steps, most)
	if t.level == "AVX512" {
		c.VINSERTI64X4(operand.Imm(1), magnitude.AsY(), magnitude, magnitude)
	}
	regs := groupInputs / t.lanes()

	c.Label("group")
	v := make([]reg.VecVirtual, regs)
	top := t.vector(c)
	for i := range v {
		v[i] = t.vector(c)
		c.VMOVUPS(operand.Mem{Base: x, Disp: 4 * t.lanes() * i}, v[i])
		a := top
		if i > 0 {
			a = t.vector(c)
		}
		t.and(c, magnitude, v[i], a)
		if i > 0 {
			c.VPMAXUD(a, top, top)
		}
	}
	first := t.folded(c, top, func(a, b, d operand.Op) { c.VPMAXUD(a, b, d) })
	bits := c.GP32()
	c.VMOVD(first, bits)
	c.CMPL(bits, operand.U32(0xff<<23))
	c.JAE(operand.LabelRef("infinite"))
	c.CMPL(bits, operand.U32(math.Float32bits(0x1p-100)))
	c.JB(operand.LabelRef("nothing"))

	scale, inverse := c.XMM(), t.vector(c)
	c.VDIVSS(first, most, inverse.AsX())
	c.VDIVSS(most, first, scale)
	c.VBROADCASTSS(inverse.AsX(), inverse)
	sum := t.vector(c)
	for i := range v {
		c.VMULPS(inverse, v[i], v[i])
		c.VCVTPS2DQ(v[i], v[i])
		if i == 0 {
			t.move(c, v[i], sum)
		} else {
			c.VPADDD(v[i], sum, sum)
		}
	}
	t.store(c, v, dst)
	c.VMOVSS(scale, operand.Mem{Base: dst, Disp: groupInputs})
	total := c.GP32()
	c.VMOVD(t.folded(c, sum, func(a, b, d operand.Op) { c.VPADDD(a, b, d) }), total)
	c.NEGL(total)
	c.SHLL(operand.Imm(7), total)
	c.MOVL(total, operand.Mem{Base: dst, Disp: groupInputs + 4})

	c.Label("next")
	c.ADDQ(operand.U32(4*groupInputs), x)
	c.ADDQ(operand.Imm(groupRow), dst)
	c.DECQ(n)
	c.JNZ(operand.LabelRef("group"))
	c.VZEROUPPER()
	c.RET()

	zeros := func(scale uint32) {
		z := c.YMM()
		c.VPXOR(z, z, z)
		c.VMOVDQU(z, operand.Mem{Base: dst})
		c.VMOVDQU(z, operand.Mem{Base: dst, Disp: 32})
		c.MOVL(operand.U32(scale), operand.Mem{Base: dst, Disp: groupInputs})
		c.MOVL(operand.U32(0), operand.Mem{Base: dst, Disp: groupInputs + 4})
		c.JMP(operand.LabelRef("next"))
	}
	c.Label("infinite")
	zeros(0x7fc00000)
	c.Label("nothing")
	zeros(0)
}

func (t tile) and(c *build.Context, a, b, d reg.VecVirtual) {
	if t.level == "AVX2" {
		c.VPAND(a, b, d)
	} else {
		c.VPANDD(a, b, d)
	}
}

func (t tile) move(c *build.Context, a, d reg.VecVirtual) {
	if t.level == "AVX2" {
		c.VMOVDQA(a, d)
	} else {
		c.VMOVDQA32(a, d)
	}
}

// folded combines the lanes of v into the first of the register it returns. It uses v.
func (t tile) folded(c *build.Context, v reg.VecVirtual, op func(a, b, d operand.Op)) reg.Register {
	if t.level == "AVX512" {
		half := c.YMM()
		c.VEXTRACTI64X4(operand.Imm(1), v, half)
		op(half, v.AsY(), v.AsY())
	}
	x := c.XMM()
	c.VEXTRACTI128(operand.Imm(1), v.AsY(), x)
	op(x, v.AsX(), x)
	for _, order := range []uint64{0x4e, 0xb1} {
		swapped := c.XMM()
		c.VPSHUFD(operand.Imm(order), x, swapped)
		op(swapped, x, x)
	}
	return x
}

// store writes the integers of v, each in its own byte.
func (t tile) store(c *build.Context, v []reg.VecVirtual, dst reg.GPVirtual) {
	if t.level == "AVX512" {
		for i := range v {
			c.VPMOVDB(v[i], operand.Mem{Base: dst, Disp: 16 * i})
		}
		return
	}
	// Packing works within halves of a register: [0 1 | 0 1] of four, and so on. The order of words is put right at the end.
	order := c.YMM()
	c.VMOVDQU(c.StaticGlobal("quantizeOrder"), order)
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, from := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		c.AddDatum(4*i, operand.U32(from))
	}
	for i := 0; i < len(v); i += 4 {
		c.VPACKSSDW(v[i+1], v[i], v[i])
		c.VPACKSSDW(v[i+3], v[i+2], v[i+2])
		c.VPACKSSWB(v[i+2], v[i], v[i])
		c.VPERMD(v[i], order, v[i])
		c.VMOVDQU(v[i], operand.Mem{Base: dst, Disp: 8 * i})
	}
}
