package kernel

import (
	"fmt"
	"slices"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// maxSubshells bounds the subshells of one kernel; each costs a goroutine and a
// queue.
const maxSubshells = 256

// A subshell (JEP 91) is one more lane for requests on the shell channel: what
// it is asked, cells included, is answered while a cell runs in the main shell.

// start runs a lane of the shell channel until it is closed.
func (k *Kernel) start(l *lane) {
	k.lanes.Go(func() { k.work(l) })
}

// laneOf is where a request on the shell channel is handled. One for a subshell
// that is not there is refused in the main shell.
func (k *Kernel) laneOf(m *wire.Message) (_ *lane, known bool) {
	if m.Header.SubshellID == "" {
		return k.shellLane, true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if l, ok := k.subshells[m.Header.SubshellID]; ok {
		return l, true
	}
	return k.shellLane, false
}

func (k *Kernel) createSubshell(*request) any {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.subshells == nil {
		return failure("ShuttingDown", "the kernel is shutting down")
	}
	if len(k.subshells) >= maxSubshells {
		return failure("TooManySubshells", fmt.Sprintf("%d subshells are the limit; delete_subshell_request ends one", maxSubshells))
	}
	id := wire.NewHeader("", "", "").MsgID
	l := newLane()
	k.subshells[id] = l
	k.start(l)
	return wire.SubshellContent{Status: wire.StatusOK, SubshellID: id}
}

// deleteSubshell lets what runs there end; what waits there is aborted.
func (k *Kernel) deleteSubshell(r *request) any {
	var c wire.SubshellContent
	if err := r.msg.Decode(&c); err != nil {
		return badContent(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.subshells[c.SubshellID]
	if !ok {
		return failure("UnknownSubshell", fmt.Sprintf("there is no subshell %q", c.SubshellID))
	}
	delete(k.subshells, c.SubshellID)
	l.finish()
	return wire.Failure{Status: wire.StatusOK}
}

func (k *Kernel) listSubshells(*request) any {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids := make([]string, 0, len(k.subshells))
	for id := range k.subshells {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return wire.SubshellsContent{Failure: wire.Failure{Status: wire.StatusOK}, SubshellIDs: ids}
}

// closeShell ends the lanes of the shell channel; what waits in them gets no
// answer.
func (k *Kernel) closeShell() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shellLane.close()
	for _, l := range k.subshells {
		l.close()
	}
	k.subshells = nil // none can be made any more
}
