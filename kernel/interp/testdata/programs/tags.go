package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"container/list"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"text/tabwriter"
	"text/template"
)

type Addr struct {
	Street string `json:"street" xml:"st,attr"`
	Zip    *int   `json:"zip,omitempty" xml:"zip"`
}
type Person struct {
	Name   string   `json:"name" xml:"name"`
	Age    int      `json:"age,string" xml:"age"`
	Emails []string `json:"emails" xml:"emails>email"`
	Addr   `json:"addr" xml:"addr"`
	secret string
	Skip   int            `json:"-" xml:"-"`
	Extra  map[string]any `json:"extra,omitempty" xml:"-"`
	T      Temp           `json:"t" xml:"t"`
}
type Temp float64

func (t Temp) MarshalJSON() ([]byte, error) { return []byte(fmt.Sprintf(`"%.1fC"`, float64(t))), nil }
func (t *Temp) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	_, err := fmt.Sscanf(s, "%fC", (*float64)(t))
	return err
}

type Level int

func (l Level) MarshalText() ([]byte, error) { return []byte(fmt.Sprint("L", int(l))), nil }
func (l *Level) UnmarshalText(b []byte) error {
	if len(b) < 2 {
		return errors.New("short")
	}
	*l = Level(b[1] - '0')
	return nil
}

type rot13 struct{ r io.Reader }

func (r rot13) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	for i := range p[:n] {
		c := p[i]
		switch {
		case c >= 'a' && c <= 'z':
			p[i] = 'a' + (c-'a'+13)%26
		case c >= 'A' && c <= 'Z':
			p[i] = 'A' + (c-'A'+13)%26
		}
	}
	return n, err
}

type byLen []string

func (b byLen) Len() int           { return len(b) }
func (b byLen) Less(i, j int) bool { return len(b[i]) < len(b[j]) }
func (b byLen) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

type cnt struct{ n int }

func (c *cnt) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }
func (c cnt) Hello(s string, n int) string { return strings.Repeat(s, n) }
func main() {
	zip := 123
	p := Person{Name: "Ann", Age: 5, Emails: []string{"a@b"}, Addr: Addr{"S1", &zip}, secret: "x", Skip: 9, T: 36.6}
	b, err := json.Marshal(p)
	fmt.Println(string(b), err)
	bi, _ := json.MarshalIndent(map[string]any{"z": 1, "a": []int{1}, "l": map[Level]Level{2: 3}}, "", " ")
	fmt.Println(string(bi))
	var q Person
	err = json.Unmarshal([]byte(`{"name":"Bob","age":"7","emails":["x","y"],"addr":{"street":"Q","zip":4},"extra":{"k":[1,2.5,"s",null,true]},"t":"12.5C"}`), &q)
	fmt.Println(q.Name, q.Age, q.Emails, q.Street, *q.Zip, q.Extra, q.T, err)
	err = json.Unmarshal([]byte(`{"name":5}`), &q)
	fmt.Println(err)
	var ute *json.UnmarshalTypeError
	fmt.Println(errors.As(err, &ute))
	err = json.Unmarshal([]byte(`{"name":`), &q)
	fmt.Println(err)
	x, err := xml.MarshalIndent(p, "", " ")
	fmt.Println(string(x), err)
	var px Person
	fmt.Println(xml.Unmarshal(x, &px), px.Name, px.Emails, *px.Zip)
	rec, err := csv.NewReader(strings.NewReader("a,b\n\"q,1\",2\n")).ReadAll()
	fmt.Println(rec, err)
	cw := csv.NewWriter(os.Stdout)
	cw.Write([]string{"x y", "a,b", "q\"r"})
	cw.Flush()
	re := regexp.MustCompile(`(?P<k>\w+)=(?P<v>\d+)`)
	fmt.Println(re.FindAllStringSubmatch("a=1 b=22 c=x", -1), re.ReplaceAllString("a=1", "$v=$k"), re.SubexpNames(), re.ReplaceAllStringFunc("a=1 b=2", strings.ToUpper))
	tm := template.Must(template.New("t").Funcs(template.FuncMap{"up": strings.ToUpper}).Parse("{{range $i, $e := .Emails}}{{$i}}:{{$e | up}} {{end}}{{.Name | printf \"%q\"}} {{with .Addr}}{{.Street}}{{end}}{{if gt .Age 3}} big{{end}}\n"))
	fmt.Println(tm.Execute(os.Stdout, p))
	tw := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight|tabwriter.Debug)
	fmt.Fprintln(tw, "a\tbbb\tc")
	fmt.Fprintln(tw, "aaaa\tb\tcc")
	tw.Flush()
	sc := bufio.NewScanner(strings.NewReader("one two\nthree"))
	sc.Split(bufio.ScanWords)
	for sc.Scan() {
		fmt.Print(sc.Text(), "|")
	}
	fmt.Println()
	r := rand.New(rand.NewPCG(1, 2))
	fmt.Println(r.IntN(100), r.IntN(100), r.Perm(5), r.Float64(), r.Uint32(), r.NormFloat64())
	cc := rand.New(rand.NewChaCha8([32]byte{1}))
	fmt.Println(cc.Int64())
	a, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	f := big.NewInt(1)
	for i := int64(1); i <= 30; i++ {
		f.Mul(f, big.NewInt(i))
	}
	fmt.Println(a, f, new(big.Int).Exp(big.NewInt(2), big.NewInt(100), nil), a.Cmp(f), new(big.Rat).SetFrac64(6, 4), new(big.Int).Mod(f, big.NewInt(1000007)))
	fmt.Printf("%x %s %s\n", sha256.Sum256([]byte("a")), base64.StdEncoding.EncodeToString([]byte("hello?")), hex.EncodeToString([]byte{1, 255}))
	fmt.Println(binary.BigEndian.Uint32([]byte{1, 2, 3, 4}), binary.LittleEndian.AppendUint16(nil, 513), crc32.ChecksumIEEE([]byte("abc")))
	io.Copy(os.Stdout, rot13{strings.NewReader("Uryyb, Jbeyq!\n")})
	s := byLen{"ccc", "a", "bb"}
	sort.Sort(s)
	fmt.Println(s)
	c := &cnt{}
	fmt.Fprintf(c, "hello %d", 5)
	fmt.Println(c.n)
	mw := io.MultiWriter(c, os.Stdout)
	io.WriteString(mw, "mw\n")
	tr := io.TeeReader(io.LimitReader(strings.NewReader("abcdef"), 3), c)
	all, _ := io.ReadAll(tr)
	fmt.Println(string(all), c.n)
	t := reflect.TypeOf(p)
	for i := range t.NumField() {
		fl := t.Field(i)
		fmt.Print(fl.Name, " ", fl.Type, " ", fl.Tag.Get("json"), " ", fl.Anonymous, " ", fl.IsExported(), ";")
	}
	fmt.Println(t.Name(), t.Kind(), t.PkgPath())
	v := reflect.ValueOf(&p).Elem()
	v.FieldByName("Name").SetString("Zed")
	fmt.Println(p.Name, v.NumField(), v.Field(5).CanSet())
	ct := reflect.TypeOf(c)
	fmt.Println(ct, ct.NumMethod(), ct.Method(0).Name, ct.Elem().NumMethod(), reflect.ValueOf(c).MethodByName("Hello").Call([]reflect.Value{reflect.ValueOf("ab"), reflect.ValueOf(2)})[0])
	fmt.Println(reflect.DeepEqual(map[string][]int{"a": {1}}, map[string][]int{"a": {1}}), reflect.DeepEqual(p, q), reflect.TypeFor[error](), reflect.TypeOf(s).Implements(reflect.TypeFor[sort.Interface]()))
	var zb bytes.Buffer
	zw := gzip.NewWriter(&zb)
	zw.Write([]byte("zip me"))
	zw.Close()
	zr, _ := gzip.NewReader(&zb)
	un, _ := io.ReadAll(zr)
	fmt.Println(string(un))
	ur, err := url.Parse("http://u:p@h:80/a/b?q=1&q=2#f")
	fmt.Println(ur.Host, ur.Query()["q"], ur.Fragment, err, filepath.Join("a", "../b", "c"), filepath.Ext("x.tar.gz"))
	var gb bytes.Buffer
	fmt.Println(gob.NewEncoder(&gb).Encode(Addr{"g", &zip}))
	var ga Addr
	fmt.Println(gob.NewDecoder(&gb).Decode(&ga), ga.Street, *ga.Zip)
	l := list.New()
	l.PushBack(1)
	l.PushFront(0)
	for e := l.Front(); e != nil; e = e.Next() {
		fmt.Print(e.Value, " ")
	}
	fmt.Println(l.Len())
	dec := json.NewDecoder(strings.NewReader(`{"a":1} {"a":2} [`))
	for {
		var m map[string]int
		if err := dec.Decode(&m); err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(m)
	}
	var anon struct {
		A int
		B struct{ C string }
	}
	json.Unmarshal([]byte(`{"a":4,"b":{"c":"d"}}`), &anon)
	fmt.Printf("%+v\n", anon)
	var ifc any
	json.Unmarshal([]byte(`[1,{"x":null}]`), &ifc)
	fmt.Printf("%#v\n", ifc)
	pr, pw := io.Pipe()
	go func() { fmt.Fprint(pw, "piped"); pw.Close() }()
	pb, _ := io.ReadAll(pr)
	fmt.Println(string(pb))
}
