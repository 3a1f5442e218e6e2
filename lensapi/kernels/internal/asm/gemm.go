package main

import (
	"bytes"
	"fmt"
	"go/format"
	"math/bits"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// panel is how many outputs lie side by side in a packed matrix; see Matrix in package kernels.
const panel = 16

// maxRows is the most rows of a tile; see package kernels.
const maxRows = 14

// tile is a kernel that computes rows x panels*16 outputs, each in one register lane from the first k to the last.
type tile struct {
	level        string // AVX2 or AVX512
	format       string // F32, F16 or BF16
	rows, panels int
	unroll       int
}

// tiles lists the shapes for a level and format. All accumulators must fit the registers beside the weights and one input; few
// rows get many panels, for as many independent chains as the processor needs and for several streams from memory, which are
// slower when they are more than that.
func tiles(level, format string) [][2]int {
	if level == "AVX2" { // 16 registers, two to a panel
		return [][2]int{{1, 4}, {1, 2}, {2, 2}, {3, 2}, {3, 1}, {4, 1}, {5, 1}, {6, 1}}
	}
	shapes := [][2]int{{1, 8}, {1, 2}} // 32 registers, one to a panel
	if format == "F32" {
		shapes[0][1] = 4
	}
	for r := 2; r <= maxRows; r++ {
		if r <= 6 {
			shapes = append(shapes, [2]int{r, 4})
		}
		shapes = append(shapes, [2]int{r, 2})
	}
	return shapes
}

var formats = []string{"F32", "F16", "BF16"}

// tilings writes the tables that name the tiles.
func tilings() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(warning + "package kernels\n")
	for _, level := range []string{"AVX2", "AVX512"} {
		fmt.Fprintf(&b, "\nvar tilings%s = [...]tiling{\n", level)
		for _, format := range append(formats, "Int8") {
			shapes := tiles(level, format)
			if format == "Int8" {
				shapes = int8Tiles(level)
			}
			most, names := map[int]int{}, map[int]string{}
			rows := 0
			for _, s := range shapes {
				t := tile{level: level, format: format, rows: s[0], panels: s[1]}
				rows = max(rows, t.rows)
				most[t.rows] = max(most[t.rows], t.panels)
				names[t.rows] += fmt.Sprintf("%d: %s, ", t.panels, t.name())
			}
			fmt.Fprintf(&b, "%s: {\nrows: %d,\npanels: [...]int{", format, rows)
			for r := range maxRows + 1 {
				fmt.Fprintf(&b, "%d, ", most[r])
			}
			b.WriteString("},\ntile: [...][9]tileFunc{\n")
			for r := range maxRows + 1 {
				fmt.Fprintf(&b, "%d: {%s},\n", r, names[r])
			}
			b.WriteString("},\n},\n")
		}
		b.WriteString("}\n")
	}
	return format.Source(b.Bytes())
}

func (t tile) name() string {
	return fmt.Sprintf("gemm%s%sr%dp%d", t.level, t.format, t.rows, t.panels)
}

func gemm(level string) func(c *build.Context) {
	return func(c *build.Context) {
		for _, format := range formats {
			for _, s := range tiles(level, format) {
				t := tile{level: level, format: format, rows: s[0], panels: s[1], unroll: 4}
				switch {
				case t.rows <= 3:
				case level == "AVX2":
					t.unroll = asking
				default:
					t.unroll = 2
				}
				t.write(c)
			}
		}
	}
}

// vector is a register of the tile's level.
func (t tile) vector(c *build.Context) reg.VecVirtual {
	if t.level == "AVX2" {
		return c.YMM()
	}
	return c.ZMM()
}

// lanes is how many outputs a register holds.
func (t tile) lanes() int {
	if t.level == "AVX2" {
		return 8
	}
	return 16
}

// bytes is the size of the weights of one register.
func (t tile) bytes() int {
	if t.format == "F32" {
		return 4 * t.lanes()
	}
	return 2 * t.lanes()
}

// strided addresses i rows from a base: bases[j] is the row 3j, and ld the bytes of a row.
func strided(bases []reg.GPVirtual, ld reg.GPVirtual, i, disp int) operand.Mem {
	m := operand.Mem{Base: bases[i/3], Disp: disp}
	if i%3 > 0 {
		m.Index, m.Scale = ld, uint8(i%3)
	}
	return m
}

// bases fills registers with the addresses of every third of n rows.
func bases(c *build.Context, first, ld reg.GPVirtual, n int) []reg.GPVirtual {
	b := []reg.GPVirtual{first}
	if n <= 3 {
		return b
	}
	ld3 := c.GP64()
	c.LEAQ(operand.Mem{Base: ld, Index: ld, Scale: 2}, ld3)
	for i := 3; i < n; i += 3 {
		next := c.GP64()
		c.LEAQ(operand.Mem{Base: b[len(b)-1], Index: ld3, Scale: 1}, next)
		b = append(b, next)
	}
	return b
}

func (t tile) write(c *build.Context) {
	t.declare(c)
	k := c.Load(c.Param("k"), c.GP64()).(reg.GPVirtual)
	lda := c.Load(c.Param("lda"), c.GP64()).(reg.GPVirtual)
	bs := c.Load(c.Param("bs"), c.GP64()).(reg.GPVirtual)
	c.SHLQ(operand.Imm(2), lda)
	a := bases(c, c.Load(c.Param("a"), c.GP64()).(reg.GPVirtual), lda, t.rows)
	b := bases(c, c.Load(c.Param("b"), c.GP64()).(reg.GPVirtual), bs, t.panels)

	sum := t.registers(c)
	t.start(c, sum)

	ahead := t.ahead(c, k, b, bs)
	n := c.GP64()
	c.MOVQ(k, n)
	c.SHRQ(operand.Imm(uint64(bits.Len(uint(t.unroll-1)))), n)
	c.JZ(operand.LabelRef("rest"))
	c.Label("loop")
	ahead.turn(n)
	for u := range t.unroll {
		t.step(c, sum, a, lda, b, bs, u)
	}
	t.advance(c, a, b, t.unroll)
	c.DECQ(n)
	c.JNZ(operand.LabelRef("loop"))
	c.Label("rest")
	c.ANDQ(operand.Imm(uint64(t.unroll-1)), k)
	c.JZ(operand.LabelRef("done"))
	c.Label("one")
	t.step(c, sum, a, lda, b, bs, 0)
	t.advance(c, a, b, 1)
	c.DECQ(k)
	c.JNZ(operand.LabelRef("one"))
	c.Label("done")
	t.finish(c, sum)
	c.VZEROUPPER()
	c.RET()
}

func (t tile) declare(c *build.Context) {
	function(c, t.name(), "func(k int, a *float32, lda int, b *byte, bs int, c *float32, ldc int, bias *float32, acc bool, ahead, pace int)",
		fmt.Sprintf("%s is the tile of %d rows and %d panels; see tileFunc.", t.name(), t.rows, t.panels))
}

// registers gives each output of the tile its lane.
func (t tile) registers(c *build.Context) [][]reg.VecVirtual {
	rows := make([][]reg.VecVirtual, t.rows)
	for r := range rows {
		for range t.panels * panel / t.lanes() {
			rows[r] = append(rows[r], t.vector(c))
		}
	}
	return rows
}

// output gives the addresses of the tile in c.
func (t tile) output(c *build.Context) func(row, j int) operand.Mem {
	ldc := c.Load(c.Param("ldc"), c.GP64()).(reg.GPVirtual)
	c.SHLQ(operand.Imm(2), ldc)
	rows := bases(c, c.Load(c.Param("c"), c.GP64()).(reg.GPVirtual), ldc, t.rows)
	return func(row, j int) operand.Mem { return strided(rows, ldc, row, 4*t.lanes()*j) }
}

// start sets the sums to zero, or to what the block of k before this one left.
func (t tile) start(c *build.Context, sum [][]reg.VecVirtual) {
	for _, row := range sum {
		for _, s := range row {
			if t.level == "AVX2" {
				c.VXORPS(s, s, s)
			} else {
				c.VPXORD(s, s, s)
			}
		}
	}
	acc := c.Load(c.Param("acc"), c.GP8())
	c.TESTB(acc, acc)
	c.JZ(operand.LabelRef("started"))
	at := t.output(c)
	for r, row := range sum {
		for j, s := range row {
			c.VMOVUPS(at(r, j), s)
		}
	}
	c.Label("started")
}

// finish adds the bias, if there is one, and stores.
func (t tile) finish(c *build.Context, sum [][]reg.VecVirtual) {
	bias := c.Load(c.Param("bias"), c.GP64())
	c.TESTQ(bias, bias)
	c.JZ(operand.LabelRef("store"))
	for j := range sum[0] {
		v := t.vector(c)
		c.VMOVUPS(operand.Mem{Base: bias, Disp: 4 * t.lanes() * j}, v)
		for r := range sum {
			c.VADDPS(v, sum[r][j], sum[r][j])
		}
	}
	c.Label("store")
	at := t.output(c)
	for r, row := range sum {
		for j, s := range row {
			c.VMOVUPS(s, at(r, j))
		}
	}
}

// step adds the products of one k, u after the current one.
func (t tile) step(c *build.Context, sum [][]reg.VecVirtual, a []reg.GPVirtual, lda reg.GPVirtual, b []reg.GPVirtual, bs reg.GPVirtual, u int) {
	per := panel / t.lanes()
	weight := func(j int) operand.Mem { return strided(b, bs, j/per, (u*per+j%per)*t.bytes()) }
	input := func(r int) reg.VecVirtual {
		x := t.vector(c)
		c.VBROADCASTSS(strided(a, lda, r, 4*u), x)
		return x
	}
	if t.rows <= 3 { // inputs in registers, weights one after the other
		xs := make([]reg.VecVirtual, t.rows)
		for r := range xs {
			xs[r] = input(r)
		}
		for j := range sum[0] {
			if t.rows == 1 && t.format == "F32" {
				c.VFMADD231PS(weight(j), xs[0], sum[0][j])
				continue
			}
			w := t.widened(c, weight(j))
			for r, x := range xs {
				c.VFMADD231PS(w, x, sum[r][j])
			}
		}
		return
	}
	ws := make([]reg.VecVirtual, len(sum[0]))
	for j := range ws {
		ws[j] = t.widened(c, weight(j))
	}
	for r := range sum {
		x := input(r)
		for j, w := range ws {
			c.VFMADD231PS(w, x, sum[r][j])
		}
	}
}

// widened loads weights as float32.
func (t tile) widened(c *build.Context, m operand.Mem) reg.VecVirtual {
	w := t.vector(c)
	switch t.format {
	case "F32":
		c.VMOVUPS(m, w)
	case "F16":
		c.VCVTPH2PS(m, w)
	case "BF16":
		c.VPMOVZXWD(m, w)
		c.VPSLLD(operand.Imm(16), w, w)
	}
	return w
}

// prefetcher asks for weights that are needed later. An AVX2 tile asks for its share of those that follow its own, ahead bytes on: pace bytes
// for each input, while all tiles of the rows use the same weights. On a Zen 3 the lens of 12 rows went from 53 to 79 % of the multiply-adds that a core can do
// (f16: 66 to 78 %), that of 120 from 86 to 92 %. An AVX-512 one asks for its own panels 4096 bytes on, and towards their end
// for the panels behind them, which the next tile begins with.
type prefetcher struct {
	t        tile
	c        *build.Context
	at       []reg.GPVirtual // where the panels are read next
	bs, rest reg.GPVirtual   // AVX-512: rest is how many turns are left when the panels end
	pace     reg.GPVirtual   // AVX2: of a turn
}

const prefetchAhead = 4096 // bytes

// asking is the inputs of a turn of an AVX2 tile that prefetches, and the most cache lines it asks for. A turn is long because a processor's other
// thread, which on a rented machine is somebody else's, leaves a tile half of the instructions that a core can start: what is no multiply-add counts. With
// turns of 2 inputs, and a line asked for with each, the tile of 6 rows reached 70 % of what loops of nothing but multiply-adds did beside such a
// neighbour, with these 82 %; without one 92 and 95 % (Zen 3).
const asking = 8

// ahead prepares a prefetcher. Few rows need a weight so soon that the processor's own prefetching, of long streams, is ahead of
// the code; asking besides made one row a quarter slower (Zen 4).
func (t tile) ahead(c *build.Context, k reg.GPVirtual, b []reg.GPVirtual, bs reg.GPVirtual) *prefetcher {
	p := &prefetcher{t: t, c: c, bs: bs}
	if t.rows <= 3 {
		return p
	}
	if t.level == "AVX2" {
		at := c.Load(c.Param("ahead"), c.GP64()).(reg.GPVirtual)
		c.ADDQ(b[0], at)
		pace := c.Load(c.Param("pace"), c.GP64()).(reg.GPVirtual)
		c.SHLQ(operand.Imm(uint64(bits.Len(asking-1))), pace)
		p.at, p.pace = append(p.at, at), pace
		return p
	}
	for i := range t.panels {
		at := c.GP64()
		c.LEAQ(strided(b, bs, i, prefetchAhead), at)
		p.at = append(p.at, at)
	}
	if t.panels != 2 {
		return p
	}
	// The tile ends where its panels do if it has all their inputs.
	p.rest = c.GP64()
	c.MOVQ(operand.I32(-1), p.rest)
	size := c.GP64()
	c.IMUL3Q(operand.U32(uint32(t.bytes()*(panel/t.lanes()))), k, size)
	c.CMPQ(size, bs)
	c.JNE(operand.LabelRef("part"))
	c.MOVQ(operand.U32(uint32(prefetchAhead/p.bytes())), p.rest)
	c.Label("part")
	return p
}

// bytes is what a turn reads of a panel.
func (p *prefetcher) bytes() int { return p.t.unroll * p.t.bytes() * (panel / p.t.lanes()) }

// turn writes the prefetches of one turn, n being left.
func (p *prefetcher) turn(n reg.Register) {
	if p.pace != nil {
		for line := range asking {
			if line == 1 || line == 4 { // few tiles share the weights, fewer still
				p.c.CMPQ(p.pace, operand.U32(uint32(64*line)))
				p.c.JBE(operand.LabelRef("asked"))
			}
			p.c.PREFETCHT0(operand.Mem{Base: p.at[0], Disp: 64 * line})
		}
		p.c.Label("asked")
		p.c.ADDQ(p.pace, p.at[0])
		return
	}
	if p.rest != nil {
		p.c.CMPQ(n, p.rest)
		p.c.JNE(operand.LabelRef("within"))
		for _, at := range p.at {
			p.c.ADDQ(p.bs, at)
		}
		p.c.Label("within")
	}
	for _, at := range p.at {
		for o := 0; o < p.bytes(); o += 64 {
			p.c.PREFETCHT0(operand.Mem{Base: at, Disp: o})
		}
		p.c.ADDQ(operand.U32(uint32(p.bytes())), at)
	}
}

func (t tile) advance(c *build.Context, a, b []reg.GPVirtual, n int) {
	for _, p := range a {
		c.ADDQ(operand.Imm(uint64(4*n)), p)
	}
	for _, p := range b {
		c.ADDQ(operand.U32(uint32(n*t.bytes()*(panel/t.lanes()))), p)
	}
}
