package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Sizes of package kernels: see int8.go there.
const (
	groupInputs  = 64
	groupWeights = groupInputs*panel + 4*panel // bytes of a panel
	groupRow     = groupInputs + 8             // bytes of a row
)

// int8Tiles lists the shapes of a level, as tiles does: each output takes two registers.
func int8Tiles(level string) [][2]int {
	if level == "AVX2" {
		return [][2]int{{1, 2}, {1, 1}, {2, 1}}
	}
	return [][2]int{{1, 4}, {1, 2}, {2, 2}, {3, 2}, {4, 2}, {5, 2}, {6, 2}}
}

func gemmInt8(level string) func(c *build.Context) {
	return func(c *build.Context) {
		for _, s := range int8Tiles(level) {
			int8Tile{tile{level: level, format: "Int8", rows: s[0], panels: s[1]}}.write(c)
		}
	}
}

// int8Tile is a tile of 8-bit weights by 8-bit inputs; k counts groups of inputs. In a group the products are added as integers, which is exact.
type int8Tile struct{ tile }

func (t int8Tile) write(c *build.Context) {
	t.declare(c)
	k := c.Load(c.Param("k"), c.GP64()).(reg.GPVirtual)
	lda := c.Load(c.Param("lda"), c.GP64()).(reg.GPVirtual)
	bs := c.Load(c.Param("bs"), c.GP64()).(reg.GPVirtual)
	c.SHLQ(operand.Imm(2), lda)
	a := bases(c, c.Load(c.Param("a"), c.GP64()).(reg.GPVirtual), lda, t.rows)
	b := bases(c, c.Load(c.Param("b"), c.GP64()).(reg.GPVirtual), bs, t.panels)
	sum := t.registers(c)
	t.start(c, sum)
	var ones, sign reg.VecVirtual
	if t.level == "AVX2" {
		ones, sign = c.YMM(), c.YMM()
		c.VPCMPEQW(ones, ones, ones)
		c.VPSLLW(operand.Imm(7), ones, sign)
		c.VPACKSSWB(sign, sign, sign) // 0x80 in every byte
		c.VPSRLW(operand.Imm(15), ones, ones)
	}
	c.Label("group")
	dot := t.registers(c)
	input := func(r, at int) operand.Mem { return strided(a, lda, r, at) }
	weight := func(j, quad int) operand.Mem {
		per := panel / t.lanes()
		return strided(b, bs, j/per, quad*4*panel+j%per*4*t.lanes())
	}
	for r := range dot {
		for _, d := range dot[r] {
			if t.level == "AVX2" {
				c.VPXOR(d, d, d)
			} else {
				c.VPBROADCASTD(input(r, groupInputs+4), d)
			}
		}
	}
	for quad := range groupInputs / 4 {
		if t.level == "AVX2" {
			t.quadAVX2(c, dot, input, weight, quad, ones, sign)
			continue
		}
		for j := range dot[0] {
			w := c.ZMM()
			c.VMOVDQU32(weight(j, quad), w)
			for r := range dot {
				c.VPDPBUSD_BCST(input(r, 4*quad), w, dot[r][j])
			}
		}
	}
	for r := range dot {
		scale := t.vector(c)
		c.VBROADCASTSS(input(r, groupInputs), scale)
		for j, d := range dot[r] {
			c.VCVTDQ2PS(d, d)
			c.VMULPS(scale, d, d)
			c.VFMADD231PS(weight(j, groupInputs/4), d, sum[r][j])
		}
	}
	for _, p := range a {
		c.ADDQ(operand.Imm(groupRow), p)
	}
	for _, p := range b {
		c.ADDQ(operand.U32(groupWeights), p)
	}
	c.DECQ(k)
	c.JNZ(operand.LabelRef("group"))
	t.finish(c, sum)
	c.VZEROUPPER()
	c.RET()
}

// quadAVX2 adds four products to each of eight outputs. Weights lose their offset. The unsigned operand of the multiplication is
// the input's magnitude, so the pairs it adds stay within 2*127*127 and are not clipped.
func (t int8Tile) quadAVX2(c *build.Context, dot [][]reg.VecVirtual, input, weight func(i, at int) operand.Mem, quad int, ones, sign reg.VecVirtual) {
	xs, magnitudes := make([]reg.VecVirtual, t.rows), make([]reg.VecVirtual, t.rows)
	for r := range xs {
		xs[r], magnitudes[r] = c.YMM(), c.YMM()
		c.VPBROADCASTD(input(r, 4*quad), xs[r])
		c.VPABSB(xs[r], magnitudes[r])
	}
	for j := range dot[0] {
		w := c.YMM()
		c.VPXOR(weight(j, quad), sign, w)
		for r := range dot {
			p := c.YMM()
			c.VPSIGNB(xs[r], w, p)
			c.VPMADDUBSW(p, magnitudes[r], p)
			c.VPMADDWD(p, ones, p)
			c.VPADDD(p, dot[r][j], dot[r][j])
		}
	}
}
