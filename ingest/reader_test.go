package ingest

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// readerOf returns a reader that nobody runs, and what sends it a datagram and has it tick after a second.
func readerOf(t *testing.T, o Options) (r *reader, receive, tick func()) {
	t.Helper()
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	o.Addrs, o.Now = []string{"127.0.0.1:0"}, func() time.Time { return now }
	l, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r = l.readers[0]
	r.pipeline.to, r.ticked = &recorder{room: -1}, now
	conn := dial(t, l.Addrs()[0].String())
	receive = func() {
		send(t, conn, `{"ID":"HTB"}`)
		r.round(r.socket.receive(time.Minute))
	}
	tick = func() {
		now = now.Add(time.Second)
		r.round(0, nil)
	}
	return r, receive, tick
}

// wantTicks wants the reader to tick each second, as long as it owes something, and then to rest.
func wantTicks(t *testing.T, r *reader, tick func(), want int) {
	t.Helper()
	got := 0
	for ; r.patience() == time.Second && got < 1000; got++ {
		tick()
	}
	if got != want {
		t.Errorf("got %d ticks before it rests, want %d", got, want)
	}
}

func TestReaderRestsWhenNothingComes(t *testing.T) {
	r, receive, tick := readerOf(t, Options{})
	wantTicks(t, r, tick, 1)
	receive()
	wantTicks(t, r, tick, 2) // The first still finds what has come.
}

func TestReaderLooksAfterOpenWindowsThoughNothingComes(t *testing.T) {
	r, receive, tick := readerOf(t, Options{DedupWindow: 10 * time.Second})
	receive()
	receive()
	wantTicks(t, r, tick, 10)
	if notes := r.pipeline.to.(*recorder).notes; len(notes) != 1 || !strings.Contains(notes[0], `"event":"duplicate"`) {
		t.Errorf("got notes %v, want one of the copy", notes)
	}
}

func TestReaderReportsRefusalsThoughNothingComes(t *testing.T) {
	var log bytes.Buffer
	r, receive, tick := readerOf(t, Options{AllowFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Log: zerolog.New(&log)})
	receive()
	tick() // The first refusal is said at once.
	receive()
	wantTicks(t, r, tick, 60)
	if got := strings.Count(log.String(), "refused by their source"); got != 2 {
		t.Errorf("got %d reports, want 2:\n%s", got, log.String())
	}
}

func TestFirstKernelLossAndEachNewBeginningAreLoggedAtOnce(t *testing.T) {
	var log bytes.Buffer
	r, _, tick := readerOf(t, Options{Log: zerolog.New(&log)})
	logged := func(want ...string) {
		t.Helper()
		var got []string
		for line := range strings.Lines(log.String()) {
			if _, rest, ok := strings.Cut(line, `"lost":`); ok {
				got = append(got, rest[:strings.IndexByte(rest, ',')])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("losses in the log: got %q, want %q", got, want)
		}
	}
	lose := func(n uint32) {
		r.drops -= n // As if the kernel had counted n more.
		tick()
	}
	lose(5)
	logged("5")
	for range 20 {
		lose(1)
	}
	logged("5") // It goes on, which is told once a minute.
	for range 9 {
		tick()
	}
	lose(2) // After ten seconds without any.
	logged("5", "22")
	for range 60 {
		lose(1)
	}
	logged("5", "22", "60")
}
