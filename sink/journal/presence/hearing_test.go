package presence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhatTheReceiverDidNotHearIsNoFaultOfTheHost(t *testing.T) {
	f := func(name, want string, b *Board, after float64) {
		t.Helper()
		if got := states(b, after) + ": " + changes(b, after); got != want {
			t.Errorf("%s, after %v s: got %q, want %q", name, after, got, want)
		}
	}
	down := func(from, to float64) *Board {
		b := New(Options{Events: true})
		b.Down(at(from), at(to))
		for _, one := range every("a", 30, 0, from) {
			b.Add(entry(t, "/j", one))
		}
		return b
	}
	f("down when a beat was due", "a=unknown: ", down(50, 70), 65)
	f("and up again, before the next is due", "a=unknown: ", down(50, 70), 104)
	f("and the next is missed", "a=silent: silent a@105", down(50, 70), 105)
	f("long down", "a=unknown: ", down(50, 5000), 5054)
	f("long down, and the next is missed", "a=silent: silent a@5055", down(50, 5000), 5055)
	f("down between two beats", "a=late: ", down(32, 38), 74)
	f("down between two beats, missed", "a=silent: silent a@75", down(32, 38), 75)
	f("down long before a beat was due", "a=silent: silent a@45", down(10, 14), 45)
}

func TestAlreadySilentStaysSo(t *testing.T) {
	b := boardOf(t, Options{}, beatOf("a", 30, 0)...)
	b.Down(at(100), at(1000))
	if got := states(b, 1001) + ": " + changes(b, 1001); got != "a=silent: silent a@45" {
		t.Errorf("got %q, want it silent once", got)
	}
}

func TestLossesThatTheJournalNotesAreTaken(t *testing.T) {
	gap := func(after, first, last float64) told {
		return told{after, fmt.Sprintf(`{"ID":"JRN","event":"gap","reason":"kernel","lost":3,"first":%d.000,"last":%d.000}`, at(first).Unix(), at(last).Unix())}
	}
	f := func(want string, after float64, all ...told) {
		t.Helper()
		if got := states(boardOf(t, Options{}, all...), after); got != want {
			t.Errorf("%v s: got %q, want %q", after, got, want)
		}
	}
	f("a=unknown", 50, merged(beatOf("a", 30, 0), []told{gap(31, 29, 30)})...)
	f("a=silent", 75, merged(beatOf("a", 30, 0), []told{gap(31, 29, 30)})...)
	f("a=silent", 50, merged(beatOf("a", 30, 0), []told{gap(12, 10, 11)})...)
	f("a=ok", 62, merged(beatOf("a", 30, 0, 60), []told{gap(31, 29, 30)})...)
}

func TestALossThatIsNotedLateTakesAJudgementBack(t *testing.T) {
	gap := func(after, first, last float64) told {
		return told{after, fmt.Sprintf(`{"ID":"JRN","event":"gap","reason":"kernel","lost":3,"first":%d.000,"last":%d.000}`, at(first).Unix(), at(last).Unix())}
	}
	f := func(name, want string, until float64, opt Options, all ...told) {
		t.Helper()
		opt.Events = true
		b := New(opt)
		heard := ""
		for _, one := range all {
			if h := b.Judge(at(one.after)).Hosts; len(h) > 0 { // As who looks all the time.
				heard = string(h[0].State)
			}
			b.Add(entry(t, "/j", one))
		}
		if got := states(b, until) + ": " + changes(b, until); got != want {
			t.Errorf("%s: got %q (before the last entry %s), want %q", name, got, heard, want)
		}
	}
	beats := func(after ...float64) []told { return beatOf("a", 30, after...) }
	f("the beat may be among what was lost", "a=unknown: silent a@45, unknown a@50", 60, Options{}, merged(beats(0), []told{gap(50, 28, 31)})...)
	f("and the next one comes", "a=ok: silent a@45, unknown a@50, back a@60", 65, Options{}, merged(beats(0, 60), []told{gap(50, 28, 31)})...)
	f("and the next one is missed", "a=silent: silent a@45, unknown a@50, silent a@75", 80, Options{}, merged(beats(0), []told{gap(50, 28, 31)})...)
	f("another beat was missed as well", "a=silent: silent a@45", 85, Options{}, merged(beats(0), []told{gap(80, 28, 31)})...)
	f("both were lost", "a=unknown: silent a@45, unknown a@80", 85, Options{}, merged(beats(0), []told{gap(80, 28, 61)})...)
	f("something else was lost", "a=silent: silent a@45", 60, Options{}, merged(beats(0), []told{gap(50, 3, 4)})...)
	f("it was not said yet", "a=unknown: ", 60, Options{For: 10 * time.Second}, merged(beats(0), []told{gap(50, 28, 31)})...)
	f("it beats again already", "a=ok: silent a@45, back a@61", 62, Options{}, merged(beats(0, 60), []told{gap(61, 28, 31)})...)
	f("it beats again, having missed more", "a=silent: silent a@45", 92, Options{}, merged(beats(0, 90), []told{gap(91, 28, 31)})...)

	b := boardOf(t, Options{}, merged(beats(0), []told{gap(50, 28, 31)})...)
	other := New(Options{Events: true})
	other.Add(entry(t, "/i", beats(0)[0]))
	other.Add(entry(t, "/j", gap(50, 28, 31)))
	if got := states(other, 60); got != "a=silent" {
		t.Errorf("got %q by what another receiver lost, want it silent", got)
	}
	text, err := b.Save()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(Options{Events: true}, text)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Add(entry(t, "/j", beats(60)[0]))
	if got := states(loaded, 61) + ": " + changes(loaded, 61); got != "a=ok: back a@60" {
		t.Errorf("over a restart: got %q, want it back", got)
	}
}

func TestTheSpansOfLifeSayWhatCouldBeHeard(t *testing.T) {
	b := New(Options{Events: true})
	b.Alive("/j", []Span{{at(-100), at(40)}})
	b.Add(entry(t, "/j", beatOf("a", 30, 0)[0]))
	f := func(after float64, want string) {
		t.Helper()
		if got := states(b, after) + ": " + changes(b, after); got != want {
			t.Errorf("%v s: got %q, want %q", after, got, want)
		}
	}
	f(25, "a=ok: ")
	f(42, "a=late: ")
	f(44, "a=unknown: ")
	f(46, "a=unknown: ")
	b.Alive("/j", []Span{{at(-100), at(46)}})
	f(46, "a=silent: silent a@45")

	b = New(Options{Events: true})
	b.Alive("/j", []Span{{at(-100), at(40)}})
	b.Add(entry(t, "/j", beatOf("a", 30, 0)[0]))
	f(86400*7, "a=unknown: ")
	b.Alive("/j", []Span{{at(-100), at(40)}, {at(86400*7 + 1), at(86400*7 + 2)}})
	f(86400*7+2, "a=unknown: ")
	b.Alive("/j", []Span{{at(-100), at(40)}, {at(86400*7 + 1), at(86400*7 + 60)}})
	f(86400*7+60, "a=silent: silent a@604845")
}

func TestAHoleCommonToAllIsTheReceivers(t *testing.T) {
	hosts := func(until float64) [][]told {
		return [][]told{every("a", 10, 0, until), every("b", 10, 3, until), every("c", 30, 5, until), every("d", 3600, 6, until)}
	}
	others := func(from, until float64) (all []told) {
		for ; from < until; from += 4 {
			all = append(all, told{from, `{"ID":"PLG"}`})
		}
		return all
	}
	f := func(want string, after float64, lists ...[]told) {
		t.Helper()
		b := boardOf(t, Options{}, merged(lists...)...)
		if got := states(b, after) + ": " + changes(b, after); got != want {
			t.Errorf("%v s: got %q, want %q", after, got, want)
		}
	}
	f("a=unknown b=unknown c=unknown d=ok: ", 1000, hosts(100)...)
	f("a=unknown b=unknown c=unknown d=ok: ", 334, append(hosts(100), others(320, 334))...)
	f("a=silent b=silent c=silent d=ok: silent a@335, silent b@338, silent c@380", 390, append(hosts(100), others(320, 400))...)
	f("c=silent a=ok b=ok d=ok: silent c@380", 390,
		append(hosts(100), every("a", 10, 320, 400), every("b", 10, 323, 400))...)
	f("a=silent b=silent: silent a@105, silent b@108", 120,
		every("a", 10, 0, 100), every("b", 10, 3, 100), []told{{104, `{"ID":"PLG"}`}, {119, `{"ID":"PLG"}`}})
}

func TestTwoHostsThatFallSilentWhileAnotherBeatsAreSilent(t *testing.T) {
	b := boardOf(t, Options{}, merged(every("a", 30, 0, 100), every("b", 30, 1, 100), every("c", 30, 2, 400))...)
	if got := states(b, 390) + ": " + changes(b, 390); got != "a=silent b=silent c=ok: silent a@135, silent b@136" {
		t.Errorf("got %q", got)
	}
}

func TestTheOnlyHostOfAJournalFallsSilent(t *testing.T) {
	if got := states(boardOf(t, Options{}, beatOf("a", 30, 0)...), 45); got != "a=silent" {
		t.Errorf("got %q", got)
	}
}

func TestEachReceiverHasItsOwnTroubles(t *testing.T) {
	b := New(Options{Events: true})
	b.Alive("/one", []Span{{at(-10), at(500)}})
	b.Alive("/two", []Span{{at(-10), at(20)}, {at(490), at(500)}})
	b.Add(entry(t, "/one", beatOf("a", 10, 15)[0]))
	b.Add(entry(t, "/two", beatOf("b", 10, 15)[0]))
	if got := states(b, 495) + ": " + changes(b, 495); got != "a=silent b=unknown: silent a@30" {
		t.Errorf("got %q", got)
	}
}

func TestAClockThatWasSetBackForgetsNobody(t *testing.T) {
	b := boardOf(t, Options{}, beatOf("a", 10, 1e6, 1e6+10)...)
	b.Add(entry(t, "/j", beatOf("b", 10, 0)[0]))
	if got := states(b, 5); got != "a=ok b=ok" {
		t.Errorf("after it was set back: got %q", got)
	}
	b.Add(entry(t, "/j", told{9, `{}`}))
	b.Add(entry(t, "/j", told{19, `{}`}))
	if got := states(b, 20); got != "a=silent b=silent" {
		t.Errorf("later: got %q", got)
	}
	if v := b.Judge(at(-7200)); v.Ahead.Seconds() != 7220 {
		t.Errorf("got %v ahead, want 7220 s", v.Ahead)
	}
}

func TestHostsAreBounded(t *testing.T) {
	b := New(Options{Most: 2})
	for _, name := range []string{"a", "b", "c", "a", "d"} {
		b.Add(entry(t, "/j", beatOf(name, 10, 0)[0]))
	}
	v := b.Judge(at(1))
	if len(v.Hosts) != 2 || v.Left != 2 || v.Counts[OK] != 2 {
		t.Errorf("got %d hosts, %d left, want 2 and 2", len(v.Hosts), v.Left)
	}
	b.Add(entry(t, "/j", told{10, `{}`}))
	b.Add(entry(t, "/j", told{20, `{}`}))
	b.Judge(at(15 + 86400))
	b.Add(entry(t, "/j", beatOf("d", 10, 86500)[0]))
	if got := states(b, 86501); got != "d=ok" {
		t.Errorf("once the others are forgotten: got %q", got)
	}
}

func TestTheSameJournalGivesTheSameEventsInHoweverManyStretches(t *testing.T) {
	all := merged(every("a", 10, 0, 300), every("b", 15, 40, 200), every("a", 10, 500, 600), every("c", 7, 100, 150), every("c", 7, 400, 900))
	whole := boardOf(t, Options{}, all...).Changes(at(2000))
	for _, size := range []int{1, 2, 7, 50} {
		b := New(Options{Events: true})
		var got []Event
		for chunk := range slices.Chunk(all, size) {
			var s Sightings
			for _, one := range chunk {
				s.Add(entry(t, "/j", one))
			}
			b.Take(&s)
			got = append(got, b.Changes(at(chunk[len(chunk)-1].after))...)
		}
		if got = append(got, b.Changes(at(2000))...); !slices.Equal(got, whole) {
			t.Errorf("stretches of %d:\ngot  %v\nwant %v", size, got, whole)
		}
	}
	ids := map[string]bool{}
	for _, e := range whole {
		ids[e.ID] = true
	}
	if len(ids) != len(whole) || len(whole) < 5 {
		t.Errorf("got %d ids of %d events", len(ids), len(whole))
	}
}

func TestSpansAreKeptInOrder(t *testing.T) {
	f := func(want []span, near int64, in ...span) {
		t.Helper()
		var got []span
		for _, one := range in {
			got = add(got, one, near)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", in, got, want)
		}
	}
	f([]span{{1, 2}, {5, 6}}, 0, span{5, 6}, span{1, 2})
	f([]span{{1, 9}}, 0, span{1, 3}, span{5, 6}, span{3, 9})
	f([]span{{1, 6}}, 5, span{1, 2}, span{5, 6})
	f([]span{{1, 2}}, 0, span{1, 2}, span{9, 8})
}

func TestAReceiverThatLagsIsNotTakenForOneWhoseClockWasSetBack(t *testing.T) {
	b := New(Options{Events: true})
	for _, one := range every("a", 10, 0, 5000) {
		b.Add(entry(t, "/fast", one))
	}
	for _, one := range every("b", 10, 3, 1000) {
		b.Add(entry(t, "/slow", one))
	}
	if h := b.Judge(at(4990)).Hosts; b.Now() != at(4990) || len(h) != 2 || h[1].Name != "a" || h[1].State != OK {
		t.Errorf("got %+v at %v, want a as it was", h, b.Now())
	}
	for _, one := range every("b", 10, 10, 30) {
		b.Add(entry(t, "/slow", one))
	}
	if h := b.Judge(at(4991)).Hosts; h[1].Name != "a" || h[1].State != OK || !h[0].Beat.Equal(at(20)) {
		t.Errorf("one clock was set back: got %+v, want a as it was, and b heard", h)
	}
}

// The clock of the daemon ran ahead at boot until it was set right: what was signed before is none of the time after.
func TestSpansOfLifeFromAClockThatRanAheadSilenceNobody(t *testing.T) {
	const ahead = 8 * 3600.0
	lives := func(now float64) []Span { return []Span{{at(ahead), at(ahead + 20)}, {at(0), at(now)}} } // as they were written
	b := New(Options{Events: true})
	b.Alive("/j", lives(1))
	b.Add(entry(t, "/j", beatOf("a", 30, 5)[0]))
	var all []string
	for now := 6.0; now < 4*3600; now++ {
		b.Alive("/j", lives(now))
		if got := changes(b, now); got != "" {
			all = append(all, got)
		}
	}
	if got := strings.Join(all, "; "); got != "silent a@50" {
		t.Errorf("got %q of a host that was heard last after 5 s and promised its next beat after 30 s, want it silent once", got)
	}
}

func TestADaemonThatIsDownAfterItsClockWasSetBackIsNotTheHostsFault(t *testing.T) {
	b := New(Options{})
	b.Alive("/j", []Span{{at(0), at(3600)}})
	for _, one := range append(every("a", 30, 0, 3600), every("a", 30, 10, 300)...) {
		b.Add(entry(t, "/j", one))
	}
	b.Alive("/j", []Span{{at(0), at(3600)}, {at(10), at(300)}})
	if got := states(b, 600); got != "a=unknown" {
		t.Errorf("got %q, want unknown: the daemon was stopped after 300 s", got)
	}
}
