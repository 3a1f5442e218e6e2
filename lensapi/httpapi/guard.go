package httpapi

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	readTime   = 20 * time.Second // of a request's body
	policy     = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	cookieName = "gopherlens-token"
)

// guarded is the mux behind all that every request must pass.
func (s *Server) guarded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		a := &answer{ResponseWriter: w, r: r}
		defer func() {
			p := recover()
			if p == http.ErrAbortHandler { // net/http's own way to give a connection up
				panic(p)
			}
			if p != nil {
				e := fail(panicked(p))
				if a.begun {
					s.note(r, e)
					panic(http.ErrAbortHandler) // the reader must not take a part for the whole
				}
				a.held.Reset()
				s.refuse(a, r, e)
			}
			a.finish()
		}()
		if e := s.admit(r); e != nil {
			s.refuse(a, r, e)
			return
		}
		if s.opt.Token != "" && !s.authorize(a, r) {
			return
		}
		if r.ContentLength > s.opt.MaxBody {
			s.refuse(a, r, errorf(TooLarge, "the body has %d bytes: send at most %d", r.ContentLength, s.opt.MaxBody))
			return
		}
		s.mux.ServeHTTP(a, r)
	})
}

// admit refuses requests that a foreign page may have caused.
func (s *Server) admit(r *http.Request) *Error {
	name := r.Host
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	ip := net.ParseIP(name)
	if !(name == "localhost" || ip != nil && ip.IsLoopback() || slices.Contains(s.opt.Hosts, name) || s.opt.Token != "" && slices.Contains(s.opt.Hosts, "*")) {
		return errorf(Forbidden, "host %q is not a name of this server: use localhost, or start it with --host", clip(name))
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			return errorf(Forbidden, "origin %q: pages of other origins may not use this server", clip(origin))
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		// A link from elsewhere may open the page, and nothing more.
		if r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" || strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/v1/") {
			return errorf(Forbidden, "pages of other sites may not use this server")
		}
	}
	return nil
}

// authorize demands the token: as Authorization: Bearer, as the cookie, or once as ?token=, which makes the cookie.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) bool {
	right := func(got string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(s.opt.Token)) == 1 }
	if r.URL.Path == "/healthz" {
		return true
	}
	if got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && right(got) {
		return true
	}
	name := cookieName
	if _, port, err := net.SplitHostPort(r.Host); err == nil { // cookies are shared by all ports of a host
		name += "-" + port
	}
	sum := sha256.Sum256([]byte(s.opt.Token)) // a token may hold what a cookie cannot
	value := base64.RawURLEncoding.EncodeToString(sum[:])
	if c, err := r.Cookie(name); err == nil && subtle.ConstantTimeCompare([]byte(c.Value), []byte(value)) == 1 {
		return true
	}
	if q := r.URL.Query(); right(q.Get("token")) && r.Method == http.MethodGet {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		q.Del("token")
		to := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
		if !strings.HasPrefix(to.Path, "/") || strings.HasPrefix(to.Path, "//") {
			to.Path = "/"
		}
		http.Redirect(w, r, to.String(), http.StatusSeeOther)
		return false
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	s.refuse(w, r, errorf(Unauthorized, "the token is missing or wrong: open the address that the server printed, or send Authorization: Bearer TOKEN"))
	return false
}

// answer holds JSON and files back until they are whole, to give them an ETag of their content, and sends streams as they come.
type answer struct {
	http.ResponseWriter
	r       *http.Request
	status  int
	begun   bool // the status was sent
	through bool // of a stream or a page: sent as it comes
	held    bytes.Buffer
}

// WriteHeader decides whether the body is held.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	switch a.Header().Get("Content-Type") {
	case "application/json", "application/octet-stream":
		if status == http.StatusOK && a.r.Method == http.MethodGet {
			return
		}
	}
	a.begin(status)
}

func (a *answer) begin(status int) {
	a.begun, a.through = true, true
	a.allow()
	a.ResponseWriter.WriteHeader(status)
}

// allow gives what is sent next its time. Without it the deadline of an earlier answer on the connection would still count.
func (a *answer) allow() {
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(writeTime)) // a writer without deadlines has none to miss
}

// send gives each part of a long body a time limit of its own, so that a slow line gets all of it.
func (a *answer) send(b []byte) (n int, err error) {
	const part = 256 << 10
	for err == nil && len(b) > 0 {
		var m int
		a.allow()
		m, err = a.ResponseWriter.Write(b[:min(part, len(b))])
		n, b = n+m, b[m:]
	}
	return n, err
}

// Write holds or sends.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !a.through {
		return a.held.Write(b)
	}
	return a.send(b)
}

// Unwrap lets http.ResponseController find what the connection can do.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// finish sends what was held, or 304 when the client has it.
func (a *answer) finish() {
	if a.status == 0 || a.through {
		return
	}
	sum := sha256.Sum256(a.held.Bytes())
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
	h := a.Header()
	h.Set("ETag", tag)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	a.begun = true
	a.allow()
	if matches(a.r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Type")
		h.Del("Content-Disposition")
		a.ResponseWriter.WriteHeader(http.StatusNotModified)
		return
	}
	a.ResponseWriter.WriteHeader(a.status)
	_, _ = a.send(a.held.Bytes()) // whoever went away needs no answer
}

// matches compares as If-None-Match does: weakly, any of a list.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}
