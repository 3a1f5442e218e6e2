package lens_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// TestMain turns the test binary into the program that TestKilledChat kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("GOPHERLENS_TEST_CHAT"); dir != "" {
		chatForever(dir)
		os.Exit(1)
	}
	code := m.Run()
	if m, err := reference(); err == nil {
		dir := m.Status().Cache.Dir
		m.Close()
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// reference is a model with a cache of its own, for all tests that compare a conversation with one pass over its ids.
var reference = sync.OnceValues(func() (*lens.Model, error) {
	dir, err := os.MkdirTemp("", "lens")
	if err != nil {
		return nil, err
	}
	return lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir})
})

// chatForever writes the id of every token to stdout once it is acknowledged.
func chatForever(dir string) {
	m, err := lens.LoadWith(lens.Embedded, lens.LoadOptions{CacheDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	c, err := m.NewChat(lens.ChatOptions{ID: "victim"})
	for i := 0; err == nil; i++ {
		_, err = c.SayEach(context.Background(), []string{"What is the capital of France?", "And its currency?", "And Peru?"}[i%3], func(tok lens.Token) error {
			_, err := fmt.Println(tok.ID)
			return err
		})
	}
	fmt.Fprintln(os.Stderr, err)
}

// A process killed in the middle of an answer has lost nothing that it told anyone.
func TestKilledChat(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes: left to the full run")
	}
	for _, after := range []int{1, 4, 11, 17} {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "GOPHERLENS_TEST_CHAT="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var told []int
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var id int
			if _, err := fmt.Sscan(lines.Text(), &id); err != nil {
				break // half a line, cut off by the kill
			}
			if told = append(told, id); len(told) == after {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		if len(told) < after {
			t.Fatalf("the chat ended by itself after %d tokens", len(told))
		}

		m := loadIn(t, lens.Embedded, dir)
		c := must(m.Reopen("victim"))(t)
		var kept []int
		for _, tok := range c.Tokens() {
			if tok.Generated {
				kept = append(kept, tok.TokenID)
			}
		}
		if len(kept) < len(told) || !equal(kept[:len(told)], told) {
			t.Errorf("told %v, kept %v", told, kept)
		}
		if m.Status().Forward.Passes != 0 {
			t.Error("reopening ran the model")
		}
		shown := grids(t, c)
		want := must(must(reference())(t).LogitLensIDs(context.Background(), c.IDs(), lens.LensOptions{}))(t)
		if b, _ := json.Marshal(want); string(b) != shown {
			t.Error("the lens of what was kept differs from a fresh one")
		}
		if _, err := c.Say(context.Background(), "And its currency?"); err != nil {
			t.Errorf("going on: %v", err)
		}
	}
}
