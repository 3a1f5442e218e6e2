package cache_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
	"pgregory.net/rapid"
)

// TestAgainstMap runs random operations on a store and on a plain map. Blocks vanish, memory is scarce or generous,
// stores are closed and opened: the answers stay the same.
func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "cache")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &machine{dir: dir, want: map[string][]int{}, events: map[string]int{}}
		m.opt = cache.Options{
			Sync:         cache.SyncNever,
			MemoryPolicy: rapid.SampledFrom([]string{cache.PolicyLRU, cache.PolicyRistretto}).Draw(t, "policy"),
			MaxMemory:    rapid.SampledFrom([]int64{1, 2000, 1 << 20}).Draw(t, "memory"),
			SweepGrace:   1,
			Codec:        rapid.SampledFrom([]cache.Codec{cache.CodecF16, cache.CodecF32, cache.CodecCompact}).Draw(t, "codec"),
			Block:        rapid.SampledFrom([]int{1, 8, 16, 64}).Draw(t, "block"),
			Layers:       rapid.SampledFrom([][]int{nil, nil, {0, -1}}).Draw(t, "layers"),

			MaxDisk:             rapid.SampledFrom([]int64{0, 1, 20 << 10}).Draw(t, "disk"),
			MaxConversationDisk: rapid.SampledFrom([]int64{-1, 1, 4000}).Draw(t, "disk of one"),
		}
		m.reopen(t)
		defer func() { m.s.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"":            m.compare,
			"append":      m.append,
			"append more": m.append, // appends are what there is most of
			"event":       m.event,
			"create":      m.create,
			"delete":      m.delete,
			"rename":      m.rename,
			"branch":      m.branch,
			"prefix":      m.prefix,
			"reopen":      m.reopen,
			"lose":        m.lose,
		})
	})
}

type machine struct {
	dir    string
	opt    cache.Options
	s      *cache.Store
	want   map[string][]int
	events map[string]int
}

func check(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func anID(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "A", "b", "x.", "~"}).Draw(t, "id")
}

func (m *machine) reopen(t *rapid.T) {
	if m.s != nil {
		check(t, m.s.Close())
		for p := range cache.Check(m.dir) {
			t.Fatal(p)
		}
		m.withinLimits(t)
	}
	var err error
	m.s, err = cache.Open(m.dir, m.opt)
	check(t, err)
}

// get opens a conversation or agrees that there is none.
func (m *machine) get(t *rapid.T, id string) *cache.Conversation {
	c, err := m.s.Conversation(id)
	if _, ok := m.want[id]; ok != (err == nil) {
		t.Fatalf("%s exists: %v, but %v", id, ok, err)
	}
	return c
}

func (m *machine) create(t *rapid.T) {
	id := anID(t)
	_, err := m.s.Create(id, small)
	if _, ok := m.want[id]; ok != (err != nil) {
		t.Fatalf("%s exists: %v, but %v", id, ok, err)
	}
	if err == nil {
		m.want[id], m.events[id] = []int{}, 0
	}
}

func (m *machine) append(t *rapid.T) {
	id := anID(t)
	if c := m.get(t, id); c != nil {
		// Few ids, so that conversations share blocks.
		more := slices.Repeat([]int{rapid.IntRange(0, 1).Draw(t, "token")}, rapid.IntRange(1, 40).Draw(t, "n"))
		if rapid.IntRange(0, 9).Draw(t, "no rows") == 0 {
			check(t, c.Append(tokens(c.Len(), more...), nil))
		} else {
			check(t, appendIDs(c, more...))
		}
		m.want[id] = append(m.want[id], more...)
	}
}

func (m *machine) event(t *rapid.T) {
	id := anID(t)
	if c := m.get(t, id); c != nil {
		check(t, c.AddEvent([]byte(`{}`)))
		m.events[id]++
	}
}

func (m *machine) delete(t *rapid.T) {
	id := anID(t)
	if m.get(t, id) != nil {
		check(t, m.s.Delete(id))
		delete(m.want, id)
		delete(m.events, id)
		check(t, second(m.s.Sweep()))
	}
}

func (m *machine) rename(t *rapid.T) {
	old, id := anID(t), anID(t)
	err := m.s.Rename(old, id)
	_, from := m.want[old]
	_, to := m.want[id]
	if ok := from && (!to || old == id); ok != (err == nil) {
		t.Fatalf("rename %s to %s: %v", old, id, err)
	}
	if err == nil && old != id {
		m.want[id], m.events[id] = m.want[old], m.events[old]
		delete(m.want, old)
		delete(m.events, old)
	}
}

// branch makes a conversation that begins as another and goes on as a third.
func (m *machine) branch(t *rapid.T) {
	from, id := anID(t), anID(t)
	src, old := m.get(t, from), m.get(t, id)
	if src == nil || old != nil {
		return
	}
	c, err := m.s.Create(id, small)
	check(t, err)
	n := rapid.IntRange(0, len(m.want[from])).Draw(t, "tokens")
	k := rapid.IntRange(0, n).Draw(t, "in the first step")
	check(t, c.AppendFrom(src, 0, k))
	check(t, c.AppendFrom(src, k, n))
	m.want[id], m.events[id] = slices.Clone(m.want[from][:n]), 0
}

func (m *machine) prefix(t *rapid.T) {
	ids := rapid.SliceOfN(rapid.IntRange(0, 1), 0, 40).Draw(t, "ids")
	best := 0
	for _, toks := range m.want {
		best = max(best, common(toks, ids))
	}
	c, n := m.s.Prefix(small, ids)
	if n != best || (c == nil) != (n == 0) || c != nil && common(c.Tokens(), ids) != n {
		t.Fatalf("prefix of %d tokens, want %d", n, best)
	}
}

func common(a, b []int) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// withinLimits looks at a folder that is closed: what is evicted are rows, and of them no more is left than allowed.
func (m *machine) withinLimits(t *rapid.T) {
	var rows, all int64
	err := filepath.WalkDir(m.dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && strings.Contains(name, "/conv/") && e.Name() != "metadata.json" {
			all += info.Size()
		} else if err == nil && strings.Contains(name, "/blocks/") {
			all, rows = all+info.Size(), rows+info.Size()
		}
		return err
	})
	check(t, err)
	if m.opt.MaxDisk > 0 && rows > 0 && all > m.opt.MaxDisk+64<<10 { // logs grow also when no rows are stored
		t.Fatalf("%d bytes, %d of them rows, with a limit of %d", all, rows, m.opt.MaxDisk)
	}
	if n := int64(len(m.want)); m.opt.MaxConversationDisk == 1 && m.opt.MaxDisk == 1 && rows > 0 {
		t.Fatalf("%d bytes of rows of %d conversations", rows, n)
	}
}

// lose takes a block away or damages it.
func (m *machine) lose(t *rapid.T) {
	files, err := filepath.Glob(filepath.Join(m.dir, "blocks/*/*"))
	check(t, err)
	if len(files) == 0 {
		return
	}
	name := rapid.SampledFrom(files).Draw(t, "block")
	if rapid.Bool().Draw(t, "remove") {
		check(t, os.Remove(name))
		return
	}
	check(t, os.WriteFile(name, []byte("damaged"), 0o600))
	// The next reader finds it; the checker must not, so read it now.
	for id := range m.want {
		m.read(t, id)
	}
	if data, err := os.ReadFile(name); err == nil && string(data) == "damaged" {
		check(t, os.Remove(name)) // named by no conversation
	}
}

func (m *machine) compare(t *rapid.T) {
	if len(m.want) == 0 {
		return
	}
	var names []string
	for id := range m.want {
		names = append(names, id)
	}
	slices.Sort(names)
	m.read(t, rapid.SampledFrom(names).Draw(t, "compared"))
	list, err := m.s.List()
	check(t, err)
	if len(list) != len(names) {
		t.Fatalf("%d conversations listed of %d", len(list), len(names))
	}
}

func (m *machine) read(t *rapid.T, id string) {
	c, want := m.get(t, id), m.want[id]
	if !slices.Equal(c.Tokens(), want) || len(c.Events()) != m.events[id] {
		t.Fatalf("%s has tokens %v and %d events, want %v and %d", id, c.Tokens(), len(c.Events()), want, m.events[id])
	}
	from := 0
	if len(want) > 0 {
		from = rapid.IntRange(0, len(want)).Draw(t, "from")
	}
	rows, err := c.Rows(context.Background(), from, len(want), recompute(small))
	check(t, err)
	n := small.Rows * small.DModel
	all := storedAs(m.opt.Codec, small, model(small, want))[from*n:]
	if !sameBits(rows, all) {
		t.Fatalf("%s: rows from %d differ", id, from)
	}
	layers := rapid.SampledFrom([][]int{{}, {2}, {0}, {2, 0}, {1, 1}}).Draw(t, "rows")
	some, err := c.Layers(context.Background(), from, len(want), layers, recompute(small))
	check(t, err)
	var wantSome []float32
	for at := 0; at < len(all); at += n {
		for _, r := range layers {
			wantSome = append(wantSome, all[at+r*small.DModel:at+(r+1)*small.DModel]...)
		}
	}
	if !sameBits(some, wantSome) {
		t.Fatalf("%s: rows %v from %d differ", id, layers, from)
	}
}
