package summary

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// noon is when the journals of these tests begin.
var noon = time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)

// told is a message and when it came, in seconds after noon.
type told struct {
	after   float64
	message string
}

// at is an instant that many seconds after noon.
func at(after float64) journal.Instant {
	return journal.InstantOf(noon.Add(time.Duration(after * float64(time.Second))))
}

// summarize returns the report over messages that all come from 10.0.0.1.
func summarize(t *testing.T, messages ...told) Report {
	t.Helper()
	s := New()
	for _, m := range messages {
		e := parse(t, noon.Add(time.Duration(m.after*float64(time.Second))), 1, m.message)
		s.Add(&e)
	}
	return s.Report()
}

func beat(after float64, host string, interval int) told {
	return told{after, fmt.Sprintf(`{"ID":"HTB","name":%q,"interval":%d,"ver":1}`, host, interval)}
}

func TestTrafficIsCountedByIDHostPluginAndSource(t *testing.T) {
	s := New()
	size := int64(0)
	for i, message := range []string{
		`{"ID":"HTB","name":"web1","interval":30,"ver":1}`,
		`{"ID":"PLG","plugin":"cpu_monitor","name":"web1","cpu_percent":45.2}`,
		`{"ID":"PLG","plugin":"cpu_monitor","cpu_percent":5}`,
		`{"nothing":"known"}`,
	} {
		e := parse(t, noon.Add(time.Duration(i)*time.Second), 1+i%2, message)
		size += int64(len(e.Line)) + 1
		s.Add(&e)
	}
	r := s.Report()
	if r.Total != (Tally{4, size}) {
		t.Errorf("total: got %+v, want %+v", r.Total, Tally{4, size})
	}
	f := func(what string, got []Row, want ...string) {
		t.Helper()
		var names []string
		for _, row := range got {
			names = append(names, fmt.Sprintf("%s=%d", row.Name, row.Messages))
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: got %q, want %q", what, names, want)
		}
	}
	f("IDs", rowsOf(r.IDs, func(k Kind) Row { return k.Row }), "PLG=2", "=1", "HTB=1")
	f("hosts", rowsOf(r.Hosts, func(h Host) Row { return h.Row }), "web1=2")
	f("plugins", rowsOf(r.Plugins, func(p Plugin) Row { return p.Row }), "cpu_monitor=2")
	f("sources", r.Sources, "10.0.0.1=2", "10.0.0.2=2")
	if r.Unnamed.Messages != 2 {
		t.Errorf("unnamed: got %d, want 2", r.Unnamed.Messages)
	}
}

func rowsOf[T any](rows []T, row func(T) Row) []Row {
	var out []Row
	for _, r := range rows {
		out = append(out, row(r))
	}
	return out
}

func TestBeatsThatDoNotComeAreMissed(t *testing.T) {
	f := func(name string, wantBeats, wantMissed int64, wantSilence time.Duration, messages ...told) {
		t.Helper()
		h := summarize(t, messages...).Hosts[0]
		silence := h.Silence.To.Sub(h.Silence.From)
		if h.Beats != wantBeats || h.Missed != wantMissed || silence != wantSilence {
			t.Errorf("%s: got %d beats, %d missed, silence %v, want %d, %d, %v",
				name, h.Beats, h.Missed, silence, wantBeats, wantMissed, wantSilence)
		}
	}
	f("on time", 3, 0, 0, beat(0, "a", 30), beat(30, "a", 30), beat(60, "a", 30))
	f("a little late is kept", 2, 0, 0, beat(0, "a", 30), beat(44, "a", 30))
	f("half an interval late is missed", 2, 1, 45*time.Second, beat(0, "a", 30), beat(45, "a", 30))
	f("a longer silence", 3, 9, 5*time.Minute, beat(0, "a", 30), beat(30, "a", 30), beat(330, "a", 30))
	f("the interval before a pause counts", 3, 0, 0, beat(0, "a", 10), beat(10, "a", 60), beat(70, "a", 10))
	f("no interval promises nothing", 2, 0, 0, told{0, `{"ID":"HTB","name":"a"}`}, told{900, `{"ID":"HTB","name":"a"}`})
	f("silence up to the end of the journal", 1, 3, 2*time.Minute, beat(0, "a", 30), told{120, `{"ID":"OTHER"}`})
	f("a plugin message is no beat", 1, 1, time.Minute, beat(0, "a", 40), told{60, `{"ID":"PLG","name":"a","plugin":"p"}`})
	f("a clock set back", 2, 0, 0, beat(100, "a", 30), beat(0, "a", 30))
}

func TestSkippedEntriesExtendTheSilence(t *testing.T) {
	s := New()
	first, later := parse(t, noon, 1, beat(0, "a", 30).message), parse(t, noon.Add(time.Minute), 1, `{"ID":"OTHER"}`)
	s.Add(&first)
	s.Skip(&later)
	r := s.Report()
	if h := r.Hosts[0]; r.Total.Messages != 1 || h.Missed != 1 || !h.Silent {
		t.Errorf("got %d messages, %d missed, silent %v, want 1, 1, true", r.Total.Messages, h.Missed, h.Silent)
	}
}

func TestOnlyATrueBootIsABoot(t *testing.T) {
	f := func(value string, want int64) {
		t.Helper()
		r := summarize(t, told{0, `{"ID":"HTB","name":"a","boot":` + value + `}`})
		if r.Boots != want || int64(len(r.Hosts[0].BootedAt)) != want {
			t.Errorf("boot %s: got %d, at %v, want %d", value, r.Boots, r.Hosts[0].BootedAt, want)
		}
	}
	for _, value := range []string{"true", "1", "1711234567", `"yes"`, `[1]`} {
		f(value, 1)
	}
	for _, value := range []string{"false", "0", "0.0", "-0", "null", `""`, "[]", "{}"} {
		f(value, 0)
	}
}

func TestNotesAndInvalidDatagramsAreCounted(t *testing.T) {
	r := summarize(
		t,
		told{0, `{"_raw":"hello","_error":"not JSON"}`},
		told{1, `{"_raw_base64":"AAA=","_error":"not text"}`},
		told{2, `{"_value":[1]}`},
		told{3, `{"ID":"JRN","event":"gap","reason":"kernel","lost":123,"first":1774699200.5,"last":1774699201.25}`},
		told{4, `{"ID":"JRN","event":"gap","reason":"disk","lost":7}`},
		told{5, `{"ID":"JRN","event":"duplicate","count":9}`},
		told{6, `{"_value":{"ID":"JRN","event":"gap","lost":1000000},"_error":"reserved"}`},
		told{7, `{"_value":{"_raw":"x"}, "_error" : "res\u0065rved"}`},
		told{8, `{"_value":{"a":1e999},"_error":"a number that is none"}`},
	)
	if want := (Invalid{Value: 2, Raw: 1, Base64: 1, Reserved: 2}); r.Invalid != want || r.Invalid.Total() != 6 {
		t.Errorf("invalid: got %+v, want %+v", r.Invalid, want)
	}
	if r.Gaps.Notes != 2 || r.Gaps.Lost != 130 || len(r.Gaps.List) != 2 {
		t.Errorf("gaps: got %+v, want 2 notes, 130 lost", r.Gaps)
	}
	want := Gap{
		At: at(3), Reason: "kernel", Lost: 123,
		First: at(0.5), Last: at(1.25),
	}
	if r.Gaps.List[0] != want {
		t.Errorf("first gap: got %+v, want %+v", r.Gaps.List[0], want)
	}
	if r.Duplicates != (Duplicates{Notes: 1, Count: 9}) {
		t.Errorf("duplicates: got %+v, want 1 note of 9", r.Duplicates)
	}
	if len(r.Sources) != 1 || r.Sources[0].Messages != 6 {
		t.Errorf("sources: got %+v, want one with 6: the journal's notes have none", r.Sources)
	}
}

func TestPluginFieldsAreSpreadWithinTheStatedError(t *testing.T) {
	s := New()
	rng := rand.New(rand.NewPCG(1, 2))
	var values []float64
	for i := range 5000 {
		v := rng.NormFloat64()*20 - 5
		values = append(values, v)
		e := parse(t, noon.Add(time.Duration(i)*time.Second), 1,
			fmt.Sprintf(`{"ID":"PLG","plugin":"p","ver":1,"x":%v,"text":"no","nested":{"y":1}}`, v))
		s.Add(&e)
	}
	slices.Sort(values)
	fields := s.Report().Plugins[0].Fields
	if len(fields) != 2 || fields[0].Name != "x" || fields[1].Name != "nested.y" {
		t.Fatalf("fields: got %+v, want x and nested.y only", fields)
	}
	got := fields[0]
	if got.Count != 5000 || got.Min != values[0] || got.Max != values[4999] {
		t.Errorf("got count %d, min %v, max %v, want 5000, %v, %v", got.Count, got.Min, got.Max, values[0], values[4999])
	}
	f := func(what string, got, want float64) {
		t.Helper()
		if !near(got, want) {
			t.Errorf("%s: got %v, want %v within 1 %%", what, got, want)
		}
	}
	f("median", got.Median, values[2499])
	f("95th percentile", got.P95, values[4749])
}

func TestFewValuesHaveTheirOwnMedianAndPercentile(t *testing.T) {
	f := func(wantMedian, wantP95 float64, values ...float64) {
		t.Helper()
		var messages []told
		for _, v := range values {
			messages = append(messages, told{0, fmt.Sprintf(`{"plugin":"p","x":%v}`, v)})
		}
		got := summarize(t, messages...).Plugins[0].Fields[0]
		if !near(got.Median, wantMedian) || !near(got.P95, wantP95) {
			t.Errorf("%v: got median %v, 95th %v, want %v, %v", values, got.Median, got.P95, wantMedian, wantP95)
		}
	}
	f(5, 5, 5)
	f(45.2, 95.5, 95.5, 45.2)
	f(2, 3, 3, 1, 2)
	f(-2, 0, 0, -1, -2, -3)
}

// near reports whether got is want within the error of the sketch.
func near(got, want float64) bool {
	return math.Abs(got-want) <= relativeError*math.Abs(want)
}

func TestNamesBeyondTheBoundsShareARow(t *testing.T) {
	s := New()
	for i := range maxHosts + 10 {
		e := parse(t, noon, i, fmt.Sprintf(`{"ID":"id%d","name":"host%d","plugin":"p%d","f%d":1}`, i, i, i, i))
		s.Add(&e)
	}
	r := s.Report()
	f := func(what string, rows []Row, limit int) {
		t.Helper()
		last := rows[len(rows)-1]
		if len(rows) != limit+1 || !last.Other || last.Messages != int64(maxHosts+10-limit) {
			t.Errorf("%s: got %d rows, the last %+v, want %d and the other %d",
				what, len(rows), last, limit+1, maxHosts+10-limit)
		}
	}
	f("hosts", rowsOf(r.Hosts, func(h Host) Row { return h.Row }), maxHosts)
	f("sources", r.Sources, maxSources)
	f("IDs", rowsOf(r.IDs, func(k Kind) Row { return k.Row }), maxIDs)
	f("plugins", rowsOf(r.Plugins, func(p Plugin) Row { return p.Row }), maxPlugins)
	fields := 0
	for _, p := range r.Plugins {
		fields += len(p.Fields)
	}
	if fields > maxFields {
		t.Errorf("fields: got %d, want %d at most", fields, maxFields)
	}
}

func TestALongNameIsCutAtACharacter(t *testing.T) {
	r := summarize(t, beat(0, strings.Repeat("é", 5000), 30))
	if got := r.Hosts[0].Name; len(got) > 200 || got != strings.Repeat("é", 98)+"…" {
		t.Errorf("got %d bytes %q, want 98 characters and an ellipsis", len(got), got)
	}
}

func TestALongOrEscapedFieldIsOneField(t *testing.T) {
	long := strings.Repeat("x", 5000)
	r := summarize(t, told{0, `{"plugin":"p","` + long + `":1,"\u0061":1}`}, told{1, `{"plugin":"p","` + long + `":2,"a":2}`})
	var got []string
	for _, f := range r.Plugins[0].Fields {
		got = append(got, fmt.Sprintf("%d %s %d", len(f.Name), f.Name[:1], f.Count))
	}
	if want := []string{"200 x 2", "1 a 2"}; !slices.Equal(got, want) {
		t.Errorf("fields: got %q, want %q", got, want)
	}
}

func TestAnEscapedNameIsTheSameName(t *testing.T) {
	r := summarize(t, beat(0, "web1", 0), told{1, `{"ID":"HTB","name":"\u0077eb1"}`})
	if len(r.Hosts) != 1 || r.Hosts[0].Messages != 2 {
		t.Errorf("got %+v, want web1 with two messages", r.Hosts)
	}
}

func TestMergedStretchesEqualTheWhole(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		whole, merged, stretch := New(), New(), New()
		at := noon
		for range 400 {
			at = at.Add(time.Duration(rng.ExpFloat64() * float64(time.Minute) * float64(1+seed*seed)))
			if rng.IntN(50) == 0 {
				at = at.Add(-time.Hour)
			}
			e := parse(t, at, rng.IntN(5), randomMessage(rng))
			whole.Add(&e)
			stretch.Add(&e)
			if rng.IntN(40) == 0 {
				merged.Merge(stretch)
				stretch.Reset()
			}
		}
		merged.Merge(stretch)
		if got, want := merged.Report(), whole.Report(); !reflect.DeepEqual(sortFields(got), sortFields(want)) {
			t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
		}
	}
}

// sortFields orders plugin fields by name: the order in which they were first seen may differ between stretches.
func sortFields(r Report) Report {
	for _, p := range r.Plugins {
		slices.SortFunc(p.Fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	}
	return r
}

func randomMessage(rng *rand.Rand) string {
	host := fmt.Sprintf("web%d", rng.IntN(4))
	switch rng.IntN(8) {
	case 0:
		return fmt.Sprintf(`{"ID":"PLG","plugin":"p%d","name":%q,"a":%d,"b%d":%v}`,
			rng.IntN(3), host, rng.IntN(100), rng.IntN(2), rng.NormFloat64())
	case 1:
		return fmt.Sprintf(`{"ID":"HTB","name":%q,"interval":30,"boot":1}`, host)
	case 2:
		return `{"ID":"JRN","event":"gap","reason":"queue","lost":3}`
	case 3:
		return `{"_raw":"x","_error":"y"}`
	default:
		return fmt.Sprintf(`{"ID":"HTB","name":%q,"interval":%d}`, host, 30*(1+rng.IntN(2)))
	}
}
