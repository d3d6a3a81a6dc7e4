package streams

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"hbjournal/sink/forward"
	"hbjournal/sink/rotate"
)

// jetStream is a client of the server, past the proxy.
func (e *natsEngine) jetStream(t testing.TB) nats.JetStreamContext {
	t.Helper()
	conn, err := nats.Connect("nats://" + e.direct())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := conn.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func (e *natsEngine) foreign(t testing.TB, receiver string) {
	t.Helper()
	if _, err := e.jetStream(t).Publish("hbj."+receiver, []byte("hello")); err != nil {
		t.Fatal(err)
	}
}

func TestNATSWaitsWhileTheStreamIsFullOrMissing(t *testing.T) {
	e := newNATS(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 400, rotate.Options{})
	s := &sender{
		URL: "nats://" + e.proxy.addr, Dir: dir, Journal: journalID, Receiver: "full", Lines: int64(len(lines)), Batch: 4 << 10,
	}
	out, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_, _, err = out.Position(t.Context(), journalID)
	var trouble *forward.TroubleError
	if !errors.As(err, &trouble) || !strings.Contains(err.Error(), "create=true") {
		t.Fatalf("no stream: got %v, want trouble that names create=true", err)
	}
	js := e.jetStream(t)
	if _, err := js.AddStream(&nats.StreamConfig{
		Name: "HBJ", Subjects: []string{"hbj.*"}, Discard: nats.DiscardNew, MaxBytes: 20 << 10,
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	var all []message
	for {
		select {
		case err := <-ended:
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			wantExactly(t, append(all, e.messages(t, "full")...), journalID, lines)
			return
		case <-time.After(20 * time.Millisecond):
			// What an archiver does: take what is there, all but the last message, and purge it.
			if got := e.messages(t, "full"); len(got) > 2 {
				info, err := js.StreamInfo("HBJ")
				if err != nil {
					t.Fatal(err)
				}
				keep := info.State.LastSeq - info.State.FirstSeq + 1 - uint64(len(got)-1)
				all = append(all, got[:len(got)-1]...)
				if err := js.PurgeStream("HBJ", &nats.StreamPurgeRequest{Sequence: info.State.LastSeq - keep + 1}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestNATSGoesOnAfterAPurge(t *testing.T) {
	e := newNATS(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 200, rotate.Options{})
	s := &sender{URL: e.url(""), Dir: dir, Journal: journalID, Receiver: "purged", Lines: 200, Batch: 64 << 10}
	out, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, ok, err := out.Position(t.Context(), journalID); ok || err != nil {
		t.Fatalf("an empty stream: got %v, %v", ok, err)
	}
	batch := forward.NewBatch(journalID, 0, cursorOf(t, dir))
	at := batch.From
	add := func(from, to int) {
		for _, line := range lines[from:to] {
			next := at
			next.Offset += int64(len(line)) + 1
			batch.Add([]byte(line), at, next)
			at = next
		}
	}
	add(0, 100)
	if receipt, err := out.Send(t.Context(), batch); err != nil || receipt.Acked != 100 {
		t.Fatalf("got %d, %v", receipt.Acked, err)
	}
	if err := e.jetStream(t).PurgeStream("HBJ"); err != nil {
		t.Fatal(err)
	}
	batch = forward.NewBatch(journalID, 100, at)
	add(100, 200)
	_, err = out.Send(t.Context(), batch)
	if err == nil {
		t.Fatal("what was seen last is gone, and it was not noticed")
	}
	if _, ok, err := out.Position(t.Context(), journalID); ok || err != nil {
		t.Fatalf("after the purge: got %v, %v; want no position, so that the one kept here counts", ok, err)
	}
	if receipt, err := out.Send(t.Context(), batch); err != nil || receipt.Acked != 100 {
		t.Fatalf("got %d, %v", receipt.Acked, err)
	}
	got := e.messages(t, "purged")
	if len(got) != 1 || got[0].number != 100 || !slices.Equal(got[0].lines, lines[100:]) {
		t.Errorf("got %d messages", len(got))
	}
}

func TestNATSLeavesNoGoroutine(t *testing.T) {
	e := newNATS(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 100, rotate.Options{})
	s := &sender{URL: e.url(""), Dir: dir, Journal: journalID, Receiver: "leak", Lines: int64(len(lines)), Batch: 1 << 10}
	s.URL = "nats://" + e.direct() + "?create=true&timeout=2s" // The proxy has goroutines of its own.
	before := goleak.IgnoreCurrent()
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.kill()
	out, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := out.Position(t.Context(), journalID); err == nil {
		t.Error("a server that is gone has a position")
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all goroutines have ended", func() bool { return goleak.Find(before) == nil })
}
