package kernel

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The store keeps at most this much of earlier sessions; the oldest leave first.
const (
	storedSessions = 1000
	storedBytes    = 64 << 20
	// maxSession bounds the numbers of sessions, so that adding never overflows.
	maxSession = 1 << 30
)

// store is a folder with one file for each session, NUMBER.jsonl, of which each
// line is an entry. A session's file is made by whoever takes its number and
// written by nobody else, so kernels share the folder without a lock. A line
// that a crash cut off is skipped.
type store struct {
	dir  string
	file *os.File // of this session; nil until it has an entry
}

// storedEntry is a line of the store.
type storedEntry struct {
	Line   int    `json:"line"`
	Input  string `json:"input"`
	Output string `json:"output,omitempty"`
}

// openStore makes the folder and forgets the oldest sessions.
func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	s := &store{dir: dir}
	numbers, err := s.sessions()
	if err != nil {
		return nil, err
	}
	kept := int64(0)
	for i, n := range slices.Backward(numbers) {
		fi, err := os.Stat(s.path(n))
		if err != nil {
			continue // another kernel forgot it meanwhile
		}
		if kept += fi.Size(); kept > storedBytes || len(numbers)-i > storedSessions {
			os.Remove(s.path(n))
		}
	}
	return s, nil
}

func (s *store) path(session int) string {
	return filepath.Join(s.dir, strconv.Itoa(session)+".jsonl")
}

// sessions are the numbers in the folder, ascending.
func (s *store) sessions() ([]int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".jsonl")
		if n, err := strconv.Atoi(name); ok && err == nil && n > 0 && n < maxSession && strconv.Itoa(n) == name {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// begin takes the next number, under which this session is kept.
func (s *store) begin() (int, error) {
	numbers, err := s.sessions()
	if err != nil {
		return 0, err
	}
	n := 1
	if len(numbers) > 0 {
		n = numbers[len(numbers)-1] + 1
	}
	for ; n < maxSession; n++ {
		f, err := os.OpenFile(s.path(n), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue // another kernel was faster
		}
		if err != nil {
			return 0, fmt.Errorf("history: %w", err)
		}
		s.file = f
		return n, nil
	}
	return 0, fmt.Errorf("history: %s has no session number left", s.dir)
}

func (s *store) add(e entry) error {
	line, err := encode(storedEntry{e.line, e.input, e.output})
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// read returns the entries of an earlier session; none if it is not there.
func (s *store) read(session int) []entry {
	f, err := os.Open(s.path(session))
	if err != nil {
		return nil
	}
	defer f.Close()
	var found []entry
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, storedBytes)
	for lines.Scan() {
		var e storedEntry
		if json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &e) == nil && e.Line > 0 {
			found = append(found, entry{session, e.Line, e.Input, e.Output})
		}
	}
	return found
}

func (s *store) close() {
	if s.file != nil {
		s.file.Close()
	}
}
