package cache_test

import (
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"1": 1, "64k": 64 << 10, " 1.5 GB ": 1500000000, "450MiB": 450 << 20, "2T": 2 << 40, "7b": 7, "1e3": 1000} {
		if got, err := cache.ParseSize(in); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "x", "-1", "0", "MB", "1e300", "inf", "nan", "1 2"} {
		if n, err := cache.ParseSize(in); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is %d, %v", in, n, err)
		}
	}
}

func TestOptionsFromEnv(t *testing.T) {
	set := func(values ...string) {
		for i, name := range []string{cache.EnvMaxMemory, cache.EnvMaxDisk, cache.EnvMaxConversationDisk, cache.EnvMemoryPolicy, cache.EnvCodec, cache.EnvLayers} {
			t.Setenv(name, values[i])
		}
	}
	set("", "", "", "", "", "")
	if o, err := cache.OptionsFromEnv(); err != nil || o.MaxMemory != 0 || o.ProcessMemory != 0 || o.Layers != nil {
		t.Errorf("%+v, %v", o, err)
	}
	set("1GB", "20GB", "none", "lru", "compact", "0, 6,-1")
	o, err := cache.OptionsFromEnv()
	must(t, err)
	if o.ProcessMemory != 1e9 || o.MaxMemory != 450e6 || o.MaxDisk != 20e9 || o.MaxConversationDisk != -1 || o.MemoryPolicy != "lru" || o.Codec != "compact" || len(o.Layers) != 3 || o.Layers[2] != -1 {
		t.Errorf("%+v", o)
	}
	set("much", "-1", "x", "fifo", "zip", "a,b")
	_, err = cache.OptionsFromEnv()
	for _, part := range []string{"GOPHERLENS_MAX_MEMORY", "much", "GOPHERLENS_MAX_DISK", "GOPHERLENS_MAX_CONVERSATION_DISK", "fifo", "zip", "f16, f32, compact", "0,6,-1"} {
		if err == nil || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v does not name %q", err, part)
		}
	}
}
