package kernel

import (
	"runtime"
	"strings"
	"time"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

func (k *Kernel) kernelInfo(*request) any {
	links := k.cfg.HelpLinks
	if links == nil {
		links = []wire.HelpLink{}
	}
	return wire.KernelInfoContent{
		Failure:               wire.Failure{Status: wire.StatusOK},
		ProtocolVersion:       wire.ProtocolVersion,
		Implementation:        "gopherlens",
		ImplementationVersion: k.cfg.Version,
		LanguageInfo: wire.LanguageInfo{
			Name:           "go",
			Version:        strings.TrimPrefix(runtime.Version(), "go"),
			MIMEType:       "text/x-go",
			FileExtension:  ".go",
			PygmentsLexer:  "go",
			CodemirrorMode: "go",
		},
		Banner:            k.cfg.Banner,
		HelpLinks:         links,
		SupportedFeatures: []string{"kernel subshells"},
	}
}

func (k *Kernel) connect(*request) any {
	ports := map[string]any{"status": wire.StatusOK}
	for _, ch := range wire.Channels() {
		ports[string(ch)+"_port"] = k.conn.Port(ch)
	}
	return ports
}

func (k *Kernel) interrupt(*request) any {
	k.Interrupt()
	return wire.Failure{Status: wire.StatusOK}
}

// shutdown stops the running cell first, so that its reply and its idle are out
// before the reply to the shutdown.
func (k *Kernel) shutdown(r *request) any {
	var c wire.ShutdownContent
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	k.closeShell()
	if r.channel != wire.Shell {
		k.cancelRunning(func(*request) bool { return true })
		select {
		case <-k.shellDone():
		case <-time.After(k.cfg.InterruptGrace + time.Second):
		}
	}
	c.Status = wire.StatusOK
	k.publish(wire.ShutdownReply, r.msg.HeaderJSON(), c)
	r.after = k.stop
	return c
}

// debug answers in the form of the debug adapter protocol, which is what a
// client that sends debug_request reads.
func (k *Kernel) debug(r *request) any {
	var c struct {
		Seq     int    `json:"seq"`
		Command string `json:"command"`
	}
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	return map[string]any{"type": "response", "request_seq": c.Seq, "seq": 0, "success": false,
		"command": c.Command, "message": "debugging is not supported"}
}
