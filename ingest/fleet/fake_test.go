package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/rotate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeEngine is a stream in memory, that tests take away, put back and fill.
type fakeEngine struct {
	mu      sync.Mutex
	name    string
	all     []Message
	changed chan struct{}
	at      uint64
}

func newFakeEngine() *fakeEngine { return &fakeEngine{name: "one", changed: make(chan struct{})} }

func (e *fakeEngine) put(m Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m.Offset = uint64(len(e.all)) + 1
	e.all = append(e.all, m)
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *fakeEngine) Start(_ context.Context, behind Position) (Position, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at = behind.Offsets[0]
	if behind.Stream != e.name || e.at > uint64(len(e.all)) {
		e.at = 0
	}
	return Position{Stream: e.name, Offsets: map[int32]uint64{0: e.at}}, nil
}

func (e *fakeEngine) Next(ctx context.Context) (Message, error) {
	for {
		e.mu.Lock()
		changed := e.changed
		if e.at < uint64(len(e.all)) {
			e.at++
			m := e.all[e.at-1]
			e.mu.Unlock()
			return m, nil
		}
		e.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

func (e *fakeEngine) Close() error { return nil }

// fakeBucket is a bucket in memory.
type fakeBucket struct {
	mu     sync.Mutex
	values map[string][]byte
	polled bool
	purged uint64
}

func (b *fakeBucket) Put(_ context.Context, key string, value []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.values[key] = value
	return nil
}

func (b *fakeBucket) Poll(context.Context) (changes []Change, anew bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, value := range b.values {
		changes = append(changes, Change{key, value})
	}
	anew, b.polled = !b.polled, true
	return changes, anew, nil
}

func (b *fakeBucket) Purge(_ context.Context, _ string, last uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.purged = max(b.purged, last)
	return b.purged + 1, nil
}

func (b *fakeBucket) Close() error { return nil }

// get reads a value into v, and reports whether there is one.
func (b *fakeBucket) get(t *testing.T, key string, v any) bool {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	text, ok := b.values[key]
	if ok {
		if err := json.Unmarshal(text, v); err != nil {
			t.Fatal(err)
		}
	}
	return ok
}

// lines are entries from number from up to to, each of its own second.
func lines(from, to int) []byte {
	var all []byte
	for i := from; i < to; i++ {
		at := time.Unix(1774699200+int64(i), 0).UTC()
		all = fmt.Appendf(all, `{"timestamp":%d.000,"datetime":"%s","source_ip":"192.0.2.1","source_port":1,"message":{"n":%d}}`+"\n",
			at.Unix(), at.Format(journal.DatetimeLayout), i)
	}
	return all
}

// message holds the lines numbered from number on, of a journal.
func message(t *testing.T, receiver, id string, number int64, text []byte, gone stream.Gone) Message {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	last := bytes.TrimSuffix(lastLine(text), []byte{'\n'})
	mark := stream.Mark{
		Journal: id, To: read.Cursor{First: 1, Offset: int64(len(text))}, Number: number, Lines: bytes.Count(text, []byte{'\n'}),
		Last: journal.LineHash(last), Gone: gone,
	}
	headers := make(map[string]string)
	for _, h := range mark.Headers() {
		headers[h[0]] = h[1]
	}
	return Message{
		Receiver: receiver, Header: func(name string) string { return headers[name] }, Payload: encoder.EncodeAll(text, nil),
	}
}

// An archive is one under test.
type archive struct {
	t      *testing.T
	dir    string
	engine *fakeEngine
	bucket *fakeBucket
	tune   func(*rotate.Options) // may be nil
}

func newArchive(t *testing.T) *archive {
	return &archive{t: t, dir: t.TempDir(), engine: newFakeEngine(), bucket: &fakeBucket{values: make(map[string][]byte)}}
}

func (a *archive) options() Options {
	return Options{
		Dir: a.dir, Name: "a", Engine: a.engine, Bucket: a.bucket, Round: time.Millisecond,
		Files: func(dir string) rotate.Options {
			o := rotate.Options{Dir: dir, Name: "messages.journal", MaxBytes: 4 << 10}
			if a.tune != nil {
				a.tune(&o)
			}
			return o
		},
	}
}

// run archives until done reports true.
func (a *archive) run(done func(Figures) bool) Figures {
	a.t.Helper()
	a.bucket.polled = false
	archiver, err := Open(a.options())
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- archiver.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done(archiver.Figures()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			a.t.Fatalf("it does not come: %+v", archiver.Figures())
		}
	}
	cancel()
	if err := <-ended; err != nil {
		a.t.Fatal(err)
	}
	return archiver.Figures()
}

// read reads as many messages as the engine holds.
func (a *archive) read() Figures {
	a.t.Helper()
	want := uint64(len(a.engine.all))
	return a.run(func(f Figures) bool { return f.Messages >= want })
}

// joined is all that the journal of a receiver holds.
func (a *archive) joined(receiver string) []byte {
	a.t.Helper()
	files, err := read.Files(filepath.Join(a.dir, receiver), "messages.journal")
	if err != nil {
		a.t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file.Path)
		if err != nil {
			a.t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// endsWith reports whether the journal of rx ends with these lines.
func (a *archive) endsWith(want []byte) bool {
	a.t.Helper()
	if _, err := os.Stat(filepath.Join(a.dir, "rx")); err != nil {
		return false
	}
	return bytes.HasSuffix(a.joined("rx"), want)
}

func (a *archive) want(receiver string, want []byte) {
	a.t.Helper()
	if got := a.joined(receiver); !bytes.Equal(got, want) {
		a.t.Errorf("receiver %s: got %d lines, want %d:\n%.2000s", receiver, bytes.Count(got, []byte{'\n'}), bytes.Count(want, []byte{'\n'}), got)
	}
}

// start is a time, that of the first of lines.
func start() time.Time { return time.Unix(1774699200, 0) }

// dealing is an archiver that is given messages by hand, with a clock.
func (a *archive) dealing(clock *time.Time) *Archiver {
	a.t.Helper()
	o := a.options()
	o.Now = func() time.Time { return *clock }
	archiver, err := Open(o)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { archiver.Close() })
	archiver.began(Position{Stream: "one", Offsets: map[int32]uint64{0: 0}})
	return archiver
}
