package forward

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatGoesOnceWaitsNoLongerThanItGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t)
		j.write(t, 1)
		opt := j.options()
		opt.Once, opt.GiveUp = true, time.Minute
		busy := &fake{answer: func(*Batch) (Receipt, error) {
			return Receipt{}, &TroubleError{Class: Throttled, After: 10 * time.Minute, Err: errors.New("429")}
		}}
		l, err := Open(opt, busy)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := l.Run(t.Context()); !errors.Is(err, errGivenUp) {
			t.Errorf("got %v, want %v", err, errGivenUp)
		}
		if took := time.Since(began); took != time.Minute || busy.sends != 2 {
			t.Errorf("took %v and %d tries; want a minute, with a last try at its end", took, busy.sends)
		}
	})
}
