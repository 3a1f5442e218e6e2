package interp

import (
	"errors"
	"flag"
	"io"
	"reflect"
	"testing"
	"time"
)

// testMains are the functions of package testing that would end the process or
// read the command line, which is the kernel's.
func (s *Session) testMains() map[string]any {
	run := func(m *testing.M) int {
		if !flag.Parsed() {
			flag.CommandLine.Parse(nil)
		}
		return m.Run()
	}
	return map[string]any{
		"(*testing.M).Run": run,
		"testing.Main": func(match func(pat, str string) (bool, error), tests []testing.InternalTest, benchmarks []testing.InternalBenchmark, examples []testing.InternalExample) {
			s.exit(run(testing.MainStart(testDeps{match}, tests, benchmarks, nil, examples)))
		},
	}
}

// testDeps is what testing.Main asks of the program that go test makes: a
// matcher of names, and refusals of what it does for the command line.
type testDeps struct {
	match func(pat, str string) (bool, error)
}

var errTestMain = errors.New("testing: unexpected use of func Main")

type corpusEntry = struct {
	Parent     string
	Path       string
	Data       []byte
	Values     []any
	Generation int
	IsSeed     bool
}

func (d testDeps) MatchString(pat, str string) (bool, error) { return d.match(pat, str) }
func (testDeps) StartCPUProfile(io.Writer) error             { return errTestMain }
func (testDeps) StopCPUProfile()                             {}
func (testDeps) WriteProfileTo(string, io.Writer, int) error { return errTestMain }
func (testDeps) ImportPath() string                          { return "" }
func (testDeps) ModulePath() string                          { return "" }
func (testDeps) StartTestLog(io.Writer)                      {}
func (testDeps) StopTestLog() error                          { return nil }
func (testDeps) SetPanicOnExit0(bool)                        {}
func (testDeps) RunFuzzWorker(func(corpusEntry) error) error { return errTestMain }
func (testDeps) CheckCorpus([]any, []reflect.Type) error     { return nil }
func (testDeps) ResetCoverage()                              {}
func (testDeps) SnapshotCoverage()                           {}
func (testDeps) ReadCorpus(string, []reflect.Type) ([]corpusEntry, error) {
	return nil, errTestMain
}
func (testDeps) CoordinateFuzzing(time.Duration, int64, time.Duration, int64, int, []corpusEntry, []reflect.Type, string, string) error {
	return errTestMain
}
func (testDeps) InitRuntimeCoverage() (mode string, tearDown func(string, string) (string, error), snapcov func() float64) {
	return "", nil, nil
}
