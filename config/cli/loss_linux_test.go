package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// lossOn has a daemon lose messages on a disk that is full, ends it as end does, makes room, and wants the next start to
// account for every message in the journal itself.
func lossOn(t *testing.T, place string, end func(v *victim)) {
	t.Helper()
	dir, filler := filepath.Join(place, "journal"), filepath.Join(place, "filler")
	v := startVictim(t, dir, "JOURNAL_BUFFER_SIZE=1MiB", "SHUTDOWN_TIMEOUT=1s")
	l := loadFor(t, v.udp)
	l.send(1000)
	v.untilReceived(t, 1000)
	v.untilWritten(t)
	fill(t, filler)
	const sent = 12_000 // That is more than the buffer holds.
	l.send(sent - 1000)
	v.untilNotReady(t, "")
	v.untilReceived(t, sent)
	end(v)
	if v.logCount(t, "%!") > 0 {
		t.Errorf("the log has an error that was not filled in:\n%s", v.logText(t))
	}
	remove(t, filler)
	v.restart(t)
	eventually(t, "the loss is noted", func() bool {
		return v.ledgerOK(t).Queued == 0 && readJournal(t, dir).gaps["queue"] > 0
	})
	v.terminate(t)
	w := readJournal(t, dir)
	w.wantInOrder(t)
	lost := uint64(0)
	for _, n := range w.gaps {
		lost += n
	}
	if got := uint64(len(w.numbers)) + lost; got != sent || w.gaps["queue"] == 0 {
		t.Errorf("got %d in the journal and %v lost by its notes, want %d together", len(w.numbers), w.gaps, sent)
	}
	v.restart(t)
	v.terminate(t)
	if again := readJournal(t, dir); len(again.gaps) != len(w.gaps) || again.gaps["queue"] != w.gaps["queue"] {
		t.Errorf("gaps after one more start: got %v, want %v", again.gaps, w.gaps)
	}
	run(t, []string{"JOURNAL_DIR=" + dir, "HOME=" + t.TempDir()}, "verify").want(t, exitDone)
}

// stopInVain tells the daemon to stop, which it does with a loss.
func stopInVain(t *testing.T, v *victim) {
	t.Helper()
	signalTo(t, v, "TERM")
	if code, err := v.exit(); err != nil || code != exitFailed {
		t.Errorf("exit: got %d, %v; want 1", code, err)
	}
	live := filepath.Join(v.dir, "messages.journal")
	if v.logCount(t, "stop within shutdown_timeout=1s: close journal: ") != 1 || v.logCount(t, "entries could not be written: write "+live+": ") != 1 ||
		v.logCount(t, "write "+live+": write ") > 0 {
		t.Errorf("the log does not say what was lost and why:\n%s", v.logText(t))
	}
}

// untilKept waits until nothing is lost or received that has not been kept, which is looked at once a second.
func untilKept(t *testing.T, v *victim) {
	t.Helper()
	before := v.ledgerOK(t)
	writeErrors := v.stats(t).WriteErrors
	eventually(t, "the disk has been tried again", func() bool { return v.stats(t).WriteErrors > writeErrors+1 })
	if after := v.ledgerOK(t); after != before {
		t.Errorf("ledger: got %+v, before it %+v", after, before)
	}
}

func TestWhatIsLostAtAStopWithAFullDiskIsNotedByTheNextStart(t *testing.T) {
	lossOn(t, tmpfs(t, "size=1m"), func(v *victim) { stopInVain(t, v) })
}

func TestWhatIsLostAtAKillWithAFullDiskIsNotedByTheNextStart(t *testing.T) {
	lossOn(t, tmpfs(t, "size=1m"), func(v *victim) {
		untilKept(t, v)
		v.kill()
	})
}

func TestWhatIsLostIsNotedThoughTheDiskIsStillFullAtTheNextStarts(t *testing.T) {
	lossOn(t, tmpfs(t, "size=1m"), func(v *victim) {
		stopInVain(t, v)
		v.restart(t)
		v.kill()
		v.restart(t)
		v.kill()
	})
}

func TestWhatIsLostOnAFullBtrfsIsNotedByTheNextStart(t *testing.T) {
	place := btrfs(t)
	lossOn(t, place, func(v *victim) {
		stopInVain(t, v)
		remove(t, filepath.Join(place, "filler"))
		tool(t, "btrfs", "filesystem", "sync", place) // What was removed counts until then.
		do(t, os.WriteFile(filepath.Join(place, "filler"), nil, 0o600))
	})
}

// TestLossThatCannotBeKeptIsSaid exhausts a quota of btrfs, under which nothing can be overwritten either.
func TestLossThatCannotBeKeptIsSaid(t *testing.T) {
	place := quota(t)
	v := startVictim(t, filepath.Join(place, "journal"), "SHUTDOWN_TIMEOUT=1s")
	l := loadFor(t, v.udp)
	fill(t, filepath.Join(place, "filler"))
	l.send(5000)
	v.untilNotReady(t, "quota exceeded")
	eventually(t, "it is said", func() bool { return v.logCount(t, "cannot keep what is lost") == 1 })
	stopInVain(t, v)
	if v.logCount(t, "keep what is lost for the next start: ") < 2 {
		t.Errorf("the daemon does not end with it:\n%s", v.logText(t))
	}
}

func TestWhatIsLostOnAFullExt4IsNotedByTheNextStart(t *testing.T) {
	_, place := ext4(t)
	lossOn(t, place, func(v *victim) {
		untilKept(t, v)
		v.kill()
	})
}
