package ingest

import (
	"testing"
	"time"
)

// waiting returns a reader that nobody runs, with this many datagrams in its socket, and where its lines go.
func waiting(t *testing.T, datagrams int) (*reader, *recorder) {
	t.Helper()
	r, _, _ := readerOf(t, Options{})
	conn := dial(t, r.socket.addr.String())
	for range datagrams {
		send(t, conn, `{"ID":"HTB"}`)
	}
	return r, r.pipeline.to.(*recorder)
}

func TestWhatWaitsInTheSocketIsHandedOverAtOnce(t *testing.T) {
	const sent = 3*batchSize + 5
	r, to := waiting(t, sent)
	r.round(r.socket.receive(time.Minute))
	if to.entries != sent || to.appends != 1 {
		t.Errorf("got %d entries in %d parts, want %d in 1", to.entries, to.appends, sent)
	}
}

func TestRoundEndsThoughMoreAndMoreComes(t *testing.T) {
	const sent = (roundBatches + 1) * batchSize
	r, to := waiting(t, sent)
	r.round(r.socket.receive(time.Minute))
	if want := roundBatches * batchSize; to.entries != want {
		t.Fatalf("got %d entries of the first round, want %d", to.entries, want)
	}
	r.round(r.socket.receive(time.Minute))
	if to.entries != sent {
		t.Errorf("got %d entries of two rounds, want %d", to.entries, sent)
	}
}

func TestSmallBufferIsLeftAloneForLess(t *testing.T) {
	f := func(granted int, want time.Duration) {
		t.Helper()
		if got := pauseFor(granted); got != want {
			t.Errorf("%d bytes: got a pause of %v, want %v", granted, got, want)
		}
	}
	f(2304, time.Millisecond) // The least that Linux gives.
	f(212_992, time.Millisecond)
	f(512<<10, 2*time.Millisecond)
	f(4<<20, 4*time.Millisecond)
	f(64<<20, 4*time.Millisecond)
}
