package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"
)

type item struct {
	ID    int            `json:"id" xml:"id,attr"`
	Name  string         `json:"name" xml:"name"`
	Tags  []string       `json:"tags,omitempty" xml:"tag"`
	Meta  map[string]any `json:"meta,omitempty" xml:"-"`
	Inner *item          `json:"inner,omitempty" xml:"-"`
	skip  int
}

type stamp struct{ time.Time }

func (s stamp) MarshalText() ([]byte, error) { return []byte(s.Format("2006")), nil }

func main() {
	it := item{1, "a", []string{"x", "y"}, map[string]any{"k": 1.5, "b": true}, &item{ID: 2}, 9}
	b, err := json.MarshalIndent(it, "", " ")
	fmt.Println(string(b), err)
	var back item
	fmt.Println(json.Unmarshal(b, &back), back.Inner.ID, back.Meta["k"], back.Tags)
	var anyv any
	json.Unmarshal([]byte(`{"a":[1,2,{"b":null}],"c":"d"}`), &anyv)
	fmt.Println(anyv)
	x, _ := xml.Marshal(it)
	fmt.Println(string(x))
	var buf bytes.Buffer
	binary.Write(&buf, binary.LittleEndian, struct {
		A uint16
		B int32
	}{1, -2})
	fmt.Println(hex.EncodeToString(buf.Bytes()), base64.StdEncoding.EncodeToString([]byte("hi")))
	fmt.Printf("%x\n", sha256.Sum256([]byte("abc")))
	rows, _ := csv.NewReader(strings.NewReader("a,b\n\"c,d\",e\n")).ReadAll()
	fmt.Println(rows, len(rows))
	d := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	fmt.Println(d.AddDate(1, 0, 0).Format(time.RFC3339), d.Weekday(), 90*time.Minute)
	j, _ := json.Marshal(map[string]stamp{"t": {d}})
	fmt.Println(string(j))
	t := template.Must(template.New("t").Funcs(template.FuncMap{"up": strings.ToUpper}).Parse("{{range $i, $e := .Tags}}{{$i}}={{up $e}} {{end}}{{.Name | printf \"%q\"}}\n"))
	t.Execute(os.Stdout, it)
}
