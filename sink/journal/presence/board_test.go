package presence

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// noon is when the journals of these tests begin.
var noon = time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)

// at is an instant that many seconds after noon.
func at(after float64) time.Time { return noon.Add(time.Duration(after * float64(time.Second))) }

// told is a message and when it came, in seconds after noon.
type told struct {
	after   float64
	message string
}

func beatOf(name string, interval float64, after ...float64) (beats []told) {
	for _, a := range after {
		beats = append(beats, told{a, fmt.Sprintf(`{"ID":"HTB","name":%q,"interval":%v}`, name, interval)})
	}
	return beats
}

// every is beats each interval from an instant, as many as fit before another.
func every(name string, interval, from, until float64) (beats []told) {
	for a := from; a < until; a += interval {
		beats = append(beats, beatOf(name, interval, a)...)
	}
	return beats
}

// entry is what came at that time, into the journal of a directory.
func entry(t testing.TB, dir string, one told) *journal.Entry {
	t.Helper()
	millis := at(one.after).UnixMilli()
	line := fmt.Sprintf(`{"timestamp":%d.%03d,"datetime":%q,"source_ip":"10.0.0.1","source_port":7,"message":%s}`,
		millis/1000, millis%1000, at(one.after).Format(journal.DatetimeLayout), one.message)
	e, err := journal.ParseLine([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	e.Path = dir + "/messages.journal"
	return &e
}

// merged is lists of what came, by time.
func merged(lists ...[]told) (all []told) {
	for {
		first := -1
		for i, l := range lists {
			if len(l) > 0 && (first < 0 || l[0].after < lists[first][0].after) {
				first = i
			}
		}
		if first < 0 {
			return all
		}
		all = append(all, lists[first][0])
		lists[first] = lists[first][1:]
	}
}

// boardOf is a Board to which all of that came.
func boardOf(t testing.TB, opt Options, all ...told) *Board {
	t.Helper()
	opt.Events = true
	b := New(opt)
	for _, one := range all {
		b.Add(entry(t, "/j", one))
	}
	return b
}

// states are the hosts of a board at an instant, as "name=state".
func states(b *Board, after float64) string {
	var words []string
	for _, h := range b.Judge(at(after)).Hosts {
		words = append(words, h.Name+"="+string(h.State))
	}
	return strings.Join(words, " ")
}

// changes are the events up to an instant, as "change name@seconds after noon".
func changes(b *Board, after float64) string {
	var words []string
	for _, e := range b.Changes(at(after)) {
		words = append(words, fmt.Sprintf("%s %s@%g", e.Change, e.Name, e.Due.Sub(noon).Seconds()))
	}
	return strings.Join(words, ", ")
}

func TestAHostIsJudgedByItsLastBeatAndNow(t *testing.T) {
	f := func(after float64, want string) {
		t.Helper()
		b := boardOf(t, Options{}, merged(beatOf("a", 30, 0, 30), []told{{50, `{"ID":"PLG","name":"a","plugin":"p"}`}})...)
		if got := states(b, after); got != want {
			t.Errorf("%v s: got %q, want %q", after, got, want)
		}
	}
	f(50, "a=ok")
	f(60, "a=ok")
	f(60.001, "a=late")
	f(74.999, "a=late")
	f(75, "a=silent")
	f(3600, "a=silent")
	f(75+86400-1, "a=silent")
	f(75+86400, "")
}

func TestTheFiguresOfASilentHost(t *testing.T) {
	b := boardOf(t, Options{}, merged(beatOf("a", 30, 0, 30), []told{{50, `{"ID":"PLG","name":"a","boot":1}`}})...)
	got := b.Judge(at(200)).Hosts[0]
	want := Host{
		Name: "a", Address: "10.0.0.1", Journal: "/j", State: Silent, Last: at(50), Beat: at(30), Interval: 30 * time.Second,
		Due: at(60), Since: at(75), Missed: 5, Booted: at(50), Beats: 2,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, want := got.Missed, Missed(170_000, 30_000, DefaultGrace); got != want {
		t.Errorf("got %d missed, want those of a report, %d", got, want)
	}
}

func TestAHostThatPromisedNothingIsNeverSilent(t *testing.T) {
	for _, message := range []string{`{"ID":"PLG","name":"a"}`, `{"ID":"HTB","name":"a"}`, `{"ID":"HTB","name":"a","interval":-1}`, `{"ID":"HTB","name":"a","interval":"x"}`} {
		if got := states(boardOf(t, Options{}, told{0, message}), 80000); got != "a=unpromised" {
			t.Errorf("%s: got %q, want it unpromised", message, got)
		}
		if got := states(boardOf(t, Options{}, told{0, message}), 86400); got != "" {
			t.Errorf("%s: got %q after a day, want it forgotten", message, got)
		}
	}
}

func TestGraceAndForPutSilenceOff(t *testing.T) {
	b := boardOf(t, Options{Grace: 3, For: time.Minute}, beatOf("a", 10, 0)...)
	for _, step := range []struct {
		after float64
		want  string
	}{{10, "a=ok"}, {11, "a=late"}, {30, "a=late"}, {89.9, "a=late"}, {90, "a=silent"}} {
		if got := states(b, step.after); got != step.want {
			t.Errorf("%v s: got %q, want %q", step.after, got, step.want)
		}
	}
	if got := changes(b, 90); got != "silent a@90" {
		t.Errorf("got %q, want it silent at 90", got)
	}
	b = boardOf(t, Options{For: time.Minute}, beatOf("a", 10, 0, 60, 70)...)
	if got := states(b, 71) + changes(b, 71); got != "a=ok" {
		t.Errorf("a short silence: got %q, want none", got)
	}
}

func TestAHostIsBackAfterOneCleanInterval(t *testing.T) {
	b := boardOf(t, Options{}, beatOf("a", 10, 0, 100)...)
	if h := b.Judge(at(105)).Hosts[0]; h.State != Silent || !h.Returning || h.Missed != 9 || !h.Since.Equal(at(15)) {
		t.Errorf("got %+v, want it silent and returning after 9 missed", h)
	}
	b.Add(entry(t, "/j", beatOf("a", 10, 110)[0]))
	if got := states(b, 111) + ": " + changes(b, 111); got != "a=ok: silent a@15, back a@110" {
		t.Errorf("got %q", got)
	}
	flapping := merged(beatOf("a", 10, 0, 100, 120, 140, 160, 180, 190))
	if got := changes(boardOf(t, Options{}, flapping...), 191); got != "silent a@15, back a@190" {
		t.Errorf("a host that flaps: got %q", got)
	}
}

func TestBootsAreTold(t *testing.T) {
	b := boardOf(t, Options{}, told{0, `{"ID":"HTB","name":"a","interval":10,"boot":true}`}, told{5, `{"ID":"HTB","name":"a","interval":10,"boot":0}`})
	if got := changes(b, 6); got != "boot a@0" {
		t.Errorf("got %q", got)
	}
}
