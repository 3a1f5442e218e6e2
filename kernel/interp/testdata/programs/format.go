package main

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

type Pt struct {
	X, Y int
	n    string
}
type In struct {
	P *Pt
	S []string
	M map[string]int
	I any
	F func()
}
type Hex int

func (h Hex) Format(f fmt.State, c rune) {
	w, ok := f.Width()
	fmt.Fprintf(f, "<%c %d %v %v>", c, w, ok, f.Flag('+'))
}

type G struct{ a int }

func (g G) GoString() string { return "G!" }

type Er struct{}

func (*Er) Error() string { return "er" }

type Pn struct{}

func (Pn) String() string { panic("boom") }
func main() {
	p := Pt{1, -2, "n"}
	fmt.Printf("%v|%+v|%#v|%T|%d|%s|%x\n", p, p, p, p, p, p, p)
	in := In{nil, []string{"a", "b c"}, map[string]int{"z": 1, "a": 2}, 3.5, nil}
	fmt.Printf("%v|%+v|%#v\n", in, in, in)
	fmt.Printf("%v %+v\n", &p, []*int{nil})
	fmt.Printf("%v %v\n", struct{ a, b any }{1, nil}, [2][]int{{1}, nil})
	fmt.Printf("%5d|%-5d|%05d|%+d|%x|%X|%#x|%o|%#o|%O|%b|%c|%q|%U|%#U\n", 42, 42, 42, 42, 255, 255, 255, 8, 8, 8, 5, 'A', 'A', 'A', '⌘')
	fmt.Printf("%f|%.2f|%8.3f|%-8.1f|%e|%E|%g|%G|%6.2g|%x|%b\n", 3.14159, 3.14159, 3.14159, 3.14159, 1234.5678, 0.00012, 1e21, 1e-7, 12345.678, 1.5, 1.5)
	fmt.Printf("%s|%q|%x|%X|% x|%10s|%-10s|%.2s|%v|%#q|%+q\n", "hi", "h\"i\n", "hi", "hi", "hi", "hi", "hi", "hello", "v", "b`c", "é")
	fmt.Printf("%t|%v|%p|%v|%5t\n", true, false, nil, nil, true)
	fmt.Printf("%[2]d %[1]d %*d %-*d| %[3]*.[2]*[1]f\n", 1, 2, 5, 3, 4, 2)
	fmt.Printf("%d %s %!|%z %d\n", "s", 1, 2)
	fmt.Printf("%d\n", 1, 2)
	fmt.Printf("%d %d\n", 1)
	fmt.Printf("%v %d %s %x\n", []byte("ab"), []byte("ab"), []byte("ab"), []byte("ab"))
	fmt.Printf("%q %v\n", []string{"a", "b"}, [3]bool{true})
	fmt.Printf("%+5v|%v|%s\n", Hex(3), Hex(4), []Hex{1})
	fmt.Printf("%#v %v %#v\n", G{1}, G{1}, []G{{2}})
	fmt.Printf("%v %s %v\n", &Er{}, &Er{}, Pn{})
	fmt.Println((*Er)(nil), Pn{}, []any{nil, &Er{}})
	fmt.Printf("%v %.3v %v %v\n", 1+2i, 1.5+2.25i, math.NaN(), math.Inf(-1))
	fmt.Printf("%6.2f%%|%+.1e|% d|%x\n", 99.5, 12345.0, 7, -255)
	fmt.Printf("%v %T %T %T %T\n", map[string][]int{"b": {1}, "a": nil}, in, &in, []map[string]*Pt{}, func(int, ...string) (error, bool) { return nil, true })
	fmt.Printf("%T %T %T %T\n", struct {
		A int `json:"a"`
	}{}, make(chan<- int), [3]*Pt{}, any(nil))
	fmt.Printf("%08.3f|%+08d|%x|%#v|%#v|%#v|%#v\n", -3.14159, 42, "héllo", 1.0, "s", []any{1, "a", nil}, map[string]bool{"x": true})
	fmt.Printf("%#v %#v %#v %#v\n", uint8(3), 'x', [2]byte{1, 2}, struct{ X any }{Hex(0)})
	s := "héllo, 世界\xff"
	for i, r := range s {
		fmt.Print(i, ":", string(r), " ")
	}
	fmt.Println(len(s), utf8.RuneCountInString(s), utf8.ValidString(s))
	fmt.Println([]rune(s)[1], string([]rune(s)[:5]), s[1], s[1:3], []byte(s)[7:10], strings.ToUpper(s), strings.Title("ab cd"))
	fmt.Println(strings.Fields(" a  b "), strings.Split("a,b,,c", ","), strings.SplitN("a,b,c", ",", 2), strings.TrimFunc("123abc456", unicode.IsDigit), strings.Map(func(r rune) rune {
		if r == 'a' {
			return -1
		}
		return r + 1
	}, "banana"))
	fmt.Println(strings.Replace("aaaa", "a", "b", 2), strings.NewReplacer("a", "1", "b", "2").Replace("abc"), strings.EqualFold("Go", "GO"), strings.Index("chicken", "ken"), strings.LastIndex("go gopher", "go"), strings.Repeat("ab", 3))
	b, a, f := strings.Cut("k=v=w", "=")
	fmt.Println(b, a, f)
	fmt.Println(strings.CutPrefix("prefix", "pre"))
	n, err := strconv.Atoi("12x")
	fmt.Println(n, err)
	_, err = strconv.ParseInt("300", 10, 8)
	fmt.Println(err)
	fl, err := strconv.ParseFloat("1e400", 64)
	fmt.Println(fl, err)
	fmt.Println(strconv.Quote("a\tb☺\x00"), strconv.FormatInt(-255, 16), strconv.Itoa(-5), strconv.AppendInt(nil, 42, 2))
	bv, err := strconv.ParseBool("maybe")
	fmt.Println(bv, err)
	u, _ := strconv.ParseUint("ff", 16, 64)
	fmt.Println(u)
	uq, err := strconv.Unquote(`"a\nb"`)
	fmt.Println(uq, err)
	var bb bytes.Buffer
	bb.WriteString("hello ")
	bb.WriteByte('w')
	bb.WriteRune('世')
	fmt.Fprintf(&bb, "%d", 5)
	fmt.Println(bb.String(), bb.Len(), bytes.Contains(bb.Bytes(), []byte("lo")))
	t := time.Date(2024, 2, 29, 13, 4, 5, 123456789, time.UTC)
	fmt.Println(t, t.Format(time.RFC3339Nano), t.Format("Jan _2 06 03:04PM"), t.Weekday(), t.YearDay(), t.AddDate(1, 0, 0).Format(time.DateOnly), t.Unix(), t.Truncate(time.Hour).Format(time.Kitchen))
	d := 90*time.Minute + 30*time.Second + 5*time.Millisecond
	fmt.Println(d, d.Hours(), d.Round(time.Minute), time.Duration(1500)*time.Microsecond)
	pt, err := time.Parse("2006-01-02", "2023-13-01")
	fmt.Println(pt, err)
	fmt.Println(t.Sub(t.Add(-d)), t.Before(t.Add(1)), t.Equal(t.In(time.FixedZone("X", 3600))), t.In(time.FixedZone("X", 3600)))
	fmt.Println(bits.OnesCount(255), bits.LeadingZeros32(1), bits.Reverse8(1), bits.RotateLeft32(1, 31))
	hi, lo := bits.Mul64(1<<63, 6)
	fmt.Println(hi, lo)
	fmt.Println(math.Float64bits(1.5), math.Mod(7, -3), math.Round(-2.5), math.RoundToEven(2.5), math.Trunc(-2.7), math.Hypot(3, 4), math.Cbrt(27), math.MaxUint32, math.Pi, float32(math.Pi))
	fmt.Println(1e6, 1e20, 1e21, 123456789.0, 0.000001, 0.0000001, float32(1)/3, 100000000.0, -0.0, 5/2.0, 2.50)
	var x, y any = 1, int64(1)
	fmt.Println(x == y, x == 1, y == int64(1))
	fmt.Print("a", 1, 2, "b", "c", 3.0, '\n', "\n")
	fmt.Print(1, 2, true, nil, "\n")
	var sc1 string
	var sc2 int
	k, err := fmt.Sscanf("abc 42", "%s %d", &sc1, &sc2)
	fmt.Println(k, err, sc1, sc2)
	k, err = fmt.Sscan("7 8", &sc2, new(int))
	fmt.Println(k, err, sc2)
	w := 5
	fmt.Println(fmt.Sprintf("%*s|%-*s|", w, "a", w, "b"), fmt.Sprintln("x", 1), fmt.Sprint("a", "b", 1, 2, "c"), fmt.Append(nil, "q"))
}
