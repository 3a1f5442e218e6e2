package main

import "fmt"

func main() {
	var u8 uint8 = 250
	u8 += 10
	var i8 int8 = 127
	i8++
	var u16 uint16 = 3
	u16 -= 5
	var i32 int32 = -1 << 31
	i32--
	var u64 uint64 = 1<<64 - 1
	u64 *= 3
	fmt.Println(u8, i8, u16, i32, u64, -7/2, -7%2, 7&^5, 6|9, 6^3, ^5)
	var s uint = 70
	one, m, d := int64(1), int8(-128), int8(-1)
	fmt.Println(1<<s == 0, one<<63>>63, uint32(1)<<31, m/d, m*d, -m)
	f := 300.7
	fmt.Println(int(f), uint8(int(f)), int32(-f), float32(f), float64(float32(0.1)))
	x := 0x7fffffffffffffff
	fmt.Println(x+1, uint32(x), int16(x), rune(65), string(rune(0x4e16)))
	const big = 1 << 100
	fmt.Println(big>>98, big/(1<<97), 'a'+1, 1e3, 5.0/2, 5/2)
	var h uint32 = 2166136261
	for _, c := range []byte("hello") {
		h ^= uint32(c)
		h *= 16777619
	}
	fmt.Printf("%08x %b %o %q %U\n", h, 10, 64, 'x', 'é')
}
