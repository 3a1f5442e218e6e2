package model

// minCache is the positions a cache holds room for at first; it doubles from there.
const minCache = 64

// Cache holds the keys and values of one sequence, as the attention of each layer reads them (keys rotated). It
// grows with the sequence and never past the context. One goroutine at a time.
type Cache struct {
	keys, values [][]float32 // by layer: [capacity, n_kv_heads, d_head]
	width        int         // n_kv_heads * d_head
	length       int
	limit        int // n_ctx
}

// NewCache returns the cache of an empty sequence.
func (m *Model) NewCache() *Cache {
	c := m.cfg
	return &Cache{make([][]float32, c.NLayers), make([][]float32, c.NLayers), c.NKVHeads * c.DHead, 0, c.NCtx}
}

// Len is the number of positions held.
func (c *Cache) Len() int { return c.length }

// Truncate forgets the positions from n on; n is at most Len.
func (c *Cache) Truncate(n int) { c.length = max(0, min(n, c.length)) }

// reserve makes room for n positions in every layer.
func (c *Cache) reserve(n int) {
	have := len(c.keys[0]) / c.width
	if n <= have {
		return
	}
	n = min(max(n, 2*have, minCache), c.limit)
	for _, layers := range [][][]float32{c.keys, c.values} {
		for l, old := range layers {
			layers[l] = make([]float32, n*c.width)
			copy(layers[l], old[:c.length*c.width])
		}
	}
}

// put writes the rows of new positions behind those of layer l and returns all of that layer.
func (c *Cache) put(layers [][]float32, l int, rows []float32) []float32 {
	copy(layers[l][c.length*c.width:], rows)
	return layers[l]
}
