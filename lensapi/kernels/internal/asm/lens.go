package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// greater is a predicate of VCMPPS, false of a NaN.
const greater = operand.U8(30)

// exp64 is exp64 of package kernels.
func (v *vec) exp64(x reg.VecVirtual) reg.VecVirtual {
	c := v.reg()
	v.VMAXPD(x, v.inReg(v.f64(-708)), c)
	n, q := v.split64(c)
	v.VADDPD(v.f64(1), q, q)
	v.VMULPD(v.pow2x64(n), q, q)
	return q
}

// lens are the reductions of logits.
func lens(c *build.Context) {
	globals := map[string]operand.Mem{}
	for _, l := range []loop{
		{"moments", "func(sum, dot *[8]float64, e *float64, x *float32, n int, top float64)", "writes exp64(x - top) to e, and its partial sums and those of its product with x - top.", []string{"x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			sum, dot, top := v.accumulators(8, 8), v.accumulators(8, 8), v.broadcast64("top")
			to := v.Load(v.Param("e"), v.GP64())
			return func(at func(string) operand.Mem, part int) {
				v.widen(at("x"), func(half int, x reg.VecVirtual) {
					v.VSUBPD(top, x, x)
					e := v.exp64(x)
					m := at("x")
					v.VMOVUPD(e, operand.Mem{Base: to, Index: m.Index, Scale: 8, Disp: (2*part + half) * v.bits / 8})
					i := half % len(sum)
					v.VADDPD(e, sum[i], sum[i])
					v.VFMADD231PD(x, e, dot[i])
				})
			}, func() { v.store("sum", sum); v.store("dot", dot) }
		}},
		{"cross", "func(acc *[8]float64, e *float64, a, b *float32, n int)", "writes the partial sums of e (a - b).", []string{"a", "b"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			acc := v.accumulators(8, 8)
			from := v.Load(v.Param("e"), v.GP64())
			return func(at func(string) operand.Mem, part int) {
				v.widen(at("a"), func(half int, x reg.VecVirtual) {
					y := v.reg()
					m := at("b")
					v.VCVTPS2PD(m.Offset(half*v.bits/16), y)
					v.VSUBPD(y, x, x)
					v.VFMADD231PD(operand.Mem{Base: from, Index: m.Index, Scale: 8, Disp: (2*part + half) * v.bits / 8}, x, acc[half%len(acc)])
				})
			}, func() { v.store("acc", acc) }
		}},
		{"above", "func(mask *uint16, x *float32, n int, limit float32)", "sets bit i of mask where x[i] > limit.", []string{"x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			limit := v.broadcast32("limit")
			to := v.Load(v.Param("mask"), v.GP64())
			low := v.GP32()
			return func(at func(string) operand.Mem, part int) {
				x := v.load(at("x"))
				if v.bits == 512 {
					k := v.K()
					v.VCMPPS(greater, limit, x, k)
					v.KMOVW(k, operand.Mem{Base: to})
				} else {
					k := v.reg()
					v.VCMPPS(greater, limit, x, k)
					if part == 0 {
						v.VMOVMSKPS(k, low)
						return
					}
					high := v.GP32()
					v.VMOVMSKPS(k, high)
					v.SHLL(operand.Imm(8), high)
					v.ORL(low, high)
					v.MOVW(high.As16(), operand.Mem{Base: to})
				}
				v.ADDQ(operand.Imm(2), to)
			}, nil
		}},
	} {
		l.write(c, globals)
	}
}
