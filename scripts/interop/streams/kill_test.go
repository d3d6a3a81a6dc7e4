package streams

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"hbjournal/sink/rotate"
)

const journalID = "0123456789abcdef0123456789abcdef"

// points is at how many places a row of the kill table strikes: STREAMS_POINTS, or 10.
func points() int {
	if n, err := strconv.Atoi(os.Getenv("STREAMS_POINTS")); err == nil {
		return n
	}
	return 10
}

// seed is that of the places: STREAMS_SEED, or 1.
func seed() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("STREAMS_SEED"), 10, 64); err == nil {
		return n
	}
	return 1
}

const rowLines = 1200

// table is a journal, and a server that it is shipped to again and again, as another receiver each time.
type table struct {
	engine
	dir    string
	lines  []string
	random *rand.Rand
	bytes  int // that go over the wire when nothing goes wrong
}

func newTable(t testing.TB, e engine) *table {
	t.Helper()
	tb := &table{engine: e, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed(), 0))}
	tb.lines = writeJournal(t, tb.dir, rowLines, rotate.Options{MaxBytes: 100 << 10})
	tb.between().watch(func(s seen) verdict {
		tb.bytes += len(s.data)
		return pass
	})
	tb.ship(t, "unhurt")
	return tb
}

func (tb *table) sender(receiver string) *sender {
	return &sender{
		URL: tb.url(receiver), Dir: tb.dir, Journal: journalID, Receiver: receiver, Lines: int64(len(tb.lines)), Batch: 8 << 10,
	}
}

// ship ships the journal as this receiver until all is there, and checks that it is.
func (tb *table) ship(t testing.TB, receiver string) {
	t.Helper()
	if err := tb.sender(receiver).run(t.Context()); err != nil {
		t.Fatal(err)
	}
	tb.check(t, receiver)
}

func (tb *table) check(t testing.TB, receiver string) {
	t.Helper()
	tb.between().watch(nil)
	wantExactly(t, tb.messages(t, receiver), journalID, tb.lines)
}

// after calls strike when so many bytes have passed the proxy.
func (tb *table) after(bytes int, strike func()) {
	passed := 0
	tb.between().watch(func(s seen) verdict {
		before := passed
		passed += len(s.data)
		if before <= bytes && passed > bytes {
			strike()
		}
		return pass
	})
}

// killSender kills the sender at a random byte of its way, up to three times.
func (tb *table) killSender(t *testing.T) {
	for i := range points() {
		receiver := fmt.Sprintf("sender-%d", i)
		for range 1 + i%3 {
			struck := make(chan struct{})
			tb.after(tb.random.IntN(tb.bytes), func() { close(struck) })
			c := start(t, "sender", tb.sender(receiver))
			select {
			case <-struck:
				c.kill()
			case <-c.ended:
			}
		}
		tb.between().watch(nil)
		tb.ship(t, receiver)
	}
}

// killReceiver kills the server at a random byte, and starts it again on what its disk holds.
func (tb *table) killReceiver(t *testing.T) {
	for i := range points() {
		receiver := fmt.Sprintf("receiver-%d", i)
		struck := make(chan struct{})
		tb.after(tb.random.IntN(tb.bytes), func() {
			tb.kill()
			close(struck)
		})
		c := start(t, "sender", tb.sender(receiver))
		select {
		case <-struck:
			tb.restart()
			<-c.ended
		case <-c.ended:
		}
		if c.err != nil {
			t.Fatalf("sender: %v\n%s", c.err, c.stderr.String())
		}
		tb.check(t, receiver)
	}
}

// cutBefore cuts the connection in the middle of a message on its way there.
func (tb *table) cutBefore(t *testing.T) {
	for i := range points() {
		nth := 0
		tb.between().watch(func(s seen) verdict {
			if s.toServer && tb.isSend(s.data) {
				if nth++; nth == 1+i {
					return cut
				}
			}
			return pass
		})
		tb.ship(t, fmt.Sprintf("before-%d", i))
	}
}

// loseAnswer lets a message through, and cuts the connection instead of the answer.
func (tb *table) loseAnswer(t *testing.T) {
	for i := range points() {
		nth, sent := 0, false
		tb.between().watch(func(s seen) verdict {
			if s.toServer && tb.isSend(s.data) {
				nth++
				sent = nth == 1+i
			}
			if !s.toServer && sent {
				sent = false
				return cut
			}
			return pass
		})
		tb.ship(t, fmt.Sprintf("answer-%d", i))
	}
}

// noAnswer lets a message through, and nothing comes back any more, while the connection stays.
func (tb *table) noAnswer(t *testing.T) {
	nth, deaf := 0, 0
	tb.between().watch(func(s seen) verdict {
		if s.toServer && tb.isSend(s.data) {
			nth++
			if nth == 3 {
				deaf = s.conn
			}
		}
		if !s.toServer && s.conn == deaf {
			return swallow
		}
		return pass
	})
	tb.ship(t, "deaf")
}

// cutAnywhere cuts the connection at random bytes, many times in one shipping.
func (tb *table) cutAnywhere(t *testing.T) {
	for i := range points() {
		left := tb.random.IntN(tb.bytes / 4)
		tb.between().watch(func(s seen) verdict {
			if left -= len(s.data); left < 0 {
				left = tb.random.IntN(tb.bytes / 4)
				return cut
			}
			return pass
		})
		tb.ship(t, fmt.Sprintf("anywhere-%d", i))
	}
}

func TestNATSKillTable(t *testing.T) { runTable(t, newTable(t, newNATS(t))) }

func runTable(t *testing.T, tb *table) {
	t.Run("kill sender", tb.killSender)
	t.Run("kill receiver", tb.killReceiver)
	t.Run("cut before the answer", tb.cutBefore)
	t.Run("lost answer", tb.loseAnswer)
	t.Run("no answer at all", tb.noAnswer)
	t.Run("cut anywhere", tb.cutAnywhere)
}
