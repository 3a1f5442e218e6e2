package kernels

//go:generate go run ./internal/asm

import (
	"fmt"
	"os"
	"strings"
)

// level is a set of instructions that the kernels are written for. All levels give the same bits.
type level int

const (
	portable level = iota // Go, on every architecture
	avx2                  // amd64 with AVX2, FMA and F16C
	avx512                // amd64 with AVX-512 F, BW, DQ and VL besides
)

var levelNames = [...]string{"portable", "avx2", "avx512"}

func (l level) String() string { return levelNames[l] }

const levelVar = "GOPHERLENS_KERNELS"

// active is the level in use: the widest that the processor has, or the one that the environment asks for. Only tests change it.
var active, levelErr = choose(os.Getenv(levelVar), available())

// choose returns the level of the given name, or the widest for none. With an error it returns the portable level.
func choose(name string, widest level) (level, error) {
	if name == "" {
		return widest, nil
	}
	for l := portable; l <= widest; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return portable, fmt.Errorf("%s=%q: this machine has %s", levelVar, name, strings.Join(levelNames[:widest+1], ", "))
}

// Level names the instructions in use: "portable", "avx2" or "avx512", the widest that the processor has. The environment
// variable GOPHERLENS_KERNELS, read at start, forces one. They differ in speed only; the bits are the same. The error
// says that the variable asks for one that does not exist or that this machine has not; kernels are portable then.
func Level() (string, error) { return active.String(), levelErr }
