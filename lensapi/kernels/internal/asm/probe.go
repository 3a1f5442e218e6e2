package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// probe writes what measures the limits of the machine.
func probe(c *build.Context) {
	for _, level := range []string{"AVX2", "AVX512"} {
		vector := tile{level: level}.vector
		function(c, "fma"+level, "func(n int)", "fma"+level+" runs n turns of 12 independent fused multiply-adds of the level's vectors.")
		n := c.Load(c.Param("n"), c.GP64())
		x := vector(c)
		c.VPXOR(x.AsX(), x.AsX(), x.AsX())
		c.VBROADCASTSS(x.AsX(), x)
		sums := make([]reg.VecVirtual, 12)
		for i := range sums {
			sums[i] = vector(c)
			c.VBROADCASTSS(x.AsX(), sums[i])
		}
		c.Label("turn")
		for _, s := range sums {
			c.VFMADD231PS(x, x, s)
		}
		c.DECQ(n)
		c.JNZ(operand.LabelRef("turn"))
		c.VZEROUPPER()
		c.RET()

		function(c, "read"+level, "func(p *byte, n int, stride int)", "read"+level+" reads n turns of 256 bytes from each of four streams that lie stride bytes apart.")
		p, turns := c.Load(c.Param("p"), c.GP64()).(reg.GPVirtual), c.Load(c.Param("n"), c.GP64())
		stride := c.Load(c.Param("stride"), c.GP64()).(reg.GPVirtual)
		streams := bases(c, p, stride, 4)
		read := make([]reg.VecVirtual, 4)
		for i := range read {
			read[i] = vector(c)
		}
		c.Label("turn")
		for i := range read {
			for o := 0; o < 256; o += 64 {
				c.PREFETCHT0(strided(streams, stride, i, 2048+o))
			}
		}
		for o := 0; o < 256; o += 4 * (tile{level: level}).lanes() {
			for i, v := range read {
				c.VMOVUPS(strided(streams, stride, i, o), v)
			}
		}
		for _, s := range streams {
			c.ADDQ(operand.U32(256), s)
		}
		c.DECQ(turns)
		c.JNZ(operand.LabelRef("turn"))
		c.VZEROUPPER()
		c.RET()
	}
}
