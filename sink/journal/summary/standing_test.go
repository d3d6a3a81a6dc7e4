package summary

import (
	"testing"
	"time"
)

func TestAReportEndsWhereItsRangeEnds(t *testing.T) {
	f := func(name string, from, until float64, wantMissed int64, wantSilent bool, messages ...told) {
		t.Helper()
		s := New()
		for _, m := range messages {
			e := parse(t, noon.Add(time.Duration(m.after*float64(time.Second))), 1, m.message)
			s.Add(&e)
		}
		s.Cover(noon.Add(time.Duration(from)*time.Second), noon.Add(time.Duration(until)*time.Second))
		r := s.Report()
		if r.To != at(until) || r.End().Before(r.To.Time()) || len(r.Timeline.Counts) > maxBuckets {
			t.Errorf("%s: got the end %v, and %d buckets up to %v, want %v", name, r.To.Time(), len(r.Timeline.Counts), r.End(), at(until).Time())
		}
		if h := r.Hosts[0]; h.Missed != wantMissed || h.Silent != wantSilent || r.Missed != wantMissed {
			t.Errorf("%s: got %d missed, silent %v, want %d, %v", name, h.Missed, h.Silent, wantMissed, wantSilent)
		}
	}
	f("nobody sends any more", 0, 3600, 119, true, beat(0, "a", 30))
	f("the next beat is not late yet", 0, 44, 0, false, beat(0, "a", 30))
	f("late by half an interval", 0, 45, 1, true, beat(0, "a", 30))
	f("a journal of long ago", 0, 3*365*86400, 3*365*2880-1, true, beat(0, "a", 30))
	f("a clock that was set back", 0, 200, 3, true, beat(100, "a", 30), beat(80, "a", 30))
}

func TestAnEmptyRangeIsCoveredAllTheSame(t *testing.T) {
	s := New()
	s.Cover(noon, noon.Add(time.Hour))
	r := s.Report()
	if r.From != at(0) || r.To != at(3600) || len(r.Hosts) != 0 || r.Total.Messages != 0 || r.PerSecond != 0 {
		t.Errorf("got %v to %v with %d messages, want the hour after noon with none", r.From.Time(), r.To.Time(), r.Total.Messages)
	}
	s = New()
	s.Cover(time.Time{}, noon)
	if r := s.Report(); r.From != 0 || r.To != at(0) {
		t.Errorf("without a beginning: got %v to %v, want nothing to noon", r.From.Time(), r.To.Time())
	}
	s = New()
	s.Cover(noon, time.Time{})
	if r := s.Report(); r.From != at(0) || r.To != 0 {
		t.Errorf("without an end: got %v to %v, want noon to nothing", r.From.Time(), r.To.Time())
	}
}

func TestHowAHostStandsIsJudgedByNow(t *testing.T) {
	h := summarize(t, beat(0, "a", 30), beat(30, "a", 30), told{50, `{"ID":"PLG","name":"a","plugin":"p"}`}).Hosts[0]
	f := func(after float64, want Standing) {
		t.Helper()
		if got := h.Standing(at(after).Time()); got != want {
			t.Errorf("%v s: got %+v, want %+v", after, got, want)
		}
	}
	f(30, Standing{State: OK, LastBeat: at(30), Due: at(60)})
	f(60, Standing{State: OK, LastBeat: at(30), Due: at(60)})
	f(60.001, Standing{State: Late, LastBeat: at(30), Due: at(60)})
	f(74.999, Standing{State: Late, LastBeat: at(30), Due: at(60)})
	f(75, Standing{State: Gone, LastBeat: at(30), Due: at(60), Missed: 1})
	f(3600, Standing{State: Gone, LastBeat: at(30), Due: at(60), Missed: 118})
	f(0, Standing{State: OK, LastBeat: at(30), Due: at(60)}) // The clock was set back.

	h = summarize(t, told{0, `{"ID":"HTB","name":"a"}`}).Hosts[0]
	f(9999, Standing{State: Unpromised, LastBeat: at(0)})
	h = summarize(t, told{0, `{"ID":"PLG","name":"a","plugin":"p"}`}).Hosts[0]
	f(9999, Standing{State: Unpromised})
}

func TestTheHostsThatAreSilentComeLongestFirst(t *testing.T) {
	r := summarize(t, beat(0, "b", 30), beat(0, "a", 30), beat(60, "c", 30), beat(3600, "d", 30))
	got := ""
	for _, h := range r.SilentHosts() {
		got += h.Name
	}
	if got != "abc" {
		t.Errorf("got %q, want a, b, c", got)
	}
}
