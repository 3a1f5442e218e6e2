package lens

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
)

// parquetLines is how many lines a row group has: its pages stay far below what a page's header can count.
const parquetLines = 1 << 16

// writeParquet writes a table in the Parquet format (apache/parquet-format), version 1: PLAIN, not compressed, one page for each column of a row group. That is all that a
// flat table needs, and some ten megabytes less in the binary than a library that does everything.
func writeParquet(w io.Writer, columns []column, lines int, meta [][2]string) error {
	f := parquetFile{Writer: w}
	f.write([]byte("PAR1"))
	for from := 0; from < lines && f.err == nil; from += parquetLines {
		f.group(columns, from, min(from+parquetLines, lines))
	}
	foot := f.footer(columns, lines, meta)
	f.write(foot)
	f.write(binary.LittleEndian.AppendUint32(nil, uint32(len(foot))))
	f.write([]byte("PAR1"))
	return f.err
}

// The numbers of parquet.thrift.
const (
	parquetInt64, parquetDouble, parquetBytes = 2, 5, 6 // Type
	parquetRequired, parquetOptional          = 0, 1    // FieldRepetitionType
	parquetPlain, parquetRLE                  = 0, 3    // Encoding
	parquetUTF8                               = 0       // ConvertedType
)

// physical is the type that a column is stored in.
func (c *column) physical() int64 {
	return map[columnKind]int64{whole: parquetInt64, number: parquetDouble, text: parquetBytes}[c.kind]
}

// parquetFile is a file being written; the first error sticks.
type parquetFile struct {
	io.Writer
	at     int64
	groups []parquetGroup
	err    error
}

type parquetGroup struct {
	lines  int
	chunks []parquetChunk
}

// parquetChunk is where one column of a row group lies.
type parquetChunk struct{ at, bytes int64 }

func (f *parquetFile) write(b []byte) {
	if f.err == nil {
		_, f.err = f.Write(b)
		f.at += int64(len(b))
	}
}

// group writes the lines from to to-1.
func (f *parquetFile) group(columns []column, from, to int) {
	g := parquetGroup{lines: to - from}
	for _, c := range columns {
		page := c.page(from, to)
		var head thrift
		head.whole32(1, 0) // DATA_PAGE
		head.whole32(2, int64(len(page)))
		head.whole32(3, int64(len(page)))
		head.begin(5)
		head.whole32(1, int64(to-from))
		head.whole32(2, parquetPlain)
		head.whole32(3, parquetRLE)
		head.whole32(4, parquetRLE)
		head.end()
		head.end()
		at := f.at
		f.write(head.Bytes())
		f.write(page)
		g.chunks = append(g.chunks, parquetChunk{at, f.at - at})
	}
	f.groups = append(f.groups, g)
}

// page is one column of some lines: which of them have a value, where some may have none, and the values.
func (c *column) page(from, to int) []byte {
	var b, levels []byte
	run, has := 0, false
	flush := func() {
		if run > 0 {
			levels = append(binary.AppendUvarint(levels, uint64(run)<<1), map[bool]byte{true: 1}[has])
		}
		run = 0
	}
	for i := from; i < to; i++ {
		v := c.at(i)
		if (v != nil) != has {
			flush()
			has = v != nil
		}
		run++
		switch v := v.(type) {
		case int:
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		case float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		case string:
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(v))), v...)
		}
	}
	flush()
	if !c.optional {
		return b
	}
	return append(append(binary.LittleEndian.AppendUint32(nil, uint32(len(levels))), levels...), b...)
}

// footer is FileMetaData.
func (f *parquetFile) footer(columns []column, lines int, meta [][2]string) []byte {
	var t thrift
	t.whole32(1, 1) // version
	t.list(2, thriftStruct, len(columns)+1)
	t.element()
	t.text(4, "cells")
	t.whole32(5, int64(len(columns)))
	t.end()
	for _, c := range columns {
		t.element()
		t.whole32(1, c.physical())
		t.whole32(3, map[bool]int64{true: parquetOptional}[c.optional])
		t.text(4, c.name)
		if c.kind == text {
			t.whole32(6, parquetUTF8)
		}
		t.end()
	}
	t.whole(3, int64(lines))
	t.list(4, thriftStruct, len(f.groups))
	for _, g := range f.groups {
		var all int64
		t.element()
		t.list(1, thriftStruct, len(columns))
		for i, c := range columns {
			all += g.chunks[i].bytes
			t.element()
			t.whole(2, g.chunks[i].at)
			t.begin(3)
			c.describe(&t, g.chunks[i], g.lines)
			t.end()
			t.end()
		}
		t.whole(2, all)
		t.whole(3, int64(g.lines))
		t.end()
	}
	t.list(5, thriftStruct, len(meta))
	for _, m := range meta {
		t.element()
		t.text(1, m[0])
		t.text(2, m[1])
		t.end()
	}
	t.text(6, "gopherlens")
	t.end()
	return t.Bytes()
}

// describe writes ColumnMetaData.
func (c *column) describe(t *thrift, k parquetChunk, lines int) {
	t.whole32(1, c.physical())
	t.list(2, thriftInt32, 2)
	t.zigzag(parquetPlain)
	t.zigzag(parquetRLE)
	t.list(3, thriftBinary, 1)
	t.bytes(c.name)
	t.whole32(4, 0) // UNCOMPRESSED
	t.whole(5, int64(lines))
	t.whole(6, k.bytes)
	t.whole(7, k.bytes)
	t.whole(9, k.at)
}

// thrift writes structs in Thrift's compact protocol, which Parquet's headers are in.
type thrift struct {
	bytes.Buffer
	last  int   // field written last in this struct
	outer []int // the same of the structs around it
}

const (
	thriftInt32, thriftInt64, thriftBinary, thriftList, thriftStruct = 5, 6, 8, 9, 12
)

func (t *thrift) field(id, kind int) {
	t.WriteByte(byte((id-t.last)<<4 | kind)) // fields are written in order, less than 16 apart
	t.last = id
}

func (t *thrift) zigzag(v int64) { t.Write(binary.AppendVarint(nil, v)) }

func (t *thrift) bytes(s string) {
	t.Write(binary.AppendUvarint(nil, uint64(len(s))))
	t.WriteString(s)
}

func (t *thrift) whole(id int, v int64)   { t.field(id, thriftInt64); t.zigzag(v) }
func (t *thrift) whole32(id int, v int64) { t.field(id, thriftInt32); t.zigzag(v) }
func (t *thrift) text(id int, s string)   { t.field(id, thriftBinary); t.bytes(s) }

func (t *thrift) list(id, kind, n int) {
	t.field(id, thriftList)
	if n < 15 {
		t.WriteByte(byte(n<<4 | kind))
		return
	}
	t.WriteByte(byte(15<<4 | kind))
	t.Write(binary.AppendUvarint(nil, uint64(n)))
}

// begin opens a struct in a field, element one in a list.
func (t *thrift) begin(id int) { t.field(id, thriftStruct); t.element() }
func (t *thrift) element()     { t.outer, t.last = append(t.outer, t.last), 0 }

// end closes a struct, the outermost too.
func (t *thrift) end() {
	t.WriteByte(0)
	if n := len(t.outer); n > 0 {
		t.last, t.outer = t.outer[n-1], t.outer[:n-1]
	}
}
