package summary

import (
	"testing"
	"time"
)

func TestEveryWidthIsAMultipleOfTheOneBefore(t *testing.T) {
	for step := range 25 {
		if narrow, wide := widthMillis(step), widthMillis(step+1); wide <= narrow || wide%narrow != 0 {
			t.Errorf("step %d: got %d ms then %d ms, want a whole multiple", step, narrow, wide)
		}
	}
}

func TestBucketsWidenSoThatTheyStayFew(t *testing.T) {
	f := func(name string, want time.Duration, after ...float64) {
		t.Helper()
		var messages []told
		for _, a := range after {
			messages = append(messages, beat(a, "a", 0))
		}
		r := summarize(t, messages...)
		sum := uint32(0)
		for i, n := range r.Timeline.Counts {
			sum += n
			if n != r.Hosts[0].Counts[i] || n != r.IDs[0].Counts[i] {
				t.Errorf("%s: bucket %d: got %d by host, %d by ID, want %d", name, i, r.Hosts[0].Counts[i], r.IDs[0].Counts[i], n)
			}
		}
		if r.Timeline.Step != want || len(r.Timeline.Counts) > maxBuckets || sum != uint32(len(after)) {
			t.Errorf("%s: got %d buckets of %v with %d messages, want buckets of %v with %d",
				name, len(r.Timeline.Counts), r.Timeline.Step, sum, want, len(after))
		}
	}
	const day = 86400
	f("one message", time.Second, 0)
	f("as many seconds as buckets", time.Second, 0, 399)
	f("one second more", 5*time.Second, 0, 400)
	f("a day", 5*time.Minute, 0, day-1)
	f("backwards", 5*time.Minute, day-1, 3, 0)
	f("a year", 7*24*time.Hour/7, 0, 365*day)
	f("from the year 1970", 28*2*24*time.Hour, 0, -1774699200)
}

func TestTimesBeyondTheCalendarAreMovedIntoIt(t *testing.T) {
	s := New()
	first, last := parse(t, noon, 1, `{"ID":"HTB"}`), parse(t, noon, 1, `{"ID":"HTB"}`)
	first.Millis, last.Millis = -1<<62, 1<<62
	s.Add(&first)
	s.Add(&last)
	if r := s.Report(); len(r.Timeline.Counts) > maxBuckets || r.To.Time().Year() != 9999 {
		t.Errorf("got %d buckets up to %v, want at most %d up to the year 9999", len(r.Timeline.Counts), r.To, maxBuckets)
	}
}

func TestColumnsShowWhenAHostWasSilent(t *testing.T) {
	var messages []told
	for after := 0.0; after < 3600; after += 30 {
		messages = append(messages, beat(after, "steady", 30))
		if after >= 600 && (after < 1800 || after >= 2400) {
			messages = append(messages, beat(after, "troubled", 30))
		}
		if after == 2400 {
			messages = append(messages, told{after, `{"ID":"HTB","name":"troubled","interval":30,"boot":1}`})
		}
	}
	r := summarize(t, messages...)
	f := func(host Host, want string) {
		t.Helper()
		got := ""
		for _, c := range r.Columns(&host, 12) {
			got += string(" .:-#"[c.Presence])
			if c.Boots > 0 {
				got += "!"
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", host.Name, got, want)
		}
	}
	f(r.Hosts[0], "############")
	f(r.Hosts[1], "  ####:.:!###")
}

func TestAShortReportIsNotSilentBetweenBeats(t *testing.T) {
	r := summarize(t, beat(0, "a", 30), beat(30, "a", 30), beat(60, "a", 30))
	for i, c := range r.Columns(&r.Hosts[0], 61) {
		if c.Presence != Present {
			t.Errorf("second %d: got presence %d, want %d", i, c.Presence, Present)
		}
	}
}
