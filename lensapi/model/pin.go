package model

// Gorgonia asks for a version of this module that panics at start-up on a current Go. The import makes the module a
// requirement of ours, so that go.mod holds the version that does not.
import _ "go4.org/unsafe/assume-no-moving-gc"
