package console

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/interp"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/magic"
)

// asConsole makes this test program a console on its own terminal.
const asConsole = "GOPHERLENS_TEST_CONSOLE"

func TestMain(m *testing.M) {
	if os.Getenv(asConsole) == "" {
		os.Exit(m.Run())
	}
	if err := consoleProcess(); err != nil {
		fmt.Println("console:", err)
		os.Exit(1)
	}
	fmt.Println("ended well")
}

// consoleProcess is what the command gopherlens console does.
func consoleProcess() error {
	ctx := context.Background()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	session, err := interp.New()
	if err != nil {
		return err
	}
	k, err := kernel.New(kernel.Config{Connection: kerneltest.TCP(), Evaluator: magic.New(session), Banner: "banner"})
	if err != nil {
		return err
	}
	go k.Run(ctx)
	cl, err := client.Dial(ctx, k.Connection())
	if err != nil {
		return err
	}
	return Run(ctx, Options{Client: cl, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Interrupts: interrupts, PictureDir: os.Getenv("PICTURES")})
}

// terminal is a console in a process of its own, on a pseudo terminal.
type terminal struct {
	*screen
	t    *testing.T
	keys *os.File
	cmd  *exec.Cmd
	end  chan error
}

func openTerminal(t *testing.T, env ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120})
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals: %v", err)
	}
	defer tty.Close()
	x := &terminal{screen: &screen{}, t: t, keys: master, end: make(chan error, 1)}
	x.cmd = exec.Command(os.Args[0])
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = tty, tty, tty
	x.cmd.Env = append(append(os.Environ(), asConsole+"=1", "TERM=xterm", "KITTY_WINDOW_ID=", "TERM_PROGRAM="), env...)
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go io.Copy(x.screen, master)
	go func() { x.end <- x.cmd.Wait() }()
	t.Cleanup(func() { x.cmd.Process.Kill() })
	return x
}

func (x *terminal) typed(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.keys, keys); err != nil {
		x.t.Fatal(err)
	}
}

// seen waits for what matches and takes everything up to there off the screen.
func (x *terminal) seen(want string) string {
	x.t.Helper()
	re := regexp.MustCompile(want)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		x.mu.Lock()
		text := x.text.String()
		if at := re.FindStringIndex(text); at != nil {
			x.text.Next(at[1])
			x.mu.Unlock()
			return text[:at[1]]
		}
		x.mu.Unlock()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.t.Fatalf("no %s on %q", want, x.text.String())
	return ""
}

const askedWhat = `\x1b\[c` // the question for the terminal's attributes

// TestOnATerminal drives a console as a user does.
func TestOnATerminal(t *testing.T) {
	dir := t.TempDir()
	x := openTerminal(t, "PICTURES="+dir)
	x.seen(askedWhat)
	x.typed("6 *")
	x.typed("\x1b[?62;4;22c") // answered between two keys of the user
	x.typed(" 7\r")
	x.seen(`banner`)
	x.seen(`In \[1\]: 6 \* 7`)
	x.seen(`Out\[1\]: 42`)

	x.typed("func double(n int) int {\r")
	x.seen(`\.\.\.: `)
	x.typed("return 2 * n\r}\r")
	x.seen(`In \[3\]: `)
	x.typed("doub\t(21)\r") // Tab completes
	x.seen(`double\(21\)`)
	x.seen(`Out\[3\]: 42`)
	x.typed("\x1b[A\r") // the line before
	x.seen(`Out\[4\]: 42`)

	x.typed("half a cell\x03")
	x.seen(`\^C`)
	x.typed("println(\"looping\"); for {}\r")
	x.seen(`looping\r?\n`)
	x.typed("\x03")
	x.seen(`interrupted`)
	x.typed("double(4)\r")
	x.seen(`Out\[6\]: 8`)

	x.typed("import \"image\"; image.NewRGBA(image.Rect(0, 0, 2000, 20))\r")
	x.seen(`\x1bP0;0;8q"1;1;800;8`) // made to fit
	x.seen(`\x1b\\`)
	x.typed("image.NewGray(image.Rect(0, 0, 4200, 4200))\r")
	name := x.seen(`\[picture: [^\]]*\]`) // too large
	if !strings.Contains(name, dir) {
		t.Errorf("%q", name)
	}
	x.seen(`In \[9\]: `)
	x.typed("\x04")
	x.seen(`ended well`)
	if err := <-x.end; err != nil {
		t.Error(err)
	}
}

// TestTerminalsWithoutSixels: one that says nothing, one that does not know them,
// and kitty, which is not asked.
func TestTerminalsWithoutSixels(t *testing.T) {
	cell := "import \"image\"; image.NewRGBA(image.Rect(0, 0, 2, 2))\r"
	for name, c := range map[string]struct{ env, answer, want string }{
		"silent":    {"TERM=xterm", "", `\[picture: .*\.png\]`},
		"others":    {"TERM=xterm", "\x1b[?64;1;2;6;14;22c", `\[picture: .*\.png\]`},
		"class 4":   {"TERM=xterm", "\x1b[?4;6c", `\[picture: .*\.png\]`},
		"kitty":     {"TERM=xterm-kitty", "", `\x1b_Ga=T,f=100,m=0;iVBOR`},
		"no answer": {"TERM=dumb", "", `\[picture: .*\.png\]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := openTerminal(t, "PICTURES="+t.TempDir(), c.env)
			if c.env == "TERM=xterm" {
				x.seen(askedWhat)
				x.typed(c.answer)
			}
			x.typed(cell)
			before := x.seen(c.want)
			if c.env != "TERM=xterm" && strings.Contains(before, "\x1b[c") {
				t.Error("the terminal was asked")
			}
			x.typed("exit\r")
			x.seen(`ended well`)
		})
	}
}
