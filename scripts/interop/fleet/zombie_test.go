package fleet

import (
	"bytes"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestZombieIsFenced stops a receiver in the middle of its work, lets a copy of it take its place, as after a machine was restored
// elsewhere, and wakes it up again. What it has then that its successor has not must not get between the lines.
func TestZombieIsFenced(t *testing.T) {
	onlyInSoak(t)
	f := newFleet(t, plan{})
	zombie := f.receivers[0]
	stop := f.send(t, 1000)
	goOn(t, 3*time.Second)
	zombie.signal(t, syscall.SIGSTOP)
	copyDir(t, zombie.journal, filepath.Join(f.dir, "successor"))
	successor := f.newReceiver(t, zombie.name, filepath.Join(f.dir, "successor"), nil)
	successor.log += ".successor"
	successor.start(t)
	f.receivers[0] = successor
	stopNew := f.send(t, 1000)
	goOn(t, 3*time.Second)
	zombie.signal(t, syscall.SIGCONT) // It reads what waits in its socket, and goes on with what it had in its hands.
	eventually(t, time.Minute, "the zombie says that it was left behind", func() error {
		return said(zombie.process, "another process", "accept_rewind", "two receivers")
	})
	goOn(t, 2*time.Second)
	stop()
	stopNew()
	f.wantSame(t)
	mine, err := joined(zombie.journal)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := joined(successor.journal)
	if err != nil || bytes.HasPrefix(theirs, mine) {
		t.Errorf("the zombie wrote nothing of its own, %v: nothing is shown", err)
	}
}

// said returns nil if the process said one of these.
func said(p *process, words ...string) error {
	text := p.said()
	for _, word := range words {
		if strings.Contains(text, word) {
			return nil
		}
	}
	return &silentError{p.name, words}
}

type silentError struct {
	name  string
	words []string
}

func (e *silentError) Error() string {
	return e.name + " did not say any of: " + strings.Join(e.words, ", ")
}
