package cache_test

import (
	"context"
	"fmt"
	"os"

	"github.com/gopherlens/gopherlens/cache"
)

// A conversation written by one process is read by the next.
func Example() {
	dir, err := os.MkdirTemp("", "cache")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	space := cache.Space{Numerics: "float32", Model: "digest of the weights", Tokenizer: "digest", Rows: 2, DModel: 3}

	store, err := cache.Open(dir, cache.Options{})
	if err != nil {
		panic(err)
	}
	chat, err := store.Create("capitals", space)
	if err != nil {
		panic(err)
	}
	rows := []float32{1, 2, 3, 4, 5, 6} // [1, rows, d_model]
	if err := chat.Append([]cache.Token{{ID: 42, Record: []byte("top-k")}}, rows); err != nil {
		panic(err)
	}
	if err := store.Close(); err != nil {
		panic(err)
	}

	store, err = cache.Open(dir, cache.Options{})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	chat, n := store.Prefix(space, []int{42, 43})
	got, err := chat.Rows(context.Background(), 0, n, nil)
	if err != nil {
		panic(err)
	}
	record, err := chat.Record(0)
	if err != nil {
		panic(err)
	}
	fmt.Println(chat.ID(), n, got, string(record))
	// Output: capitals 1 [1 2 3 4 5 6] top-k
}
