package model

import (
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/x448/float16"
	"golang.org/x/sync/errgroup"

	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// Random returns a model of the shape that a config.json describes, with seeded weights of type F32, F16 or BF16, for measuring: its
// speed is that of a trained model, its output means nothing. Equal arguments give equal weights. They can be rounded like those of a
// checkpoint, not read lazily.
func Random(config []byte, dtype string, seed uint64, o Options) (*Model, error) {
	o.Lazy = false
	r := &random{dtype: dtype, seed: seed}
	switch dtype {
	case "F32", "F16", "BF16":
	default:
		return nil, fmt.Errorf("random weights of type %q are not supported (supported: F32, F16, BF16)", dtype)
	}
	m, b, err := bind(config, r, o)
	if err != nil {
		return nil, err
	}
	r.wants = b.wants
	if err := b.memory().fits(available()); err != nil {
		return nil, err
	}
	return m, m.finish(b, o)
}

// random is a source that has every tensor: numbers even in ±0.035, a deviation of about 0.02, and gains of norms about 1.
type random struct {
	dtype string
	seed  uint64
	wants []want
}

func (r *random) Names() []string { return nil }
func (r *random) Release(string)  {}

func (r *random) Info(name string) (weights.Info, bool) {
	return weights.Info{DType: r.dtype, File: "random weights"}, true
}

func (r *random) Stored(name string) (weights.Values, error) {
	i := slices.IndexFunc(r.wants, func(w want) bool { return w.name == name })
	n, centre := 1, 0.0
	for _, d := range r.wants[i].shape {
		n *= d
	}
	if len(r.wants[i].shape) == 1 && strings.HasSuffix(name, ".weight") {
		centre = 1
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, name) // a hash never fails to take bytes
	seed := r.seed ^ h.Sum64()
	const half = 0.035
	value := func(i int) float32 { return float32(centre + half*(float64(i)/(picks/2)-1)) }
	var v weights.Values
	switch r.dtype {
	case "F32":
		v.F32 = pick(n, seed, value)
	case "F16":
		v.F16 = pick(n, seed, func(i int) uint16 { return float16.Fromfloat32(value(i)).Bits() })
	case "BF16":
		v.BF16 = pick(n, seed, func(i int) uint16 { return uint16(math.Float32bits(value(i)) >> 16) })
	}
	return v, nil
}

// picks is how many different numbers a tensor has: as many as 12 bits tell apart.
const picks = 1 << 12

// pick returns n of the values of 0 to picks-1.
func pick[T any](n int, seed uint64, value func(i int) T) []T {
	var table [picks]T
	for i := range table {
		table[i] = value(i)
	}
	out := make([]T, n)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	const part = 5 << 18
	for at := 0; at < n; at += part {
		group.Go(func() error {
			state := seed + uint64(at)
			for to := out[at:min(at+part, n)]; len(to) > 0; to = to[min(5, len(to)):] {
				// SplitMix64 (Steele, Lea and Flood 2014); five picks of each number.
				state += 0x9e3779b97f4a7c15
				z := (state ^ state>>30) * 0xbf58476d1ce4e5b9
				z = (z ^ z>>27) * 0x94d049bb133111eb
				z ^= z >> 31
				for i := range to[:min(5, len(to))] {
					to[i] = table[z%picks]
					z >>= 12
				}
			}
			return nil
		})
	}
	_ = group.Wait() // nothing in it fails
	return out
}
