package main

import (
	"math"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants are those of exp.go and activation.go in package kernels; its tests compare the bits of all results.
var (
	expPoly = []float32{0.499999934318, 0.166665203987, 0.0416683908651, 0.00836874514928, 0.0013814535732}

	expPoly64 = []float64{0.49999999999998316024, 0.16666666666611341475, 0.041666666668142471707, 0.0083333333709795425826,
		0.001388888851503534604, 0.0001984118507124472783, 0.000024801932515331060538, 2.763506673623714547e-6, 2.7476670414570205477e-7}

	geluPoly = []float32{6.6880781412e-6, 0.119495848745, 0.121862341522, 0.094909457136, 0.14200677849, -0.0757432344994,
		0.227994634843, -0.168844854784, 0.0383123690032}
)

const (
	round32           = 0x1.8p23
	round64           = 0x1.8p52
	expLo32           = -87.336540
	geluTanhA float32 = -1.59576912160573071176
	geluTanhB         = geluTanhA * 0.044715
)

// notLess is a predicate of VCMPPS.
const notLess = operand.U8(5)

func (v *vec) load(m operand.Op) reg.VecVirtual {
	r := v.reg()
	v.VMOVUPS(m, r)
	return r
}

func (v *vec) mul(a operand.Op, b reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	v.VMULPS(a, b, r)
	return r
}

func (v *vec) add(a operand.Op, b reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	v.VADDPS(a, b, r)
	return r
}

// sub is a - b.
func (v *vec) sub(a reg.VecVirtual, b operand.Op) reg.VecVirtual {
	r := v.reg()
	v.VSUBPS(b, a, r)
	return r
}

// div is a / b.
func (v *vec) div(a, b reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	v.VDIVPS(b, a, r)
	return r
}

// min is limit where that is less than x, else x, NaN included; max likewise.
func (v *vec) min(limit operand.Op, x reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	v.VMINPS(x, v.inReg(limit), r)
	return r
}

func (v *vec) max(limit operand.Op, x reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	v.VMAXPS(x, v.inReg(limit), r)
	return r
}

func (v *vec) and(mask operand.Op, x reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	v.VANDPS(mask, x, r)
	return r
}

const (
	absMask  = 1<<31 - 1
	signMask = 1 << 31
)

// poly is Horner's rule with coefficients from the lowest, each step rounded twice.
func (v *vec) poly(x reg.VecVirtual, coeff []float32) reg.VecVirtual {
	p := v.load(v.f32(coeff[len(coeff)-1]))
	for i := len(coeff) - 2; i >= 0; i-- {
		v.VMULPS(x, p, p)
		v.VADDPS(v.f32(coeff[i]), p, p)
	}
	return p
}

// split is split32: e^x = 2^n (1 + q).
func (v *vec) split(x reg.VecVirtual) (n, q reg.VecVirtual) {
	t := v.add(v.f32(round32), v.mul(v.f32(1.44269504088896341), x))
	k := v.sub(t, v.f32(round32))
	r := v.sub(x, v.mul(v.f32(0.693359375), k))
	r = v.sub(r, v.mul(v.f32(-2.12194440e-4), k))
	q = v.add(r, v.mul(v.mul(r, r), v.poly(r, expPoly)))
	n = v.reg()
	v.VPSUBD(v.bits32(math.Float32bits(round32)), t, n)
	return n, q
}

// pow2 is 2^n.
func (v *vec) pow2(n reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	v.VPADDD(v.bits32(127), n, r)
	v.VPSLLD(operand.Imm(23), r, r)
	return r
}

// exp is exp32.
func (v *vec) exp(x reg.VecVirtual) reg.VecVirtual {
	n, q := v.split(v.min(v.f32(89), v.max(v.f32(expLo32), x)))
	half := v.reg()
	v.VPSRAD(operand.Imm(1), n, half)
	y := v.mul(v.pow2(half), v.add(v.f32(1), q))
	v.VPSUBD(half, n, n)
	y = v.mul(v.pow2(n), y)
	if v.bits == 512 {
		k := v.K()
		v.VCMPPS(notLess, v.f32(expLo32), x, k)
		v.VMOVAPS_Z(y, k, y)
		return y
	}
	k := v.reg()
	v.VCMPPS(notLess, v.f32(expLo32), x, k)
	return v.and(k, y)
}

func (v *vec) gelu(x reg.VecVirtual) reg.VecVirtual {
	z := v.min(v.f32(20), v.and(v.bits32(absMask), x))
	t := v.div(v.inReg(v.f32(1)), v.add(v.f32(1), v.mul(v.f32(0.3), z)))
	p := v.poly(t, geluPoly)
	e := v.exp(v.mul(v.f32(-0.5), v.mul(z, z)))
	return v.sub(v.max(v.f32(0), x), v.mul(z, v.mul(p, e)))
}

func (v *vec) geluTanh(x reg.VecVirtual) reg.VecVirtual {
	t := v.add(v.f32(geluTanhA), v.mul(v.f32(geluTanhB), v.mul(x, x)))
	return v.div(x, v.add(v.f32(1), v.exp(v.mul(t, x))))
}

func (v *vec) silu(x reg.VecVirtual) reg.VecVirtual {
	minus := v.reg()
	v.VXORPS(v.bits32(signMask), x, minus)
	return v.div(x, v.add(v.f32(1), v.exp(minus)))
}

// eachValue is a function of one argument.
func eachValue(name, doc string, f func(v *vec, x reg.VecVirtual) reg.VecVirtual) loop {
	return loop{name, "func(dst, x *float32, n int)", doc, []string{"dst", "x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
		return func(at func(string) operand.Mem, _ int) { v.VMOVUPS(f(v, v.load(at("x"))), at("dst")) }, nil
	}}
}

// eachPair is a function of two arguments.
func eachPair(name, doc string, f func(v *vec, a reg.VecVirtual, b operand.Mem) reg.VecVirtual) loop {
	return loop{name, "func(dst, a, b *float32, n int)", doc, []string{"dst", "a", "b"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
		return func(at func(string) operand.Mem, _ int) { v.VMOVUPS(f(v, v.load(at("a")), at("b")), at("dst")) }, nil
	}}
}

// widen loads the halves of a vector of float32 as float64 and calls f with each.
func (v *vec) widen(m operand.Mem, f func(half int, x reg.VecVirtual)) {
	for half := range 2 {
		x := v.reg()
		v.VCVTPS2PD(m.Offset(half*v.bits/16), x)
		f(half, x)
	}
}

// narrow stores float64 as float32.
func (v *vec) narrow(x reg.VecVirtual, m operand.Mem) {
	h := v.half()
	if v.bits == 512 {
		v.VCVTPD2PS(x, h)
	} else {
		v.VCVTPD2PSY(x, h)
	}
	v.VMOVUPS(h, m)
}

// accumulators are n partial sums of float64 or float32, zero at first.
func (v *vec) accumulators(n, size int) []reg.VecVirtual {
	acc := make([]reg.VecVirtual, n*size*8/v.bits)
	for i := range acc {
		acc[i] = v.zero()
	}
	return acc
}

// store writes accumulators to where an argument points.
func (v *vec) store(name string, acc []reg.VecVirtual) {
	p := v.Load(v.Param(name), v.GP64())
	for i, r := range acc {
		v.VMOVUPS(r, operand.Mem{Base: p, Disp: i * v.bits / 8})
	}
}

// split64 is split64 of package kernels.
func (v *vec) split64(x reg.VecVirtual) (n, q reg.VecVirtual) {
	n = v.load(v.f64(round64))
	v.VFMADD231PD(v.f64(1.44269504088896340735992468100189214), x, n)
	k, r := v.reg(), v.load(x)
	v.VSUBPD(v.f64(round64), n, k)
	v.VFNMADD231PD(v.f64(6.93147180369123816490e-01), k, r)
	v.VFNMADD231PD(v.f64(1.90821492927058770002e-10), k, r)
	p := v.load(v.f64(expPoly64[8]))
	for i := 7; i >= 0; i-- {
		v.VFMADD213PD(v.f64(expPoly64[i]), r, p)
	}
	q = v.reg()
	v.VMULPD(r, r, q)
	v.VFMADD213PD(r, p, q)
	return n, q
}

// pow2x64 is 2^n.
func (v *vec) pow2x64(n reg.VecVirtual) reg.VecVirtual {
	r := v.reg()
	v.VPADDQ(v.bits64(1023), n, r)
	v.VPSLLQ(operand.Imm(52), r, r)
	return r
}

// tanh64 is tanh64 of package kernels.
func (v *vec) tanh64(x reg.VecVirtual) reg.VecVirtual {
	a := v.reg()
	v.VORPD(v.bits64(1<<63), x, a)
	v.VADDPD(a, a, a)
	v.VMAXPD(a, v.inReg(v.f64(-40)), a)
	n, q := v.split64(a)
	s := v.pow2x64(n)
	m := v.reg()
	v.VSUBPD(v.f64(1), s, m)
	v.VFMADD231PD(q, s, m)
	y := v.reg()
	v.VADDPD(v.f64(2), m, y)
	v.VDIVPD(y, m, y)
	v.VANDPD(v.bits64(1<<63-1), y, y)
	v.VANDPD(v.bits64(1<<63), x, a)
	v.VORPD(a, y, y)
	return y
}

// elements are the functions that compute each element by itself.
func elements(c *build.Context) {
	globals := map[string]operand.Mem{}
	for _, l := range []loop{
		eachValue("gelu", "is gelu32 of each value.", (*vec).gelu),
		eachValue("geluTanh", "is geluTanh32 of each value.", (*vec).geluTanh),
		eachValue("silu", "is silu32 of each value.", (*vec).silu),
		eachPair("add", "is a + b.", func(v *vec, a reg.VecVirtual, b operand.Mem) reg.VecVirtual { return v.add(b, a) }),
		eachPair("mul", "is a * b.", func(v *vec, a reg.VecVirtual, b operand.Mem) reg.VecVirtual { return v.mul(b, a) }),
		{"softCap", "func(dst, x *float32, n int, limit float64)", "is limit tanh64(x/limit).", []string{"dst", "x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			limit := v.broadcast64("limit")
			return func(at func(string) operand.Mem, _ int) {
				v.widen(at("x"), func(half int, x reg.VecVirtual) {
					v.VDIVPD(limit, x, x)
					y := v.tanh64(x)
					v.VMULPD(limit, y, y)
					v.narrow(y, at("dst").Offset(half*v.bits/16))
				})
			}, nil
		}},
		{"times", "func(dst, x *float32, n int, f float32)", "is x * f.", []string{"dst", "x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			f := v.broadcast32("f")
			return func(at func(string) operand.Mem, _ int) { v.VMOVUPS(v.mul(at("x"), f), at("dst")) }, nil
		}},
		{"scale", "func(dst, x, gain, bias *float32, n int)", "is x * gain + bias, rounded once.", []string{"dst", "x", "gain", "bias"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			return func(at func(string) operand.Mem, _ int) {
				x := v.load(at("x"))
				g := v.load(at("gain"))
				v.VFMADD213PS(at("bias"), g, x)
				v.VMOVUPS(x, at("dst"))
			}, nil
		}},
		{"affine", "func(dst, x *float32, n int, mean, factor float64)", "is (x - mean) * factor in float64.", []string{"dst", "x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			mean, factor := v.broadcast64("mean"), v.broadcast64("factor")
			return func(at func(string) operand.Mem, _ int) {
				v.widen(at("x"), func(half int, x reg.VecVirtual) {
					v.VSUBPD(mean, x, x)
					v.VMULPD(factor, x, x)
					v.narrow(x, at("dst").Offset(half*v.bits/16))
				})
			}, nil
		}},
		{"rotate", "func(dst, x, sin, cos *float32, n, half int)", "rotates the pairs (x[i], x[i+half]).", []string{"dst", "x", "sin", "cos"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			half := v.Load(v.Param("half"), v.GP64())
			v.SHLQ(operand.Imm(2), half)
			far := map[string]reg.GPVirtual{}
			for _, p := range []string{"dst", "x"} {
				far[p] = v.Load(v.Param(p), v.GP64()).(reg.GPVirtual)
				v.ADDQ(half, far[p])
			}
			return func(at func(string) operand.Mem, _ int) {
				there := func(p string) operand.Mem { m := at(p); m.Base = far[p]; return m }
				a, b := v.load(at("x")), v.load(there("x"))
				sin, cos := v.load(at("sin")), v.load(at("cos"))
				v.VMOVUPS(v.sub(v.mul(a, cos), v.mul(b, sin)), at("dst"))
				v.VMOVUPS(v.add(v.mul(b, cos), v.mul(a, sin)), there("dst"))
			}, nil
		}},
	} {
		l.write(c, globals)
	}
}

// reductions are the functions with partial sums.
func reductions(c *build.Context) {
	globals := map[string]operand.Mem{}
	for _, l := range []loop{
		{"sum", "func(acc *[16]float64, x *float32, n int)", "writes the partial sums of x.", []string{"x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			acc := v.accumulators(lanes, 8)
			return func(at func(string) operand.Mem, part int) {
				v.widen(at("x"), func(half int, x reg.VecVirtual) {
					a := acc[2*part+half]
					v.VADDPD(x, a, a)
				})
			}, func() { v.store("acc", acc) }
		}},
		{"squares", "func(acc *[16]float64, x *float32, n int, mean float64)", "writes the partial sums of (x - mean)².", []string{"x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			acc, mean := v.accumulators(lanes, 8), v.broadcast64("mean")
			return func(at func(string) operand.Mem, part int) {
				v.widen(at("x"), func(half int, x reg.VecVirtual) {
					v.VSUBPD(mean, x, x)
					v.VFMADD231PD(x, x, acc[2*part+half])
				})
			}, func() { v.store("acc", acc) }
		}},
		{"maximum", "func(acc *[16]float32, x *float32, n int)", "writes the greatest value of each lane, -Inf at least.", []string{"x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			acc := v.accumulators(lanes, 4)
			for _, a := range acc {
				v.VMOVUPS(v.f32(float32(math.Inf(-1))), a)
			}
			return func(at func(string) operand.Mem, part int) {
				v.VMAXPS(acc[part], v.load(at("x")), acc[part])
			}, func() { v.store("acc", acc) }
		}},
		{"expSum", "func(acc *[16]float32, x *float32, n int, top float32)", "writes exp32(x - top) to x and its partial sums to acc.", []string{"x"}, func(v *vec) (func(func(string) operand.Mem, int), func()) {
			acc, top := v.accumulators(lanes, 4), v.broadcast32("top")
			return func(at func(string) operand.Mem, part int) {
				e := v.exp(v.sub(v.load(at("x")), top))
				v.VMOVUPS(e, at("x"))
				v.VADDPS(e, acc[part], acc[part])
			}, func() { v.store("acc", acc) }
		}},
	} {
		l.write(c, globals)
	}
}
