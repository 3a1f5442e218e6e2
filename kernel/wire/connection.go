package wire

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

// Channel is one of the five sockets of a kernel.
type Channel string

// The channels.
const (
	Shell     Channel = "shell"
	Control   Channel = "control"
	Stdin     Channel = "stdin"
	IOPub     Channel = "iopub"
	Heartbeat Channel = "hb"
)

// Channels lists all channels.
func Channels() []Channel { return []Channel{Shell, Control, Stdin, IOPub, Heartbeat} }

// SignatureScheme is the only scheme spoken; an empty key turns signing off.
const SignatureScheme = "hmac-sha256"

// maxConnectionFile bounds what is read as a connection file.
const maxConnectionFile = 64 << 10

// Connection is the content of a Jupyter connection file.
type Connection struct {
	// Transport is "tcp" or "ipc".
	Transport string `json:"transport"`
	// IP is a host for tcp ("*" for every interface); for ipc it is a path, and
	// the socket of a channel is the file IP-PORT.
	IP string `json:"ip"`
	// Ports are in [1, 65535]. When a kernel is started without a file, a tcp port
	// of 0 means any free one.
	ShellPort   int `json:"shell_port"`
	ControlPort int `json:"control_port"`
	StdinPort   int `json:"stdin_port"`
	IOPubPort   int `json:"iopub_port"`
	HBPort      int `json:"hb_port"`
	// Key signs messages; empty means unsigned, which is allowed only where other
	// machines cannot connect.
	Key string `json:"key"`
	// SignatureScheme is "hmac-sha256", or empty for the same.
	SignatureScheme string `json:"signature_scheme"`
	KernelName      string `json:"kernel_name,omitempty"`
}

// NewKey returns a random key for Connection.Key.
func NewKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand aborts the process instead)
	return hex.EncodeToString(b[:])
}

// ReadConnectionFile reads and checks the connection file at path.
func ReadConnectionFile(path string) (Connection, error) {
	f, err := os.Open(path)
	if err != nil {
		return Connection{}, fmt.Errorf("connection file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConnectionFile+1))
	if err != nil {
		return Connection{}, fmt.Errorf("connection file %s: %w", path, err)
	}
	c, err := ParseConnection(data)
	if err != nil {
		return Connection{}, fmt.Errorf("connection file %s: %w", path, err)
	}
	return c, nil
}

// ParseConnection parses and checks the content of a connection file. Fields it
// does not know are ignored. Every port must be given.
func ParseConnection(data []byte) (Connection, error) {
	if len(data) > maxConnectionFile {
		return Connection{}, fmt.Errorf("%d bytes are too many for a connection file (at most %d)", len(data), maxConnectionFile)
	}
	var c Connection
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &c); err != nil {
		return Connection{}, fmt.Errorf("not a JSON connection file: %w", err)
	}
	errs := []error{c.Validate()}
	for _, ch := range Channels() {
		if c.Port(ch) == 0 {
			errs = append(errs, fmt.Errorf("%s_port is missing (allowed: 1 to 65535)", ch))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Connection{}, oneLine(err)
	}
	return c, nil
}

// Validate reports every wrong field in a one-line error.
func (c Connection) Validate() error {
	var errs []error
	switch c.Transport {
	case "tcp":
		if c.Key == "" && !loopback(c.IP) {
			errs = append(errs, fmt.Errorf("an empty key is only allowed on a loopback address or ipc, not on ip %q", c.IP))
		}
	case "ipc":
	default:
		errs = append(errs, fmt.Errorf("transport %q is not supported (allowed: tcp, ipc)", c.Transport))
	}
	if c.IP == "" {
		errs = append(errs, errors.New("ip is empty (allowed: a host for tcp, a path for ipc)"))
	}
	switch c.SignatureScheme {
	case "", SignatureScheme:
	default:
		errs = append(errs, fmt.Errorf("signature_scheme %q is not supported (allowed: %s)", c.SignatureScheme, SignatureScheme))
	}
	seen := map[int]Channel{}
	for _, ch := range Channels() {
		p := c.Port(ch)
		if p < 0 || p > 65535 {
			errs = append(errs, fmt.Errorf("%s_port %d is out of range (allowed: 1 to 65535)", ch, p))
		}
		if other, dup := seen[p]; dup && p != 0 {
			errs = append(errs, fmt.Errorf("%s_port and %s_port are both %d", other, ch, p))
		}
		seen[p] = ch
	}
	return oneLine(errors.Join(errs...))
}

// Port returns the port of a channel.
func (c Connection) Port(ch Channel) int {
	switch ch {
	case Shell:
		return c.ShellPort
	case Control:
		return c.ControlPort
	case Stdin:
		return c.StdinPort
	case IOPub:
		return c.IOPubPort
	default:
		return c.HBPort
	}
}

func (c *Connection) setPort(ch Channel, port int) {
	switch ch {
	case Shell:
		c.ShellPort = port
	case Control:
		c.ControlPort = port
	case Stdin:
		c.StdinPort = port
	case IOPub:
		c.IOPubPort = port
	default:
		c.HBPort = port
	}
}

// Addr returns the network and address of a channel, as for net.Dial.
func (c Connection) Addr(ch Channel) (network, address string) {
	port := strconv.Itoa(c.Port(ch))
	if c.Transport == "ipc" {
		return "unix", c.IP + "-" + port
	}
	host := c.IP
	if host == "*" {
		host = ""
	}
	return "tcp", net.JoinHostPort(host, port)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// oneLine turns a joined error into one line, because errors end up in logs and
// in the status line of a front end.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(string(bytes.ReplaceAll([]byte(err.Error()), []byte("\n"), []byte("; "))))
}
