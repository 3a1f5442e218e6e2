package main

import "fmt"

type I8 int8
type U8 uint8
type Flags uint16

const (
	A Flags = 1 << iota
	B
	_
	D
)
const (
	KB = 1 << (10 * (iota + 1))
	MB
	GB
)
const (
	c0     = iota
	c1, c2 = iota, iota * 10
	c3     = "s"
	c4
	c5 = iota
)

func (f Flags) Has(x Flags) bool { return f&x != 0 }
func sh[T ~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~int | ~uint](x T, n uint) string {
	return fmt.Sprint(x<<n, x>>n, ^x, -x, x*x, x+x, x-1-x-x, x&^3, x|5, x^7, x/3, x%3)
}
func main() {
	for _, n := range []uint{0, 1, 3, 7, 8, 31, 32, 63, 64, 100} {
		fmt.Println(n, sh(int8(-128), n), sh(int8(127), n), sh(uint8(200), n))
		fmt.Println(n, sh(int16(-32768), n), sh(uint16(65535), n), sh(int32(-2147483648), n), sh(uint32(4294967295), n))
		fmt.Println(n, sh(int64(-9223372036854775808), n), sh(uint64(18446744073709551615), n), sh(int(-7), n), sh(uint(9), n))
		fmt.Println(n, sh(I8(-100), n), sh(U8(250), n))
	}
	var i8 int8 = 127
	i8++
	fmt.Println(i8)
	var u8 uint8
	u8--
	fmt.Println(u8)
	var i64 int64 = -9223372036854775808
	m1 := int64(-1)
	fmt.Println(i64/m1, i64%m1, -i64)
	var i32 int32 = -2147483648
	m32 := int32(-1)
	fmt.Println(i32/m32, i32%m32)
	var i8b int8 = -128
	m8 := int8(-1)
	fmt.Println(i8b/m8, i8b%m8)
	fmt.Println(-7/2, -7%2, 7/-2, 7%-2)
	x := 300
	fmt.Println(int8(x), uint8(x), int16(70000+x), uint32(int64(-1)+int64(x)-300))
	y := -1
	fmt.Println(uint8(y), uint16(y), uint32(y), uint64(y), uintptr(y))
	f := 3.99
	fmt.Println(int(f), int(-f), uint8(f), int64(1e18*f/4))
	f32 := float32(16777216)
	fmt.Println(f32+1 == f32, float64(f32)+1, float32(0.1), float64(float32(0.1)))
	var z float64
	fmt.Println(1/z, -1/z, z/z, z == -z)
	fmt.Println(A, B, D, KB, MB, GB, c0, c1, c2, c3, c4, c5, (A | D).Has(B), (A | B).Has(B))
	u := uint(3)
	fmt.Println(1<<u, uint8(1)<<u<<u<<u)
	var s uint = 33
	var w int64 = 1 << s
	var v = uint32(1) << s
	var k uint64 = 1<<s | 1
	fmt.Println(w, v, k, int32(1)<<s)
	var j uint8 = 200
	j += 100
	j *= 3
	j <<= 1
	j ^= 0xff
	j &^= 0xf
	j >>= 2
	j %= 7
	fmt.Println(j)
	h := uint32(2166136261)
	for _, c := range []byte("hash me") {
		h ^= uint32(c)
		h *= 16777619
	}
	fmt.Println(h)
	c := complex(1, 2)
	c *= c
	fmt.Println(c, real(c), imag(c), c == complex(-3, 4), complex64(c)/2, -c, c/(1+1i))
	r := 'a' + 1
	fmt.Println(r, string(r), string(rune(0x4e16)), rune("é"[0]))
	fmt.Printf("%T %T %T %T %T\n", 1<<3, 'a', 1.5, 2i, 1<<s)
	seed := uint64(42)
	for range 5 {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
	}
	fmt.Println(seed)
	l := int32(1)
	for range 10 {
		l = l*1103515245 + 12345
	}
	fmt.Println(l)
	fmt.Println(min(3, 1, 2), max(2.5, 1), min("b", "a"))
	var sn = -1
	func() { defer func() { fmt.Println(recover()) }(); fmt.Println(1 << sn) }()
	zero := 0
	func() { defer func() { fmt.Println(recover()) }(); fmt.Println(1 / zero) }()
	func() { defer func() { fmt.Println(recover()) }(); fmt.Println(1 % zero) }()
}
