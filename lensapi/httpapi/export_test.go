package httpapi

import "time"

// Occupy takes a slot until release, as a run does that takes as long as a test needs.
func (s *Server) Occupy() (release func()) {
	t, err := s.gate.enter()
	if err != nil {
		panic(err)
	}
	return t.leave
}

// SetSilence makes streams speak after another time, until restore.
func SetSilence(d time.Duration) (restore func()) {
	was := silence
	silence = d
	return func() { silence = was }
}
