package cache_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/cache"
)

// Shapes of GPT-2 small and of a 7B Llama.
var shapes = map[string]cache.Space{
	"gpt2": {Model: "gpt2", Rows: 13, DModel: 768},
	"7b":   {Model: "7b", Rows: 33, DModel: 4096},
}

var shapeNames = []string{"gpt2", "7b"}

// perLayer is the layout that the project began with and that ours is compared with: a file per layer, to which the
// float16 vector of each token is appended.
type perLayer struct {
	files []*os.File
	buf   []byte
}

func newPerLayer(b *testing.B, dir string, sp cache.Space) *perLayer {
	p := &perLayer{buf: make([]byte, 2*sp.DModel)}
	for r := range sp.Rows {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(r)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		must(b, err)
		p.files = append(p.files, f)
	}
	b.Cleanup(func() {
		for _, f := range p.files {
			f.Close()
		}
	})
	return p
}

func (p *perLayer) append(row []float32) error {
	d := len(p.buf) / 2
	for r, f := range p.files {
		for i, v := range row[r*d : (r+1)*d] {
			h := uint16(math.Float32bits(v) >> 16) // of any 16 bits: what they say costs nothing
			p.buf[2*i], p.buf[2*i+1] = byte(h), byte(h>>8)
		}
		if _, err := f.Write(p.buf); err != nil {
			return err
		}
	}
	return nil
}

func (p *perLayer) sync(delay time.Duration) error {
	for _, f := range p.files {
		time.Sleep(delay)
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// slowSyncs is a disk that takes longer to sync.
type slowSyncs struct {
	cache.Filesystem
	delay time.Duration
}

type slowSyncFile struct {
	cache.File
	delay time.Duration
}

func (d slowSyncs) OpenWrite(name string, excl bool) (cache.File, error) {
	f, err := d.Filesystem.OpenWrite(name, excl)
	if err != nil {
		return nil, err
	}
	return slowSyncFile{f, d.delay}, nil
}

func (f slowSyncFile) Sync() error {
	time.Sleep(f.delay)
	return f.File.Sync()
}

// BenchmarkAppend appends one token at a time, as generation does, and syncs every 16; beside it, by turns, the layout of
// one file per layer does the same. The metric x is how many times faster ours is, by the median of the turns. The
// turn of the other begins when nothing is left to do in the background; sealed-x counts that time too. What decides is
// how long the disk takes to sync, sync-ms: ours asks for it once where the other does for each layer. So there are turns
// with a delay besides, as of a disk that has to write.
func BenchmarkAppend(b *testing.B) {
	for _, name := range shapeNames {
		for _, delay := range []time.Duration{0, 2 * time.Millisecond} {
			b.Run(fmt.Sprintf("%s/sync+%v", name, delay), func(b *testing.B) { benchAppend(b, shapes[name], delay) })
		}
	}
}

func benchAppend(b *testing.B, sp cache.Space, delay time.Duration) {
	rows := noise(sp, 1, 16)
	n := sp.Rows * sp.DModel
	record := make([]byte, 800)
	s, err := cache.OpenOn(b.TempDir(), cache.Options{MaxConversationDisk: -1}, func(d cache.Filesystem) cache.Filesystem { return slowSyncs{d, delay} })
	must(b, err)
	defer s.Close()
	c, err := s.Create("", sp)
	must(b, err)
	old := newPerLayer(b, b.TempDir(), sp)
	var ours, settled, theirs, syncs []float64
	at := 0
	for b.Loop() {
		start := time.Now()
		for i := range 16 {
			must(b, c.Append([]cache.Token{{ID: at, Record: record}}, rows[i*n:(i+1)*n]))
			at++
		}
		ours = append(ours, time.Since(start).Seconds())
		s.Idle()
		middle := time.Now()
		settled = append(settled, middle.Sub(start).Seconds())
		for i := range 16 {
			must(b, old.append(rows[i*n:(i+1)*n]))
		}
		written := time.Now()
		must(b, old.sync(delay))
		syncs = append(syncs, time.Since(written).Seconds()/float64(sp.Rows))
		theirs = append(theirs, time.Since(middle).Seconds())
	}
	b.ReportMetric(16/median(ours), "tokens/s")
	b.ReportMetric(16/median(theirs), "per-layer-tokens/s")
	b.ReportMetric(median(theirs)/median(ours), "x")
	b.ReportMetric(median(theirs)/median(settled), "sealed-x")
	b.ReportMetric(median(syncs)*1e3, "sync-ms")
}

func median(v []float64) float64 { return percentile(v, 0.5) }

func percentile(v []float64, p float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[min(int(p*float64(len(v))), len(v)-1)]
}

// BenchmarkClick reads a window of 15 tokens, which touches two blocks: warm from memory, cold in a store that was just
// opened, of all layers and of one (the operating system still has the files). A click on what the lens showed needs
// only records. p99-ms is the 99th percentile.
func BenchmarkClick(b *testing.B) {
	for _, name := range shapeNames {
		sp := shapes[name]
		dir := b.TempDir()
		s := open(b, dir, quick)
		c, err := s.Create("a", sp)
		must(b, err)
		toks := make([]cache.Token, 48)
		for i := range toks {
			toks[i] = cache.Token{ID: i, Record: make([]byte, 800)}
		}
		must(b, c.Append(toks, noise(sp, 1, 48)))
		s.Settle()
		all := seq(0, sp.Rows)
		click := func(b *testing.B, c *cache.Conversation, layers []int) {
			if _, err := c.Layers(b.Context(), 10, 25, layers, mustNotRecompute); err != nil {
				b.Fatal(err)
			}
		}
		timed := func(name string, before func(b *testing.B) *cache.Conversation, layers []int) {
			b.Run(name, func(b *testing.B) {
				var took []float64
				for b.Loop() {
					c := before(b)
					start := time.Now()
					click(b, c, layers)
					took = append(took, time.Since(start).Seconds()*1e3)
				}
				b.ReportMetric(percentile(took, 0.99), "p99-ms")
				b.ReportMetric(median(took), "median-ms")
			})
		}
		cold := func(b *testing.B) *cache.Conversation {
			s, err := cache.Open(dir, quick)
			must(b, err)
			c := conversation(b, s, "a")
			b.Cleanup(func() { s.Close() })
			return c
		}
		timed(name+"/warm", func(*testing.B) *cache.Conversation { return c }, all)
		timed(name+"/cold", cold, all)
		timed(name+"/cold-one-layer", cold, []int{3})
		b.Run(name+"/record", func(b *testing.B) {
			for b.Loop() {
				if _, err := c.Record(17); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHitRatio runs the trace of the design: ten conversations of 300 tokens written in three sessions, 30 tokens
// and 20 clicks a turn, most of them on what is recent, with scans now and then; memory holds a third of it all. The
// metric is the part of the clicks that were wholly served from memory.
func BenchmarkHitRatio(b *testing.B) {
	for _, policy := range []string{cache.PolicyRistretto, cache.PolicyLRU} {
		b.Run(policy, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(clickTrace(b, policy), "clicks-from-memory")
			}
		})
	}
}

func clickTrace(b testing.TB, policy string) float64 {
	sp := cache.Space{Model: "m", Rows: 13, DModel: 32}
	const convs, turns, perTurn = 10, 10, 30
	blockBytes := 16 * sp.Rows * sp.DModel * 2
	opt := cache.Options{Sync: cache.SyncNever, MemoryPolicy: policy, MaxMemory: int64(convs * turns * perTurn / 16 * (blockBytes + 672) / 3)}
	fs := cache.NewMemFS()
	s := openDisk(b, fs, opt)
	defer s.Close()
	rnd := rand.New(rand.NewPCG(1, 1))
	all := make([]*cache.Conversation, convs)
	rows := noise(sp, 1, perTurn)
	clicks, served := 0, 0
	read := func(c *cache.Conversation, from, to int) bool {
		before := s.Status().Memory.Misses
		must(b, second(c.Rows(b.Context(), from, to, mustNotRecompute)))
		return s.Status().Memory.Misses == before
	}
	for i := range all {
		var err error
		all[i], err = s.Create(fmt.Sprint(i), sp)
		must(b, err)
		for turn := range turns {
			toks := make([]cache.Token, perTurn)
			for k := range toks {
				toks[k] = cache.Token{ID: 1000*i + turn*perTurn + k}
			}
			must(b, all[i].Append(toks, rows))
			for range 20 {
				c := all[i]
				if i > 0 && rnd.IntN(5) == 0 {
					c = all[rnd.IntN(i)]
				}
				end := max(c.Len()-int(rnd.ExpFloat64()*30), 1)
				clicks++
				if read(c, max(end-15, 0), end) {
					served++
				}
			}
			switch {
			case (i*turns+turn)%50 == 49:
				for _, c := range all[:i+1] {
					read(c, 0, c.Len())
				}
			case turn == turns-1:
				read(all[i], 0, all[i].Len())
			}
		}
	}
	return float64(served) / float64(clicks)
}

// The trace is deterministic but for what the policy draws, so its ratio can be held to a floor.
func TestHitRatio(t *testing.T) {
	for policy, floor := range map[string]float64{cache.PolicyRistretto: 0.85, cache.PolicyLRU: 0.85} {
		ratio := clickTrace(t, policy)
		t.Logf("%s: %.3f of the clicks from memory, with room for a third", policy, ratio)
		if ratio < floor {
			t.Errorf("%s: %.3f of the clicks were served from memory, want %.2f", policy, ratio, floor)
		}
	}
}

// BenchmarkSize stores rows with the statistics of a trained model. ratio is bytes on disk to bytes of raw float16.
func BenchmarkSize(b *testing.B) {
	for _, codec := range []cache.Codec{cache.CodecF16, cache.CodecF32, cache.CodecCompact} {
		b.Run(string(codec), func(b *testing.B) {
			sp := shapes["gpt2"]
			for b.Loop() {
				s := open(b, b.TempDir(), cache.Options{Sync: cache.SyncNever, Codec: codec})
				c, err := s.Create("", sp)
				must(b, err)
				toks := make([]cache.Token, 64)
				for i := range toks {
					toks[i].ID = i
				}
				must(b, c.Append(toks, noise(sp, 1, 64)))
				s.Settle()
				b.ReportMetric(float64(s.Status().Disk.Bytes)/float64(64*2*sp.Rows*sp.DModel), "ratio")
			}
		})
	}
}

// BenchmarkOpen opens a cache of a thousand conversations, and then lists them, which reads their tokens.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir, quick)
	for i := range 1000 {
		must(b, appendIDs(create(b, s, fmt.Sprint("c", i)), seq(i, 20)...))
	}
	must(b, s.Close())
	for b.Loop() {
		start := time.Now()
		s, err := cache.Open(dir, quick)
		must(b, err)
		opened := time.Since(start)
		must(b, second(s.List()))
		b.ReportMetric(opened.Seconds()*1e3, "open-ms")
		b.ReportMetric(time.Since(start).Seconds()*1e3, "open+list-ms")
		must(b, s.Close())
	}
}

// BenchmarkCheck checks a cache, and by turns only reads its files; both are in the memory of the system. rate is that
// of the check to that of reading.
func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir, cache.Options{Sync: cache.SyncNever, MaxConversationDisk: -1})
	sp := shapes["7b"]
	c, err := s.Create("", sp)
	must(b, err)
	rows := noise(sp, 1, 16)
	for at := range 24 {
		toks := make([]cache.Token, 16)
		for i := range toks {
			toks[i].ID = 16*at + i
		}
		must(b, c.Append(toks, rows))
	}
	must(b, s.Close())
	var checked, readOnly []float64
	var bytes int64
	for b.Loop() {
		start := time.Now()
		ck := new(cache.Checker)
		for p := range ck.Run(dir) {
			b.Fatal(p)
		}
		bytes = ck.Summary.Bytes
		checked = append(checked, time.Since(start).Seconds())
		start = time.Now()
		for _, name := range blockFiles(b, dir) {
			dropCaches(b, name)
		}
		start = time.Now()
		for _, name := range blockFiles(b, dir) {
			read(b, name)
		}
		readOnly = append(readOnly, time.Since(start).Seconds())
	}
	b.ReportMetric(float64(bytes)/median(checked)/1e6, "check-MB/s")
	b.ReportMetric(float64(bytes)/median(readOnly)/1e6, "cold-read-MB/s")
	b.ReportMetric(median(readOnly)/median(checked), "rate")
}
