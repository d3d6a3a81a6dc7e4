package streams

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/killtest"
	"hbjournal/sink/forward/output"
	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal/read"
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
	if err == nil || !strings.Contains(err.Error(), "if archivers read it, name them with archivers=") {
		t.Fatalf("what was seen last is gone: got %v, want trouble with advice", err)
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

// Archivers purge what they all have: a receiver that sends now and then finds its subject empty each time.
func TestNATSGoesOnAfterArchiversPurgedWhatTheyHave(t *testing.T) {
	e := newNATS(t)
	bucket := e.bucket(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 300, rotate.Options{})
	s := &sender{URL: e.url("") + "&archivers=a,b", Dir: dir, Journal: journalID, Receiver: "rx", Lines: 300, Batch: 64 << 10}
	out, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	at := cursorOf(t, dir)
	batch := func(from, to int) *forward.Batch {
		b := forward.NewBatch(journalID, int64(from), at)
		for _, line := range lines[from:to] {
			next := at
			next.Offset += int64(len(line)) + 1
			b.Add([]byte(line), at, next)
			at = next
		}
		return b
	}
	purged := func(confirmed int64) {
		t.Helper()
		for _, archiver := range []string{"a", "b"} {
			put(t, bucket, stream.Confirmation{Journal: journalID, Number: confirmed, To: at}, stream.KindConfirmed, archiver, "rx")
		}
		if err := e.jetStream(t).PurgeStream("HBJ"); err != nil {
			t.Fatal(err)
		}
	}
	if receipt, err := out.Send(t.Context(), batch(0, 100)); err != nil || receipt.Acked != 100 {
		t.Fatalf("got %d, %v", receipt.Acked, err)
	}
	purged(100)
	if receipt, err := out.Send(t.Context(), batch(100, 200)); err != nil || receipt.Acked != 100 {
		t.Fatalf("after a purge of what all have: got %d, %v", receipt.Acked, err)
	}
	if got := e.messages(t, "rx"); len(got) != 1 || got[0].number != 100 || !slices.Equal(got[0].lines, lines[100:200]) {
		t.Errorf("got %d messages", len(got))
	}
	purged(150) // An engine that has lost what it had acknowledged.
	if _, err := out.Send(t.Context(), batch(200, 300)); err == nil || !strings.Contains(err.Error(), "purged or made anew") {
		t.Errorf("after a purge of what nobody has: got %v, want trouble", err)
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

// bucket makes the bucket in which archivers and receivers speak.
func (e *natsEngine) bucket(t testing.TB) nats.KeyValue {
	t.Helper()
	bucket, err := e.jetStream(t).CreateKeyValue(&nats.KeyValueConfig{Bucket: "HBJ"})
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

func put(t testing.TB, bucket nats.KeyValue, v any, kind string, names ...string) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		_, err = bucket.Put(stream.Key(kind, names...), text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shipOnce ships what there is by the loop that users have.
func shipOnce(t testing.TB, dir, url string) {
	t.Helper()
	loop := killtest.Sender{
		Dir: dir, StateDir: filepath.Join(dir, "."+base+".d", "forward", "out"), URL: url, Receiver: "rx", Once: true,
	}
	if err := loop.Run(t.Context(), zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
}

func TestNATSArchiversAreHeard(t *testing.T) {
	e := newNATS(t)
	bucket := e.bucket(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 300, rotate.Options{})
	url := e.url("") + "&archivers=a,b&batch_bytes=8KiB"
	shipOnce(t, dir, url)
	all := e.messages(t, "rx")
	journal, half := all[0].journal, all[len(all)/2]
	number := int64(half.number)
	from, err := read.ParseCursor(half.from)
	if err != nil {
		t.Fatal(err)
	}

	var figures stream.Figures
	entry, err := bucket.Get(stream.Key(stream.KindFigures, "rx"))
	if err == nil {
		err = stream.Decode(entry.Value(), &figures)
	}
	if err != nil || figures.Number != 300 || figures.Journal != journal {
		t.Errorf("got the figures %+v, %v", figures, err)
	}
	put(t, bucket, stream.Request{Journal: journal, Number: number, From: from, ID: "1"}, stream.KindAsk, "b", "rx")
	shipOnce(t, dir, url)
	again := e.messages(t, "rx")[len(all):]
	if len(again) == 0 || again[0].number != half.number {
		t.Fatalf("got %d messages more, want those from line %d on", len(again), half.number)
	}
	wantExactly(t, append(all[:len(all)/2:len(all)/2], again...), journal, lines)

	// The stream is lost, and with it all that nobody has confirmed.
	for _, archiver := range []string{"a", "b"} {
		put(t, bucket, stream.Confirmation{Journal: journal, Number: number, To: from}, stream.KindConfirmed, archiver, "rx")
	}
	if err := e.jetStream(t).DeleteStream("HBJ"); err != nil {
		t.Fatal(err)
	}
	shipOnce(t, dir, url)
	wantExactly(t, append(all[:len(all)/2:len(all)/2], e.messages(t, "rx")...), journal, lines)
}

func TestNATSReceiverIsTakenOverOnRequestOnly(t *testing.T) {
	e := newNATS(t)
	e.bucket(t)
	url := e.url("") + "&archivers=a"
	first, second := t.TempDir(), t.TempDir()
	writeJournal(t, first, 10, rotate.Options{})
	lines := writeJournal(t, second, 20, rotate.Options{})
	identity := output.Identity{Receiver: "rx", Journal: "first"}
	open := func(id string) forward.Archived {
		identity.Journal = id
		target, err := output.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		out, err := target.Open(identity)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = out.Close() })
		return out.(forward.Archived)
	}
	batch := forward.NewBatch("first", 0, cursorOf(t, first))
	next := batch.From
	next.Offset = 10
	batch.Add([]byte("something"), batch.From, next)
	if _, err := open("first").Send(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	out := open("second")
	if _, _, err := out.Position(t.Context(), "second"); !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "--take-over") {
		t.Errorf("got %v, want the output stopped with a word of --take-over", err)
	}
	before, err := out.(forward.TakesOver).TakeOver(t.Context(), "second")
	if err != nil || before != "first" {
		t.Fatalf("got %q, %v", before, err)
	}
	if _, ok, err := out.Position(t.Context(), "second"); ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
	batch = forward.NewBatch("second", 0, cursorOf(t, second))
	at := batch.From
	for _, line := range lines {
		next := at
		next.Offset += int64(len(line)) + 1
		batch.Add([]byte(line), at, next)
		at = next
	}
	if receipt, err := out.Send(t.Context(), batch); err != nil || receipt.Acked != 20 {
		t.Fatalf("got %d, %v", receipt.Acked, err)
	}
	if _, _, err := open("first").Position(t.Context(), "first"); !errors.Is(err, forward.ErrStop) {
		t.Errorf("the journal that was left behind: got %v", err)
	}
	wantExactly(t, e.messages(t, "rx")[1:], "second", lines)
}
