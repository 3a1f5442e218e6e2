package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/lensapi/httpapi"
	"github.com/gopherlens/gopherlens/lensapi/httpapi/explorer"
)

type serveCmd struct {
	Addr    string   `default:"127.0.0.1:8808" help:"Address to listen on; beyond loopback a token is demanded." placeholder:"HOST:PORT"`
	Model   []string `default:"teach" help:"Models that can be asked for, the first by default: teach (embedded), or a folder in Hugging Face layout. May be given again." placeholder:"NAME|DIR" sep:"none"`
	Weights string   `enum:"f16,bf16,int8," default:"" help:"Round the weights to f16, bf16 or int8: an approximation, which every answer says (logits move by 0.1, 0.8 or 4 % of their deviation; default: as stored, exactly)." placeholder:"TYPE"`
	Transl  []path   `name:"translators" help:"Translators of a tuned or jacobian lens of the first model. May be given again." placeholder:"FILE" sep:"none"`
	Token   string   `help:"Demand this token (default: none on loopback, else one is made and printed)." placeholder:"TEXT" env:"GOPHERLENS_TOKEN"`
	Host    []string `help:"Further name of this server that a request may ask for. May be given again." placeholder:"NAME" sep:"none"`
	Runs    int      `default:"4" help:"Runs of models at a time, which compute by turns."`
	Queue   int      `default:"32" help:"Runs that may wait for their turn; more are refused."`
}

func (c *serveCmd) Run(e *env) error {
	opt := httpapi.Options{Page: explorer.Handler(), Version: version(), Token: c.Token, Slots: c.Runs, Queue: c.Queue, Log: log.New(e.stderr, "gopherlens: ", log.LstdFlags)}
	if c.Runs < 1 || c.Queue < 0 {
		return usageError{fmt.Errorf("--runs %d --queue %d: give at least 1 and 0", c.Runs, c.Queue)}
	}
	for i, name := range c.Model {
		src, err := c.source(name)
		if err != nil {
			return err
		}
		if i == 0 && len(c.Transl) > 0 {
			src.Translators = c.translators
		}
		opt.Models = append(opt.Models, src)
	}
	ln, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return usageError{err}
	}
	defer ln.Close()
	at := ln.Addr().(*net.TCPAddr)
	shown := at.String()
	for _, h := range c.Host {
		opt.Hosts = append(opt.Hosts, strings.ToLower(h))
	}
	if !at.IP.IsLoopback() {
		opt.Hosts = append(opt.Hosts, "*")
		if opt.Token == "" {
			opt.Token = strings.ToLower(rand.Text())
		}
		if at.IP.IsUnspecified() {
			shown = net.JoinHostPort("localhost", fmt.Sprint(at.Port))
		}
	}
	s, err := httpapi.New(opt)
	if err != nil {
		return usageError{err}
	}
	address := "http://" + shown + "/"
	if opt.Token != "" {
		address += "?token=" + url.QueryEscape(opt.Token)
	}
	fmt.Fprintf(e.stdout, "gopherlens serves %s\n%s\nCtrl-C ends it.\n", strings.Join(c.Model, ", "), address)
	ctx, stop := signal.NotifyContext(e.ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return s.Serve(ctx, ln)
}

// source is a model by the name that requests use: a folder's own.
func (c *serveCmd) source(name string) (httpapi.Source, error) {
	load := lens.LoadOptions{Weights: c.Weights}
	if _, err := lens.Estimate(name, load); err != nil { // before anybody waits for it
		return httpapi.Source{}, usage(err)
	}
	src := httpapi.Source{Name: name}
	if name != lens.Embedded {
		abs, err := filepath.Abs(name)
		if err != nil {
			return httpapi.Source{}, usageError{err}
		}
		name, src.Name = abs, filepath.Base(abs)
	}
	src.Load = func() (*lens.Model, error) { return lens.LoadWith(name, load) }
	return src, nil
}

func (c *serveCmd) translators(m *lens.Model) ([]*lens.Translators, error) {
	var out []*lens.Translators
	var errs []error
	for _, file := range c.Transl {
		tr, err := m.LoadTranslators(string(file))
		out, errs = append(out, tr), append(errs, err)
	}
	return out, errors.Join(errs...)
}
