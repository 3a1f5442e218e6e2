package explorer

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed page
var files embed.FS

// Policy is the Content-Security-Policy of the page: scripts and styles are files of this server and nothing else, no text becomes markup, and no other site may
// frame the page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// An asset is a file as it is sent.
type asset struct {
	mediaType     string
	etag          string
	plain, packed []byte // packed is gzip
}

// Handler serves the page at / and its files beside it, and 404 for the rest. It is safe for concurrent use.
func Handler() http.Handler {
	return handler(assets())
}

type handler map[string]*asset // by path from the root; index.html is ""

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "the page is only read: use GET")
		return
	}
	a := h[strings.TrimPrefix(r.URL.Path, "/")]
	if a == nil {
		refuse(w, http.StatusNotFound, "not_found", "there is nothing here: the page is at /, the API is described at /api/docs")
		return
	}
	a.serve(w, r)
}

// refuse answers in the form that errors of the API have.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%q,"message":%q}}`+"\n", code, message)
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", Policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Type", a.mediaType)
	head.Set("Vary", "Accept-Encoding")
	// A new binary has a new page: a browser asks, and is told in a few bytes that nothing changed.
	head.Set("Cache-Control", "no-cache")
	body, etag := a.plain, `"`+a.etag+`"`
	if acceptsGzip(r) {
		body, etag = a.packed, `"`+a.etag+`-gzip"`
		head.Set("Content-Encoding", "gzip")
	}
	head.Set("ETag", etag)
	if matches(r.Header.Get("If-None-Match"), etag) {
		head.Del("Content-Encoding")
		head.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // a client that went away needs no answer
}

// acceptsGzip reads Accept-Encoding: gzip is named or *, and not with weight 0.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name = strings.TrimSpace(name); !strings.EqualFold(name, "gzip") && name != "*" {
			continue
		}
		weight, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(params), "q="), 64)
		return params == "" || err == nil && weight > 0
	}
	return false
}

// matches says whether an If-None-Match header names the tag.
func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == etag || part == "*" {
			return true
		}
	}
	return false
}

// assets reads the embedded files, and packs them once.
func assets() handler {
	h := handler{}
	root, err := fs.Sub(files, "page")
	if err != nil {
		panic("explorer: " + err.Error()) // "page" is a constant and a valid path
	}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		plain, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		h[name] = newAsset(name, plain)
		return nil
	})
	if err != nil {
		panic("explorer: " + err.Error()) // the files are part of the binary
	}
	h[""] = h["index.html"]
	return h
}

func newAsset(name string, plain []byte) *asset {
	sum := sha256.Sum256(plain)
	return &asset{mediaType: mediaType(name), etag: base64.RawURLEncoding.EncodeToString(sum[:12]), plain: plain, packed: pack(plain)}
}

// mediaType does not ask the machine's own tables, which differ.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

func pack(plain []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic("explorer: " + err.Error()) // the level is a constant
	}
	_, _ = z.Write(plain) // into memory: nothing fails
	_ = z.Close()
	return b.Bytes()
}
