package forward_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
)

const hashEnv = "FORWARD_TEST_HASH"

// TestSameBitsOnEveryLevel runs a model in processes with the kernels that this machine has: package kernels chooses at start.
func TestSameBitsOnEveryLevel(t *testing.T) {
	if os.Getenv(hashEnv) != "" {
		fmt.Printf("bits %x\n", hashOfBits(t))
		return
	}
	bits := map[string]string{}
	for _, level := range []string{"portable", "avx2", "avx512"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSameBitsOnEveryLevel$")
		cmd.Env = append(os.Environ(), hashEnv+"=1", "GOPHERLENS_KERNELS="+level)
		out, err := cmd.CombinedOutput()
		if regexp.MustCompile("this machine has").Match(out) && level != "portable" {
			t.Logf("not %s: %s", level, out)
			continue
		}
		hash := regexp.MustCompile("bits [0-9a-f]{64}").Find(out)
		if err != nil || hash == nil {
			t.Fatalf("%s: %v\n%s", level, err, out)
		}
		if bits[level] = string(hash); bits[level] != bits["portable"] {
			t.Errorf("%s: %s, want those of the portable kernels, %s", level, bits[level], bits["portable"])
		}
	}
}

func hashOfBits(t *testing.T) []byte {
	r := forward.New(wideModel(t))
	s := r.NewSession()
	ids := make([]int, 50)
	for i := range ids {
		ids[i] = i * 5
	}
	h := sha256.New()
	for _, part := range [][]int{ids[:37], ids[37:38], ids[38:]} {
		tr, err := s.Extend(context.Background(), part)
		if err != nil {
			t.Fatal(err)
		}
		logits, err := r.Logits(context.Background(), tr.Resid)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range [][]float32{tr.Resid, logits} {
			if err := binary.Write(h, binary.LittleEndian, x); err != nil {
				t.Fatal(err)
			}
		}
	}
	return h.Sum(nil)
}
