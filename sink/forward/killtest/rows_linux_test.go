package killtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/sink/forward"
)

func TestMain(m *testing.M) { Main(m) }

// fileRow is the output file://.
func fileRow(t *testing.T) Row {
	path := filepath.Join(t.TempDir(), "copy")
	return Row{URL: "file://" + path + "?" + Batch, Doubles: Nothing, Numbers: func(t testing.TB) []int {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return NumbersOf(t, text)
	}}
}

// httpRow is the output http:// with a receiver that has faults.
func httpRow(t *testing.T, plan func(int) Fault) (Row, *HTTP) {
	h := NewHTTP(t, plan)
	t.Cleanup(h.Close)
	t.Cleanup(func() {
		if n := h.Unlike(); n > 0 {
			t.Errorf("%d batches came again with other bytes", n)
		}
	})
	return Row{
		URL: h.URL + "/?timeout=200ms&" + Batch, Doubles: ABatch,
		Numbers: func(t testing.TB) []int { return NumbersOf(t, h.Text()) },
	}, h
}

// once sends all that there is, in this process.
func once(t *testing.T, r Row, j *Journal) *forward.Loop {
	t.Helper()
	s := r.Sender(j)
	s.Once = true
	loop, err := s.Open(zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := loop.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return loop
}

func TestKillsOfTheSenderToAFile(t *testing.T) { fileRow(t).KillSender(t) }

func TestKillsOfTheSenderOverHTTP(t *testing.T) {
	r, _ := httpRow(t, nil)
	r.KillSender(t)
}

func TestKillsOfTheSenderOverHTTPWithFaults(t *testing.T) {
	random, faults := Random(t), Random(t)
	var doubts atomic.Int64
	r, _ := httpRow(t, func(int) Fault {
		if faults.IntN(10) > 0 {
			return None
		}
		doubts.Add(1)
		return Fault(1 + faults.IntN(int(Broken)))
	})
	j := NewJournal(t)
	for range Kills() {
		r.live(t, j, random)
	}
	r.Finish(t, j)
	r.Want(t, j.Count(), Kills()+int(doubts.Load()))
}

// TestFaultsOfAReceiverOverHTTP has each fault often, alone and one after the other.
func TestFaultsOfAReceiverOverHTTP(t *testing.T) {
	for name, c := range map[string]struct {
		fault   Fault
		doubted bool
	}{
		"cut before the answer":           {CutBefore, false},
		"the answer is lost":              {LostAnswer, true},
		"cut within the answer":           {HalfAnswer, true},
		"garbage for an answer":           {Garbage, true},
		"no answer":                       {NoAnswer, true},
		"a storm of 429":                  {Storm, false},
		"a receiver that is broken (503)": {Broken, false},
	} {
		t.Run(name, func(t *testing.T) {
			doubts := 0
			r, _ := httpRow(t, func(i int) Fault {
				if i%3 != 0 {
					return None
				}
				if c.doubted {
					doubts++
				}
				return c.fault
			})
			j := NewJournal(t)
			j.Write(250)
			once(t, r, j)
			r.Want(t, j.Count(), doubts)
		})
	}
}

func TestAReceiverOverHTTPThatIsGoneForAWhile(t *testing.T) {
	r, h := httpRow(t, nil)
	j := NewJournal(t)
	j.Write(100)
	once(t, r, j)
	address := strings.TrimPrefix(h.URL, "http://")
	h.server.CloseClientConnections()
	if err := h.server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	child := r.Sender(j).Start(t)
	j.Write(100)
	eventually(t, "the sender is told that nobody listens", func() bool { return strings.Contains(child.Log(), `"class":"network"`) })
	revived := serveAt(t, address, h.faulty)
	defer revived.Close()
	eventually(t, "all is there", func() bool { return len(r.Numbers(t)) >= 200 })
	child.Stop(t)
	r.Want(t, j.Count(), 1)
}

func TestAPoisonLineOverHTTPIsPutAside(t *testing.T) {
	r, h := httpRow(t, nil)
	h.Refuse("poison")
	j := NewJournal(t)
	j.Write(40)
	j.Put(`{"poison":true}`)
	j.Write(40)
	loop := once(t, r, j)
	r.WantBut(t, j.Count(), 0, []int{40})
	letters, err := forward.ReadLetters(filepath.Join(r.Sender(j).StateDir, "dead.jsonl"))
	if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Line, "poison") {
		t.Errorf("dead letters: got %+v, %v", letters, err)
	}
	if got := loop.Figures().Refused; got != 1 {
		t.Errorf("refused: got %d", got)
	}
}

// rows runs f with each row.
func rows(t *testing.T, f func(*testing.T, Row)) {
	t.Run("file", func(t *testing.T) { f(t, fileRow(t)) })
	t.Run("http", func(t *testing.T) {
		r, _ := httpRow(t, nil)
		f(t, r)
	})
	t.Run("syslog", func(t *testing.T) { f(t, syslogRow(t)) })
	for name, k := range stands(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, _ := k.row(t, nil)
			f(t, r)
		})
	}
}

func TestRotationAndCompressionBetweenRuns(t *testing.T) {
	rows(t, func(t *testing.T, r Row) {
		j := NewJournal(t)
		for i := range 6 {
			j.Write(70)
			if i%2 == 0 {
				once(t, r, j)
			}
			if backup := j.Rotate(); i%3 != 0 {
				j.Compress(backup)
			}
		}
		once(t, r, j)
		r.Want(t, j.Count(), 0)
	})
}

func TestPruningOfWhatWasNotSentIsCounted(t *testing.T) {
	rows(t, func(t *testing.T, r Row) {
		j := NewJournal(t)
		j.Write(50)
		once(t, r, j)
		j.Rotate()
		j.Write(50)
		j.Rotate()
		j.Write(50)
		lost := j.Prune(2)[50:]
		loop := once(t, r, j)
		r.WantBut(t, j.Count(), 0, lost)
		if got := loop.Figures().Missed; got != 1 {
			t.Errorf("missed: got %d, want 1", got)
		}
	})
}

func TestAPowerCutThatTakesTheLastSecondOfTheJournal(t *testing.T) {
	rows(t, func(t *testing.T, r Row) {
		random := Random(t)
		j := NewJournal(t)
		for range Kills() {
			child := r.Sender(j).Start(t)
			j.Write(100)
			eventually(t, "something is sent", func() bool {
				record, err := forward.ReadRecord(r.Sender(j).StateDir)
				return err == nil && record.Number > 0
			})
			j.Write(random.IntN(200))
			child.Kill()
			powerCut(t, r, j)
		}
		r.Finish(t, j)
		r.Want(t, j.Count(), Kills())
	})
}

// powerCut takes back what was written and not forced to the disk: all that no batch was cut from yet. The messages that come
// next get the numbers of those that are gone, and stand in their places.
func powerCut(t *testing.T, r Row, j *Journal) {
	t.Helper()
	record, err := forward.ReadRecord(r.Sender(j).StateDir)
	if err != nil {
		t.Fatal(err)
	}
	durable := record.Cursor.Offset
	if record.Intent != nil {
		durable = record.Intent.To.Offset
	}
	if err := os.Truncate(j.Live(), durable); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(j.Live())
	if err != nil {
		t.Fatal(err)
	}
	j.count = len(NumbersOf(t, text))
}

func TestAFullDiskOfTheStateLosesAndDoublesNothing(t *testing.T) {
	rows(t, func(t *testing.T, r Row) {
		j := NewJournal(t)
		dir := t.TempDir()
		mount(t, dir)
		s := r.Sender(j)
		s.StateDir = filepath.Join(dir, "row")
		j.Write(100)
		loop, err := s.Open(zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		punch(t, s.StateDir)
		fill := filepath.Join(dir, "fill")
		if err := os.WriteFile(fill, make([]byte, 4<<20), 0o600); !errors.Is(err, errNoSpace) {
			t.Fatalf("fill: got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- loop.Run(ctx) }()
		eventually(t, "the output says that the disk is full", func() bool { return loop.Figures().Class == forward.Local })
		if err := os.Remove(fill); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all is sent", func() bool { return loop.Figures().Number == 100 })
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.Want(t, j.Count(), 0)
	})
}

// punch takes the room away that the two slots of the cursor have, so that writing them again needs some.
func punch(t *testing.T, stateDir string) {
	t.Helper()
	path := filepath.Join(stateDir, "cursor")
	if out, err := exec.Command("fallocate", "--punch-hole", "--offset", "0", "--length", "4096", path).CombinedOutput(); err != nil {
		t.Skipf("punch a hole: %v: %s", err, out)
	}
}

// eventually waits for what must come.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	end := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-end:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}
