package wire_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

const goodFile = `{"shell_port":57503,"iopub_port":40885,"stdin_port":52597,"control_port":50160,"hb_port":42540,
 "ip":"127.0.0.1","key":"a0436f6c-1916-498b-8eb9-e81ab9368e84","transport":"tcp","signature_scheme":"hmac-sha256","kernel_name":"x","new":[1]}`

func TestConnectionFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, []byte(goodFile), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := wire.ReadConnectionFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if network, addr := c.Addr(wire.IOPub); network != "tcp" || addr != "127.0.0.1:40885" {
		t.Errorf("iopub is %s %s", network, addr)
	}
	c.Transport, c.IP = "ipc", "/run/k"
	if network, addr := c.Addr(wire.Control); network != "unix" || addr != "/run/k-50160" {
		t.Errorf("control is %s %s", network, addr)
	}
	if _, err := wire.ReadConnectionFile(path + "x"); err == nil || !strings.Contains(err.Error(), "c.jsonx") {
		t.Errorf("missing file: %v", err)
	}
}

func TestConnectionErrors(t *testing.T) {
	change := func(old, new string) string { return strings.Replace(goodFile, old, new, 1) }
	for name, tc := range map[string]struct{ file, want string }{
		"empty":            {"", "JSON"},
		"list":             {"[]", "JSON"},
		"port a string":    {change("57503", `"57503"`), "shell_port"},
		"port missing":     {change(`"shell_port":57503,`, ""), "shell_port is missing"},
		"port negative":    {change("57503", "-1"), "shell_port -1 is out of range"},
		"port too large":   {change("57503", "65536"), "shell_port 65536"},
		"port twice":       {change("57503", "50160"), "both 50160"},
		"transport":        {change("tcp", "udp"), `transport "udp"`},
		"ip":               {change("127.0.0.1", ""), "ip is empty"},
		"scheme":           {change("hmac-sha256", "hmac-md5"), `signature_scheme "hmac-md5"`},
		"open to everyone": {strings.Replace(change("127.0.0.1", "0.0.0.0"), "a0436f6c-1916-498b-8eb9-e81ab9368e84", "", 1), "empty key"},
		"too large":        {goodFile + strings.Repeat(" ", 70_000), "too many"},
	} {
		_, err := wire.ParseConnection([]byte(tc.file))
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, file := range map[string]string{
		"no scheme":         change(`,"signature_scheme":"hmac-sha256"`, ""),
		"unsigned loopback": change("a0436f6c-1916-498b-8eb9-e81ab9368e84", ""),
		"every interface":   change("127.0.0.1", "*"),
		"IPv6":              change("127.0.0.1", "::1"),
	} {
		if _, err := wire.ParseConnection([]byte(file)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseConnection(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte(`{"shell_port":1e400}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := wire.ParseConnection(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := wire.ParseConnection(again); err != nil || d != c {
			t.Fatalf("%+v became %+v: %v", c, d, err)
		}
	})
}
