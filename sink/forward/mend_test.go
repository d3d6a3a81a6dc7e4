package forward

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// knowing is a receiver that knows where it stands.
type knowing struct {
	fake
	held  Held
	wrong []error // what Position says first
}

func (k *knowing) Send(ctx context.Context, b *Batch) (Receipt, error) {
	r, err := k.fake.Send(ctx, b)
	if r.Acked > 0 {
		last := b.Slice(r.Acked-1, r.Acked)
		at := last.From
		at.Offset += int64(last.Size())
		k.held = Held{At: at, Number: last.Number + 1, Last: journal.LineHash(last.Line(0))}
	}
	return r, err
}

func (k *knowing) Position(context.Context, string) (Held, bool, error) {
	if len(k.wrong) > 0 {
		err := k.wrong[0]
		k.wrong = k.wrong[1:]
		return Held{}, false, err
	}
	return k.held, k.held.Number > 0, nil
}

func TestLettersThatWereWrittenAreNotWrittenAgainIfTheNextFindNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		j.write(t, 5)
		opt := j.options()
		opt.DeadMax, opt.GiveUp = 1500, time.Hour
		l, err := Open(opt, &fake{answer: func(b *Batch) (Receipt, error) {
			return Receipt{Acked: b.Len(), Refused: []Refused{
				{Line: 1, Code: "first"}, {Line: 3, Code: "run", Reason: string(make([]byte, 900))}, {Line: 4, Code: "run", Reason: string(make([]byte, 900))},
			}}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Run(t.Context()); !errors.Is(err, errDeadFull) {
			t.Errorf("got %v", err)
		}
		if all := deadLetters(t, opt); len(all) != 1 || all[0].Code != "first" {
			t.Errorf("got %d letters, want 1: %+v", len(all), all)
		}
	})
}

func TestWhereAnOutputBeginsIsKeptUntilSomethingWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		j.write(t, 50)
		opt := j.options()
		opt.Start = Start{Since: time.Date(2026, 3, 28, 12, 0, 0, 20_000_000, time.UTC)}
		l, err := Open(opt, &fake{answer: func(*Batch) (Receipt, error) {
			return Receipt{}, &TroubleError{Class: Network, Err: errors.New("down")}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Run(t.Context()); !errors.Is(err, errGivenUp) {
			t.Fatalf("got %v", err)
		}
		f := &fake{}
		shipAll(t, opt, f)
		wantLines(t, f.got, j.all[20:])
	})
}

func TestAResetDoesNotDoubleWhatAReceiverHoldsThatKnowsIt(t *testing.T) {
	j := newJournal(t)
	j.write(t, 50)
	k := &knowing{}
	shipAll(t, j.options(), k)
	if _, err := Reset(j.options(), Start{}); err != nil {
		t.Fatal(err)
	}
	j.write(t, 10)
	shipAll(t, j.options(), k)
	wantLines(t, k.got, j.all)
	// One that does not know it gets all again.
	opt := j.options()
	opt.StateDir = filepath.Join(t.TempDir(), "other")
	f := &fake{}
	shipAll(t, opt, f)
	if _, err := Reset(opt, Start{}); err != nil {
		t.Fatal(err)
	}
	shipAll(t, opt, f)
	wantLines(t, f.got, append(append([]string{}, j.all...), j.all...))
}

func TestAPartOfThePastDoesNotMoveAReceiverPastLinesThatItNeverGot(t *testing.T) {
	j := newJournal(t)
	j.write(t, 10)
	k := &knowing{}
	shipAll(t, j.options(), k)
	j.write(t, 40)
	part := j.options()
	part.StateDir += BackfillEnding
	part.Apart, part.Journal.Since = true, time.Date(2026, 3, 28, 12, 0, 0, 30_000_000, time.UTC)
	l, err := Open(part, k)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context()); !errors.Is(err, ErrStop) {
		t.Errorf("got %v, want ErrStop", err)
	}
	shipAll(t, j.options(), k)
	wantLines(t, k.got, j.all)
	// A place of its own takes it, also in two goes.
	own := &knowing{}
	part.StateDir += "2"
	shipAll(t, part, own)
	j.write(t, 5)
	shipAll(t, part, own)
	wantLines(t, own.got, j.all[30:])
}

func TestATroubleIsOverWhenThereIsNothingToSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		j.write(t, 0)
		l := shipAll(t, j.options(), &knowing{wrong: []error{&TroubleError{Class: Network, Err: errors.New("down")}}})
		if got := l.Figures(); got.State != Working || got.Retries[Network] != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestDeadLettersAreTakenAfterAKillWhereverItCame(t *testing.T) {
	j := newJournal(t)
	j.write(t, 5)
	opt := j.options()
	shipAll(t, opt, &fake{answer: func(b *Batch) (Receipt, error) {
		return Receipt{Acked: b.Len(), Refused: []Refused{{Line: 2, Code: "400"}, {Line: 4, Code: "400"}}}, nil
	}})
	dead, again := filepath.Join(opt.StateDir, deadFile), filepath.Join(opt.StateDir, againFile)
	text, err := os.ReadFile(dead)
	if err != nil {
		t.Fatal(err)
	}
	// In the middle of a letter, of a line that the cursor is not behind of; and before dead.jsonl was removed.
	if err := errors.Join(os.WriteFile(dead, append(text, text[:100]...), 0o600), os.WriteFile(again, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	if sent, left, err := Resend(t.Context(), opt, f); err != nil || sent != 2 || left != 0 {
		t.Errorf("got %d sent, %d left, %v", sent, left, err)
	}
	wantLines(t, f.got, []string{j.all[2], j.all[4]})
	// A letter that the output has noted may not be damaged.
	if err := os.WriteFile(dead, append(text[:100], text[len(text)/2:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Resend(t.Context(), opt, f); err == nil {
		t.Error("a damaged file was taken")
	}
}

func TestDeadLettersAreSentAgainByOneProcessAtATime(t *testing.T) {
	j := newJournal(t)
	j.write(t, 5)
	opt := j.options()
	refusing := &fake{answer: func(b *Batch) (Receipt, error) {
		return Receipt{Acked: b.Len(), Refused: []Refused{{Line: 2, Code: "400"}}}, nil
	}}
	shipAll(t, opt, refusing)
	second := &fake{}
	_, _, err := Resend(t.Context(), opt, &fake{answer: func(b *Batch) (Receipt, error) {
		_, _, err := Resend(t.Context(), opt, second)
		if !errors.Is(err, durable.ErrInUse) {
			t.Errorf("the second: got %v, want ErrInUse", err)
		}
		return Receipt{Acked: b.Len()}, nil
	}})
	if err != nil || len(second.got) > 0 {
		t.Errorf("got %v, and %d sent by the second", err, len(second.got))
	}
}

func TestForgetTakesWhatAKillLeftBehind(t *testing.T) {
	j := newJournal(t)
	j.write(t, 5)
	opt := j.options()
	shipAll(t, opt, &fake{})
	for _, name := range []string{"status.new", "cursor.new", "dead.again.jsonl.new"} {
		if err := os.WriteFile(filepath.Join(opt.StateDir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Forget(opt.StateDir); err != nil {
		t.Error(err)
	}
	// What is no output's directory holds nothing.
	states := filepath.Dir(opt.StateDir)
	if err := os.WriteFile(filepath.Join(states, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := Hold{States: states, Journal: read.Options{Dir: j.dir, Base: base}}
	if got := h.Done([]time.Time{time.Now()}); got != 1 {
		t.Errorf("got %d backups that nobody needs, want 1", got)
	}
}

func TestAFilterThatLeavesOutAllThatWasInFlightIsNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		j.write(t, 5)
		opt := j.options()
		l, err := Open(opt, &fake{answer: func(*Batch) (Receipt, error) {
			return Receipt{}, &TroubleError{Class: Network, Err: errors.New("down")}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Run(t.Context()); !errors.Is(err, errGivenUp) {
			t.Fatalf("got %v", err)
		}
		if opt.Filter, err = journal.NewFilter(journal.FilterOptions{Since: time.Date(2026, 3, 28, 12, 0, 0, 7_000_000, time.UTC)}); err != nil {
			t.Fatal(err)
		}
		f := &fake{}
		shipAll(t, opt, f)
		wantLines(t, f.got, nil)
		j.write(t, 5)
		shipAll(t, opt, f)
		wantLines(t, f.got, j.all[7:])
	})
}

func TestAFilterThatLeavesOutEverythingMovesTheCursorOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		opt := j.options()
		j.write(t, 1)
		var err error
		if opt.Filter, err = journal.NewFilter(journal.FilterOptions{Since: time.Now().AddDate(100, 0, 0)}); err != nil {
			t.Fatal(err)
		}
		opt.Once = false
		l, err := Open(opt, &fake{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		const seconds = 20
		writes, last := 0, time.Time{}
		for range seconds * 10 {
			j.write(t, 1)
			<-time.After(100 * time.Millisecond)
			record, err := ReadRecord(opt.StateDir)
			if err != nil {
				t.Fatal(err)
			}
			if !record.Time.Equal(last) {
				writes, last = writes+1, record.Time
			}
		}
		if writes < seconds/2 || writes > seconds+2 {
			t.Errorf("written down %d times in %d seconds", writes, seconds)
		}
		<-time.After(2 * time.Second)
		record, err := ReadRecord(opt.StateDir)
		if want := int64(len(j.all) * (len(j.all[len(j.all)-1]) + 1)); err != nil || record.Cursor.Offset < want*9/10 {
			t.Errorf("got %d, %v; want about %d, the end", record.Cursor.Offset, err, want)
		}
		if s, err := Look(t.Context(), opt.StateDir, opt.Journal); err != nil || s.LagBytes != 0 {
			t.Errorf("got %d bytes behind, %v", s.LagBytes, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAnOutputThatBreaksEndsByItselfAndLosesNothing(t *testing.T) {
	j := newJournal(t)
	j.write(t, 50)
	opt := j.options()
	opt.BatchBytes = 1000
	f := &fake{}
	f.answer = func(b *Batch) (Receipt, error) {
		if f.sends == 3 {
			panic("an answer that nobody thought of")
		}
		return Receipt{Acked: b.Len()}, nil
	}
	l, err := Open(opt, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context()); !errors.Is(err, ErrStop) || !strings.Contains(err.Error(), "nobody thought of") {
		t.Errorf("got %v", err)
	}
	if got := l.Figures(); got.State != Stopped {
		t.Errorf("got %+v", got)
	}
	shipAll(t, opt, f)
	wantLines(t, f.got, j.all)
}
