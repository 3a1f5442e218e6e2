package cache

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// Environment variables that [OptionsFromEnv] reads. The command line sets them, and what a notebook loads follows.
const (
	EnvMaxMemory           = "GOPHERLENS_MAX_MEMORY"            // bytes of the whole process, softly
	EnvMemoryPolicy        = "GOPHERLENS_MEMORY_POLICY"         // ristretto or lru
	EnvMaxDisk             = "GOPHERLENS_MAX_DISK"              // bytes of the cache folder
	EnvMaxConversationDisk = "GOPHERLENS_MAX_CONVERSATION_DISK" // bytes of residual rows of one conversation, or "none"
	EnvCodec               = "GOPHERLENS_CODEC"                 // f16, f32 or compact, for new conversations
	EnvLayers              = "GOPHERLENS_LAYERS"                // rows that new conversations store: 0,6,-1
)

// OptionsFromEnv gives the options that the environment asks for; unset or empty variables leave defaults. Of the
// memory of the process, blocks get at most 45 percent, since garbage may grow to the size of live data.
func OptionsFromEnv() (Options, error) {
	var o Options
	var errs []error
	bytes := func(name string, dst *int64) {
		if v := os.Getenv(name); v != "" {
			n, err := ParseSize(v)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
			*dst = n
		}
	}
	bytes(EnvMaxMemory, &o.ProcessMemory)
	bytes(EnvMaxDisk, &o.MaxDisk)
	if os.Getenv(EnvMaxConversationDisk) == "none" {
		o.MaxConversationDisk = -1
	} else {
		bytes(EnvMaxConversationDisk, &o.MaxConversationDisk)
	}
	if o.ProcessMemory > 0 {
		o.MaxMemory = min(DefaultMaxMemory, o.ProcessMemory*45/100)
	}
	o.MemoryPolicy = os.Getenv(EnvMemoryPolicy)
	o.Codec = Codec(os.Getenv(EnvCodec))
	if v := os.Getenv(EnvLayers); v != "" {
		for _, part := range strings.Split(v, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(part))
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %q is not a list of rows such as 0,6,-1", EnvLayers, v))
				break
			}
			o.Layers = append(o.Layers, n)
		}
	}
	errs = append(errs, o.Validate())
	return o, join(errs...)
}

var units = []struct {
	suffix string
	bytes  float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"b", 1},
}

// ParseSize reads a positive number of bytes: 450MiB, 1.5 GB, 64k (of 1024), 1000000.
func ParseSize(s string) (int64, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	factor := 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			text, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err == nil && !(n*factor >= 1 && n*factor < math.MaxInt64/2) {
		err = errors.New("out of range")
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a size such as 450MiB, 2GB or 1000000", s)
	}
	return int64(n * factor), nil
}
