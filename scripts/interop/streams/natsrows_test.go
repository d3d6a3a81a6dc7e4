package streams

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
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

func TestNATSPutsALineAsideThatNoMessageHolds(t *testing.T) {
	e := newNATSOf(t, natsArgs{MaxPayload: 32 << 10})
	dir := t.TempDir()
	w := newWriter(t, dir, rotate.Options{})
	w.write(100)
	random := make([]byte, 40<<10)
	rand.NewChaCha8([32]byte{}).Read(random)
	from := netip.MustParseAddrPort("192.0.2.1:1")
	w.writeMessage(from, fmt.Appendf(nil, `{"ID":"BIG","x":%q}`, base64.StdEncoding.EncodeToString(random)))
	w.write(50)
	w.writeMessage(from, fmt.Appendf(nil, `{"ID":"CTL","x":"%s"}`, strings.Repeat(`\u0001`, 1<<20)))
	w.write(50)
	s := &sender{URL: e.url(), Dir: dir, Journal: journalID, Receiver: "poison", Lines: int64(len(w.lines)), Batch: 64 << 10}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.dead) != 1 || s.dead[0] != w.lines[100] {
		t.Fatalf("%d lines were put aside, want the large one", len(s.dead))
	}
	var got []string
	for _, m := range e.messages(t, "poison") {
		if m.number != len(got) {
			if m.number != 101 || len(got) != 100 {
				t.Fatalf("a message begins with line %d after %d lines", m.number, len(got))
			}
			got = append(got, w.lines[100]) // The numbers go on as a gap.
		}
		got = append(got, m.lines...)
	}
	if !slices.Equal(got, w.lines) {
		t.Errorf("the stream and what was put aside are %d lines, want the %d of the journal", len(got), len(w.lines))
	}
}

func TestNATSFollowsAJournalThatIsRotatedCompressedAndPruned(t *testing.T) {
	e := newNATS(t)
	dir := t.TempDir()
	w := newWriter(t, dir, rotate.Options{MaxBytes: 30 << 10, MaxBackups: 60, Compression: rotate.Zstd})
	const rounds, each = 40, 100
	s := &sender{URL: e.url(), Dir: dir, Journal: journalID, Receiver: "rotated", Lines: rounds * each, Batch: 8 << 10}
	w.write(each)
	ended := make(chan error, 1)
	go func() { ended <- s.run(t.Context()) }()
	for range rounds - 1 {
		w.write(each)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	wantExactly(t, e.messages(t, "rotated"), journalID, w.lines)
	if n := len(backups(t, dir)); n < 20 {
		t.Errorf("%d backups, want many", n)
	}
}

func TestNATSStopsWhereAnotherJournalIs(t *testing.T) {
	e := newNATS(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 20, rotate.Options{})
	one := &sender{URL: e.url(), Dir: dir, Journal: journalID, Receiver: "shared", Lines: int64(len(lines)), Batch: 1 << 10}
	if err := one.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := *one
	other.Journal = "another"
	err := other.run(t.Context())
	if !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "two receivers share a name") {
		t.Errorf("a foreign journal: got %v", err)
	}
	if _, err := e.jetStream(t).Publish("hbj.shared", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	err = one.run(t.Context())
	if !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a message of another program: got %v", err)
	}
}

func TestNATSStopsWhereTheJournalLostItsLastSecond(t *testing.T) {
	e := newNATS(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 100, rotate.Options{})
	s := &sender{URL: e.url(), Dir: dir, Journal: journalID, Receiver: "lost", Lines: int64(len(lines)), Batch: 1 << 10}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(dir, base)
	kept := strings.Join(lines[:90], "\n") + "\n"
	if err := os.WriteFile(live, []byte(kept), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := s.run(t.Context()); !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "accept_rewind=true") {
		t.Errorf("the file is shorter: got %v", err)
	}
	other := strings.ReplaceAll(strings.Join(lines[90:], "\n"), "HTB", "NEW") + "\n"
	if err := os.WriteFile(live, []byte(kept+other+other), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := s.run(t.Context()); !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "accept_rewind=true") {
		t.Errorf("other lines came to their place: got %v", err)
	}
	s.URL += "&accept_rewind=true"
	s.Lines = 110
	if err := s.run(t.Context()); err != nil {
		t.Errorf("accept_rewind=true: %v", err)
	}
}

func TestNATSFencesWhoWasLeftBehind(t *testing.T) {
	e := newNATS(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 300, rotate.Options{})
	s := &sender{URL: e.url(), Dir: dir, Journal: journalID, Receiver: "fenced", Lines: 100, Batch: 2 << 10}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	zombie, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer zombie.Close()
	held, _, err := zombie.Position(t.Context(), journalID)
	if err != nil {
		t.Fatal(err)
	}
	s.Lines = 200 // Another process goes on, while the first one stands still.
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := forward.NewBatch(journalID, held.Number, held.At)
	next := held.At
	next.Offset += int64(len(lines[held.Number])) + 1
	late.Add([]byte(lines[held.Number]), held.At, next)
	if receipt, err := zombie.Send(t.Context(), late); err == nil || receipt.Acked != 0 {
		t.Errorf("the one left behind stored %d lines, %v", receipt.Acked, err)
	}
	s.Lines = int64(len(lines))
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantExactly(t, e.messages(t, "fenced"), journalID, lines)
}

func TestTwoNATSSendersOfOneNameStoreEachLineOnce(t *testing.T) {
	e := newNATS(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 1000, rotate.Options{})
	ended := make(chan error, 2)
	for range 2 {
		s := &sender{URL: e.url(), Dir: dir, Journal: journalID, Receiver: "twins", Lines: int64(len(lines)), Batch: 4 << 10}
		go func() { ended <- s.run(t.Context()) }()
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	wantExactly(t, e.messages(t, "twins"), journalID, lines)
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
	s := &sender{URL: e.url(), Dir: dir, Journal: journalID, Receiver: "purged", Lines: 200, Batch: 64 << 10}
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
	s := &sender{URL: e.url(), Dir: dir, Journal: journalID, Receiver: "leak", Lines: int64(len(lines)), Batch: 1 << 10}
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
	goleak.VerifyNone(t, before)
}
