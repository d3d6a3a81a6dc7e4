package forward

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// testJournal is a journal that a test writes.
type testJournal struct {
	dir  string
	next int
	all  []string // lines written
}

const base = "messages.journal"

func newJournal(t *testing.T) *testJournal {
	t.Helper()
	return &testJournal{dir: t.TempDir()}
}

// write appends n lines to the live file.
func (j *testJournal) write(t *testing.T, n int) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(j.dir, base), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	encoder := journal.NewEncoder(nil)
	var text []byte
	for range n {
		start := len(text)
		at := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC).Add(time.Duration(j.next) * time.Millisecond)
		text = encoder.AppendLine(text, at, netip.MustParseAddrPort("10.0.0.1:9"), fmt.Appendf(nil, `{"n":%d}`, j.next))
		j.all = append(j.all, string(text[start:len(text)-1]))
		j.next++
	}
	if _, err := file.Write(text); err != nil {
		t.Fatal(err)
	}
}

// rotate renames the live file as the daemon does.
func (j *testJournal) rotate(t *testing.T) {
	t.Helper()
	stamp := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC).Add(time.Duration(j.next) * time.Second)
	if err := os.Rename(filepath.Join(j.dir, base), filepath.Join(j.dir, base+"."+stamp.Format("20060102-150405"))); err != nil {
		t.Fatal(err)
	}
}

// options are for shipping the journal once, with state beside it.
func (j *testJournal) options() Options {
	return Options{
		Journal: read.Options{Dir: j.dir, Base: base}, JournalID: "j", StateDir: filepath.Join(j.dir, "."+base+".d", "forward", "test"),
		Name: "test", Address: "fake:", Once: true,
	}
}

// fake is a receiver in memory.
type fake struct {
	got   []string
	sends int
	// answer decides what becomes of a batch; nil takes all. Lines that it acknowledges are kept.
	answer func(*Batch) (Receipt, error)
}

func (f *fake) Send(_ context.Context, b *Batch) (Receipt, error) {
	f.sends++
	receipt, err := Receipt{Acked: b.Len()}, error(nil)
	if f.answer != nil {
		receipt, err = f.answer(b)
	}
	refused := map[int]bool{}
	for _, r := range receipt.Refused {
		refused[r.Line] = true
	}
	for i := range receipt.Acked {
		if !refused[i] {
			f.got = append(f.got, string(b.Line(i)))
		}
	}
	return receipt, err
}

func (*fake) Close() error { return nil }

// shipAll ships until there is nothing more.
func shipAll(t *testing.T, opt Options, out Output) *Loop {
	t.Helper()
	l, err := Open(opt, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("line %d of %d: got %s, want %s", i, len(got), got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d", len(got), len(want))
	}
}

// deadLines are the lines in dead.jsonl.
func deadLetters(t *testing.T, opt Options) []Letter {
	t.Helper()
	all, err := ReadLetters(filepath.Join(opt.StateDir, deadFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

func TestEachLineIsSentOnceThroughRotationsAndRestarts(t *testing.T) {
	j := newJournal(t)
	f := &fake{}
	for range 5 {
		j.write(t, 300)
		shipAll(t, j.options(), f)
		j.write(t, 300)
		j.rotate(t)
		j.write(t, 10)
	}
	l := shipAll(t, j.options(), f)
	wantLines(t, f.got, j.all)
	if got := l.Figures(); got.Lines != int64(len(j.all)) || got.State != Working || got.LagBytes != 0 || got.Number != int64(len(j.all)) {
		t.Errorf("figures: got %+v", got)
	}
}

func TestABatchHoldsLinesOfOneFileAndIsCutAtItsSize(t *testing.T) {
	j := newJournal(t)
	j.write(t, 100)
	j.rotate(t)
	j.write(t, 100)
	opt := j.options()
	opt.BatchBytes = 1000
	f := &fake{answer: func(b *Batch) (Receipt, error) {
		if b.Size() > 1000 {
			t.Errorf("a batch of %d bytes", b.Size())
		}
		if got := b.To.Offset - b.From.Offset; got != int64(b.Size()) {
			t.Errorf("a batch of %d bytes goes over %d of its file", b.Size(), got)
		}
		return Receipt{Acked: b.Len()}, nil
	}}
	shipAll(t, opt, f)
	wantLines(t, f.got, j.all)
}

func TestTroubleIsTriedAgainAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		j.write(t, 50)
		tries := 0
		var delays []time.Duration
		last := time.Now()
		f := &fake{answer: func(b *Batch) (Receipt, error) {
			tries++
			delays = append(delays, time.Since(last))
			last = time.Now()
			switch {
			case tries < 5:
				return Receipt{}, &TroubleError{Class: Network, Err: errors.New("refused")}
			case tries == 5:
				return Receipt{}, &TroubleError{Class: Throttled, After: 7 * time.Second, Err: errors.New("slowly")}
			case tries == 6:
				return Receipt{Acked: 20}, errors.New("cut")
			}
			return Receipt{Acked: b.Len()}, nil
		}}
		l := shipAll(t, j.options(), f)
		wantLines(t, f.got, j.all)
		got := l.Figures()
		if got.Retries[Network] != 4 || got.Retries[Throttled] != 1 || got.Retries[Ambiguous] != 1 || got.State != Working {
			t.Errorf("figures: got %+v", got)
		}
		if delays[5] != 7*time.Second {
			t.Errorf("Retry-After: got %v", delays[5])
		}
		for i, d := range delays[1:5] {
			if most := leastDelay << i; d > most+1 {
				t.Errorf("delay %d: got %v, want at most %v", i, d, most)
			}
		}
	})
}

func TestALineThatIsRefusedIsPutAsideAndTheOthersGoOn(t *testing.T) {
	j := newJournal(t)
	j.write(t, 500)
	bad := map[string]bool{}
	want := []string{}
	for i, line := range j.all {
		if i%97 == 3 {
			bad[line] = true
		} else {
			want = append(want, line)
		}
	}
	whole := func(b *Batch) (Receipt, error) {
		for i := range b.Len() {
			if bad[string(b.Line(i))] {
				return Receipt{}, &RefusedError{Code: "400", Reason: "no\x00 such\n field"}
			}
		}
		return Receipt{Acked: b.Len()}, nil
	}
	inPieces := func(b *Batch) (Receipt, error) {
		for i := range b.Len() {
			if bad[string(b.Line(i))] {
				return Receipt{Acked: i / 7 * 7}, &RefusedError{Code: "400", Reason: "no\x00 such\n field"}
			}
		}
		return Receipt{Acked: b.Len()}, nil
	}
	byName := func(b *Batch) (Receipt, error) {
		r := Receipt{Acked: b.Len()}
		for i := range b.Len() {
			if bad[string(b.Line(i))] {
				r.Refused = append(r.Refused, Refused{Line: i, Code: "400", Reason: "no\x00 such\n field"})
			}
		}
		return r, nil
	}
	for name, answer := range map[string]func(*Batch) (Receipt, error){"the batch": whole, "a piece": inPieces, "the line": byName} {
		f := &fake{answer: answer}
		opt := j.options()
		opt.StateDir = filepath.Join(t.TempDir(), "state")
		l := shipAll(t, opt, f)
		wantLines(t, f.got, want)
		letters := deadLetters(t, opt)
		if len(letters) != len(bad) {
			t.Fatalf("refusing %s: got %d letters, want %d", name, len(letters), len(bad))
		}
		for _, letter := range letters {
			if !bad[letter.Line] || letter.Code != "400" || letter.Reason != "no  such  field" || len(letter.ID) != idLength {
				t.Errorf("refusing %s: got %+v", name, letter)
			}
		}
		if got := l.Figures(); got.Refused != int64(len(bad)) || got.RefusedBy["400"] != int64(len(bad)) || got.DeadBytes == 0 {
			t.Errorf("figures: got %+v", got)
		}
	}
}

func TestAHundredLinesRefusedForOneReasonAreNotToBlame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		j.write(t, 30)
		broken := false
		f := &fake{answer: func(b *Batch) (Receipt, error) {
			if broken {
				return Receipt{}, &RefusedError{Code: "404", Reason: "no such index"}
			}
			return Receipt{Acked: b.Len()}, nil
		}}
		opt := j.options()
		opt.Once = false
		l, err := Open(opt, f)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		until := func(what string, is func(Figures) bool) {
			t.Helper()
			for range 10_000 {
				if is(l.Figures()) {
					return
				}
				<-time.After(10 * time.Millisecond)
			}
			t.Fatalf("never: %s; %+v", what, l.Figures())
		}
		until("30 lines", func(f Figures) bool { return f.Lines == 30 })
		synctest.Wait()
		broken = true
		for range 4 { // So that the run of refusals goes over several batches.
			j.write(t, 40)
			<-time.After(3 * time.Second)
		}
		until("failing", func(f Figures) bool { return f.State == Failing })
		<-time.After(5 * time.Minute)
		synctest.Wait()
		if got := deadLetters(t, opt); len(got) != 0 {
			t.Errorf("dead letters while failing: got %d", len(got))
		}
		if got := l.Figures(); got.Number != 30 || got.Refused != 0 || !strings.Contains(got.Error, "no such index") {
			t.Errorf("figures: got %+v", got)
		}
		broken = false
		until("working", func(f Figures) bool { return f.State == Working && f.Lines == 190 })
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		wantLines(t, f.got, j.all)
	})
}

func TestLinesThatAreRefusedWithoutANameAreCountedAndTheirRangePutAside(t *testing.T) {
	j := newJournal(t)
	j.write(t, 10)
	f := &fake{answer: func(b *Batch) (Receipt, error) {
		return Receipt{Acked: b.Len(), Unnamed: []Unnamed{{From: 2, To: 6, Count: 3, Code: "partial", Reason: "too old"}}}, nil
	}}
	opt := j.options()
	got := shipAll(t, opt, f).Figures()
	if got.Lines != 7 || got.Refused != 3 || got.RefusedBy["partial"] != 3 {
		t.Errorf("figures: got %+v", got)
	}
	letters := deadLetters(t, opt)
	if len(letters) != 1 || letters[0].Lines != 4 || letters[0].Count != 3 || letters[0].To == "" || letters[0].Line != "" {
		t.Errorf("letters: got %+v", letters)
	}
}

func TestDeadLettersAreSentAgainAndThoseThatAreRefusedAgainAreKept(t *testing.T) {
	j := newJournal(t)
	j.write(t, 60)
	refuse := func(every int) *fake {
		return &fake{answer: func(b *Batch) (Receipt, error) {
			r := Receipt{Acked: b.Len()}
			for i := range b.Len() {
				if (b.At(i).Offset/int64(len(j.all[0])))%int64(every) == 0 {
					r.Refused = append(r.Refused, Refused{Line: i, Code: "400"})
				}
			}
			return r, nil
		}}
	}
	opt := j.options()
	f := refuse(2)
	shipAll(t, opt, f)
	before := deadLetters(t, opt)
	if len(before)+len(f.got) != 60 || len(before) < 20 {
		t.Fatalf("refused: got %d of 60", len(before))
	}
	again := refuse(4)
	sent, left, err := Resend(t.Context(), opt, again)
	if err != nil || sent != len(again.got) || sent+left != len(before) || left == 0 || sent == 0 {
		t.Fatalf("got %d sent, %d left, %v", sent, left, err)
	}
	if n := len(deadLetters(t, opt)); n != 0 {
		t.Errorf("dead.jsonl holds %d", n)
	}
	// The output goes on as if nothing had happened, and what is left is tried by the next one.
	j.write(t, 10)
	shipAll(t, opt, f)
	sent, left, err = Resend(t.Context(), opt, &fake{})
	if err != nil || left != 0 || len(deadLetters(t, opt)) != 0 {
		t.Errorf("got %d sent, %d left, %v", sent, left, err)
	}
	if want := 70 - len(f.got) - len(again.got); sent != want {
		t.Errorf("got %d sent, want %d", sent, want)
	}
}

func TestLettersOfACrashedOutputAreNotThereTwice(t *testing.T) {
	j := newJournal(t)
	j.write(t, 5)
	opt := j.options()
	shipAll(t, opt, &fake{answer: func(b *Batch) (Receipt, error) {
		return Receipt{Acked: b.Len(), Refused: []Refused{{Line: 2, Code: "400"}}}, nil
	}})
	// A process that was killed behind dead.jsonl and before the cursor leaves letters of lines that are dealt with again.
	path := filepath.Join(opt.StateDir, deadFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, text...), 0o600); err != nil {
		t.Fatal(err)
	}
	shipAll(t, opt, &fake{})
	if n := len(deadLetters(t, opt)); n != 1 {
		t.Errorf("got %d letters, want 1", n)
	}
}

func TestADeadLetterFileThatIsFullHoldsTheOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		j.write(t, 5)
		opt := j.options()
		opt.DeadMax = 10
		opt.GiveUp = time.Hour
		refusing := &fake{answer: func(b *Batch) (Receipt, error) {
			return Receipt{Acked: b.Len(), Refused: []Refused{{Line: 2, Code: "400"}}}, nil
		}}
		l, err := Open(opt, refusing)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Run(t.Context()); !errors.Is(err, errDeadFull) {
			t.Errorf("got %v", err)
		}
		if refusing.sends != 1 {
			t.Errorf("sent %d times, want once", refusing.sends)
		}
	})
}

func TestAnOutputBeginsWhereItIsToldAndKeepsThatOverARestart(t *testing.T) {
	j := newJournal(t)
	j.write(t, 30)
	j.rotate(t)
	j.write(t, 30)
	middle := time.Date(2026, 3, 28, 12, 0, 0, 20*int(time.Millisecond), time.UTC)
	end := middle.Add(time.Hour)
	for name, c := range map[string]struct {
		start Start
		want  int // of the first line that is sent
	}{
		"oldest": {Start{}, 0},
		"now":    {Start{Now: true}, 60},
		"a time": {Start{Since: middle}, 20},
		"a time that nothing was received at yet": {Start{Since: end}, 60},
	} {
		opt := j.options()
		opt.StateDir, opt.Start = filepath.Join(t.TempDir(), "state"), c.start
		l, err := Open(opt, &fake{})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		f := &fake{}
		opt.Start = Start{} // It has begun already.
		shipAll(t, opt, f)
		if len(f.got) != 60-c.want || len(f.got) > 0 && f.got[0] != j.all[c.want] {
			t.Errorf("%s: got %d lines, want those from %d on", name, len(f.got), c.want)
		}
		if pending, err := Survey(t.Context(), opt); err != nil || pending.Lines != 0 {
			t.Errorf("%s: got %+v, %v", name, pending, err)
		}
	}
	j.write(t, 1)
}

func TestOneProcessShipsToAnOutput(t *testing.T) {
	j := newJournal(t)
	j.write(t, 1)
	l, err := Open(j.options(), &fake{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(j.options(), &fake{}); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	status, err := Look(t.Context(), j.options().StateDir, j.options().Journal)
	if err != nil || !status.Running || status.LagBytes == 0 || status.State != Working {
		t.Errorf("got %+v, %v", status, err)
	}
	if err := Forget(j.options().StateDir); !errors.Is(err, ErrInUse) {
		t.Errorf("forget: got %v, want ErrInUse", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	other := j.options()
	other.JournalID = "another"
	if _, err := Open(other, &fake{}); !errors.Is(err, ErrState) {
		t.Errorf("the state of another journal: got %v, want ErrState", err)
	}
	if err := os.WriteFile(filepath.Join(other.StateDir, cursorFile), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(j.options(), &fake{}); !errors.Is(err, ErrState) {
		t.Errorf("damaged: got %v, want ErrState", err)
	}
	if _, err := Reset(j.options(), Start{}); err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	shipAll(t, j.options(), f)
	wantLines(t, f.got, j.all)
}
