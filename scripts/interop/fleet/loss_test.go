package fleet

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// TestAcknowledgedLoss puts the stores of two servers back to an older copy, as a power cut does with a server that acknowledges
// what is not on its disk yet. The two outvote the third, so that messages are gone which receivers hold an ack for.
func TestAcknowledgedLoss(t *testing.T) {
	t.Run("a part of the stream", func(t *testing.T) { loseAcknowledged(t, 2*time.Second) })
	t.Run("all of the stream", func(t *testing.T) { loseAcknowledged(t, 0) })
}

// loseAcknowledged puts the stores back to what they were after some time of work. One archiver is down from then on, so
// that it has holes which nothing in the stream fills.
func loseAcknowledged(t *testing.T, before time.Duration) {
	f := newFleet(t, plan{})
	f.archivers[1].end(t)
	if before == 0 {
		f.copyStores(t)
	}
	stop := f.send(t, 1000)
	if before > 0 {
		goOn(t, before)
		f.copyStores(t)
	}
	goOn(t, 3*time.Second)
	for _, r := range f.receivers {
		r.signal(t, syscall.SIGSTOP) // Else they may have mended the stream before anybody looks at it.
	}
	_, last := f.cluster.state(t)
	f.putBack(t)
	if _, now := f.cluster.state(t); now >= last {
		t.Fatalf("the stream ends with message %d, and ended with %d: nothing was lost, so nothing is shown", now, last)
	}
	for _, r := range f.receivers {
		r.signal(t, syscall.SIGCONT)
	}
	goOn(t, time.Second)
	f.cluster.servers[2].start(t)
	f.archivers[1].start(t)
	goOn(t, 2*time.Second)
	stop()
	f.wantSame(t)
	f.wantLines(t, 4000)
}

// copyStores copies the stores of two servers, which stand still meanwhile.
func (f *fleet) copyStores(t testing.TB) {
	t.Helper()
	for _, s := range f.cluster.servers[:2] {
		s.signal(t, syscall.SIGSTOP)
	}
	for _, s := range f.cluster.servers[:2] {
		copyDir(t, s.store, s.store+".older")
		s.signal(t, syscall.SIGCONT)
	}
}

// putBack kills all servers, and starts those two again with the copies.
func (f *fleet) putBack(t testing.TB) {
	t.Helper()
	for _, s := range f.cluster.servers {
		s.kill()
	}
	for _, s := range f.cluster.servers[:2] {
		if err := os.RemoveAll(s.store); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(s.store+".older", s.store); err != nil {
			t.Fatal(err)
		}
		s.start(t)
	}
	f.cluster.wantReady(t)
}
