package streams

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/killtest"
	"hbjournal/sink/rotate"
)

const journalID = killtest.ID

const rowLines = 1200

// table is a journal, and a server that it is shipped to again and again, as another receiver each time.
type table struct {
	engine
	dir    string
	lines  []string
	random *rand.Rand
	states map[string]string
	count  int
	bytes  int // that go over the wire when nothing goes wrong
}

func newTable(t testing.TB, e engine) *table {
	t.Helper()
	tb := &table{engine: e, dir: t.TempDir(), states: make(map[string]string), random: killtest.Random(t)}
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
		URL: tb.url(receiver), Dir: tb.dir, State: tb.state(receiver), Journal: journalID, Receiver: receiver,
		Lines: int64(len(tb.lines)), Batch: 8 << 10,
	}
}

// state is where the loop keeps what it knows; every third sender knows nothing but what the server says.
func (tb *table) state(receiver string) string {
	if tb.count++; tb.states[receiver] == "" {
		tb.states[receiver] = filepath.Join(tb.dir, "state", receiver)
	}
	if tb.count%3 == 0 {
		return ""
	}
	return tb.states[receiver]
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
	for i := range killtest.Kills() {
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
	for i := range killtest.Kills() {
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
	for i := range killtest.Kills() {
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
	for i := range killtest.Kills() {
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
	for i := range killtest.Kills() {
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

func TestNATSKillTable(t *testing.T) {
	t.Parallel() // Most of its time it waits.
	runTable(t, newTable(t, newNATS(t)))
}

func runTable(t *testing.T, tb *table) {
	t.Run("kill sender", tb.killSender)
	t.Run("kill receiver", tb.killReceiver)
	t.Run("cut before the answer", tb.cutBefore)
	t.Run("lost answer", tb.loseAnswer)
	t.Run("no answer at all", tb.noAnswer)
	t.Run("cut anywhere", tb.cutAnywhere)
}

// killRow is a row of the kill table that the loop's own harness works on: the journal is written, rotated and compressed
// while its senders are killed.
func killRow(e engine) killtest.Row {
	row := killtest.Row{URL: e.url("r") + "&" + killtest.Batch, Receiver: "r", Doubles: killtest.Nothing}
	row.Numbers = func(t testing.TB) []int {
		var text strings.Builder
		next := 0
		for _, m := range e.messages(t, "r") {
			if m.number != next {
				t.Errorf("a message begins with line %d, want %d", m.number, next)
			}
			next = m.number + len(m.lines)
			for _, line := range m.lines {
				text.WriteString(line + "\n")
			}
		}
		return killtest.NumbersOf(t, []byte(text.String()))
	}
	return row
}

func TestKillsOfTheSenderWhileTheJournalIsWritten(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) { killRow(e).KillSender(t) })
}

// TestALineThatIsTooLargeIsPutAsideOnce has the loop killed and begun again behind a line that the stream refused.
func TestALineThatIsTooLargeIsPutAsideOnce(t *testing.T) {
	eachEngine(t, true, func(t *testing.T, e engine) {
		row := killRow(e)
		j := killtest.NewJournal(t)
		j.Write(40)
		random := make([]byte, 60<<10)
		rand.NewChaCha8([32]byte{}).Read(random)
		j.Put(fmt.Sprintf(`{"poison":%q}`, base64.StdEncoding.EncodeToString(random)))
		row.Finish(t, j)
		row.Finish(t, j) // It knows that it has put it aside, though the stream does not.
		j.Write(40)
		row.Finish(t, j)
		letters, err := forward.ReadLetters(filepath.Join(row.Sender(j).StateDir, "dead.jsonl"))
		if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Line, "poison") {
			t.Fatalf("%d letters, %v; want the large line once", len(letters), err)
		}
		var lines []string
		for _, m := range e.messages(t, "r") {
			if len(lines) == 40 && m.number == 41 {
				lines = append(lines, letters[0].Line)
			}
			if m.number != len(lines) {
				t.Fatalf("a message begins with line %d after %d", m.number, len(lines))
			}
			lines = append(lines, m.lines...)
		}
		if want, err := journalLines(t.Context(), j.Dir); err != nil || !slices.Equal(lines, want) {
			t.Errorf("%d lines, %v; want %d", len(lines), err, len(want))
		}
	})
}

// want wants the stream to hold the journal as it stands.
func want(t *testing.T, e engine, j *killtest.Journal) {
	t.Helper()
	lines, err := journalLines(t.Context(), j.Dir)
	if err != nil {
		t.Fatal(err)
	}
	wantExactly(t, e.messages(t, "r"), killtest.ID, lines)
}

func TestRotationAndCompressionBetweenRuns(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) {
		row, j := killRow(e), killtest.NewJournal(t)
		for i := range 6 {
			j.Write(70)
			if i%2 == 0 {
				row.Finish(t, j)
			}
			if backup := j.Rotate(); i%3 != 0 {
				j.Compress(backup)
			}
		}
		row.Finish(t, j)
		want(t, e, j)
	})
}

func TestPruningOfWhatWasNotSentIsCounted(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) {
		row, j := killRow(e), killtest.NewJournal(t)
		j.Write(50)
		row.Finish(t, j)
		j.Rotate()
		j.Write(50)
		j.Rotate()
		j.Write(50)
		lost := j.Prune(2)[50:]
		row.Finish(t, j)
		row.WantBut(t, j.Count(), 0, lost)
		record, err := forward.ReadRecord(row.Sender(j).StateDir)
		if err != nil || record.Figures.Missed != 1 {
			t.Errorf("missed: got %d, %v; want 1", record.Figures.Missed, err)
		}
	})
}

// TestAPowerCutThatTakesTheLastSecondOfTheJournal takes back what was written and not forced to the disk before it was sent.
func TestAPowerCutThatTakesTheLastSecondOfTheJournal(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) {
		row, j, random := killRow(e), killtest.NewJournal(t), killtest.Random(t)
		for range killtest.Kills() {
			child := row.Sender(j).Start(t)
			j.Write(100)
			record := waitForRecord(t, row.Sender(j).StateDir)
			j.Write(random.IntN(200))
			child.Kill()
			if again, err := forward.ReadRecord(row.Sender(j).StateDir); err == nil {
				record = again
			}
			durable := record.Cursor.Offset
			if record.Intent != nil {
				durable = record.Intent.To.Offset
			}
			if err := os.Truncate(j.Live(), durable); err != nil {
				t.Fatal(err)
			}
		}
		row.Finish(t, j)
		want(t, e, j)
	})
}

func waitForRecord(t *testing.T, dir string) forward.Record {
	t.Helper()
	end := time.After(30 * time.Second)
	for {
		record, err := forward.ReadRecord(dir)
		if err == nil && record.Number > 0 {
			return record
		}
		select {
		case <-end:
			t.Fatalf("nothing was sent in 30 s: %v", err)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
