package lens_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

// What is written, read by JavaScript that knows nothing of us: zarr by zarrita, Parquet by hyparquet. npm gets them, so this is for the slow suite.
func TestJavaScriptReaders(t *testing.T) {
	if os.Getenv("GOPHERLENS_SLOW") == "" {
		t.Skip("left out without GOPHERLENS_SLOW")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("no npm here: nobody reads in JavaScript what is written")
	}
	dir := t.TempDir()
	npm := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "zarrita@0.7.5", "hyparquet@1.33.0")
	if out, err := npm.CombinedOutput(); err != nil {
		t.Skipf("npm cannot get the readers: %v: %s", err, out)
	}
	t.Setenv(cache.EnvCodec, string(cache.CodecF32)) // Node has Float16Array, which zarrita wants for float16, from version 24 on
	cacheDir := filepath.Join(dir, "cache")
	m := loadIn(t, lens.Embedded, cacheDir)
	g := exportedGrid(t, m)
	var parquet, npz bytes.Buffer
	var want map[string]any
	b, err := json.Marshal(g)
	if err := errors.Join(err, g.Parquet(&parquet), g.NPZ(&npz), g.Zarr(filepath.Join(dir, "grid.zarr")), json.Unmarshal(b, &want)); err != nil {
		t.Fatal(err)
	}
	c, err := m.Complete(context.Background(), "The capital of France is", lens.ChatOptions{ID: "capitals", MaxTokens: 3})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Residuals(context.Background(), 0, 8)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Zarr(filepath.Join(dir, "rows.zarr")), os.WriteFile(filepath.Join(dir, "cells.parquet"), parquet.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	exportConversation(t, cacheDir, "capitals", filepath.Join(dir, "cache.zarr"))
	if err := os.WriteFile(filepath.Join(dir, "read.mjs"), []byte(javaScript), 0o644); err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "read.mjs")
	node.Dir = dir
	var stderr bytes.Buffer
	node.Stderr = &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var read struct {
		Columns            map[string][]any
		Grid               map[string][]*float64
		Rows, Cache        []float32
		RowsShape, Shape   []int
		Attributes, Tokens []any
	}
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	sameAsCSV(t, g, read.Columns)
	if !equal(read.Shape, []int{len(g.Rows), len(g.IDs)}) || !equal(read.RowsShape, []int{r.Positions, len(r.Rows), r.DModel}) || len(read.Tokens) != len(g.IDs) {
		t.Errorf("shapes %v and %v, %d tokens", read.Shape, read.RowsShape, len(read.Tokens))
	}
	for s, got := range read.Grid {
		for i, v := range got {
			x := g.Cells[i/len(g.IDs)][i%len(g.IDs)].Value(lens.Statistic(s))
			if v == nil && x == x || v != nil && *v != x {
				t.Fatalf("%s[%d]: zarrita reads %v, written %v", s, i, v, x)
			}
		}
	}
	if !slices.Equal(read.Rows, r.Data) || !slices.Equal(read.Cache, r.Data) {
		t.Error("residual rows differ from those written")
	}
}

// exportConversation writes what the cache has of a conversation, as gopherlens cache export does.
func exportConversation(t *testing.T, from, id, dir string) {
	t.Helper()
	s, err := cache.Open(from, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Conversation(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Export(context.Background(), dir, nil, nil); err != nil {
		t.Fatal(err)
	}
}

const javaScript = `
import * as zarr from "zarrita";
import { FileSystemStore } from "@zarrita/storage";
import { parquetReadObjects, asyncBufferFromFile } from "hyparquet";
const plain = v => typeof v === "bigint" ? Number(v) : v ?? null;
const open = async (path, name) => zarr.open(zarr.root(new FileSystemStore(path)).resolve(name), { kind: "array" });
const read = async (path, name) => await zarr.get(await open(path, name));
const columns = {};
for (const line of await parquetReadObjects({ file: await asyncBufferFromFile("cells.parquet") }))
  for (const [k, v] of Object.entries(line)) (columns[k] ??= []).push(plain(v));
const grid = {};
let shape;
for (const name of ["entropy", "kl", "js", "cross_entropy", "rank"]) {
  const a = await read("grid.zarr", name);
  shape = a.shape;
  grid[name] = [...a.data].map(v => Number.isNaN(v) ? null : v);
}
const group = await zarr.open(zarr.root(new FileSystemStore("grid.zarr")), { kind: "group" });
const rows = await read("rows.zarr", "rows"), stored = await read("cache.zarr", "rows");
console.log(JSON.stringify({ columns, grid, shape, tokens: group.attrs.tokens, rows: [...rows.data], rowsShape: rows.shape, cache: [...stored.data] }));
`
