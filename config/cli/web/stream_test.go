package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hbjournal/sink"
	"hbjournal/sink/journal/read"
)

// events reads a stream of events until do returns false for one, or it ends. It calls once as soon as the stream is open.
func events(tb testing.TB, address, last string, do func(name, id, data string) bool, once ...func()) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		tb.Fatalf("%s: got %s", address, answer.Status)
	}
	for _, f := range once {
		f()
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 16<<20)
	var name, id, data string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "id":
			id = value
		case "data":
			data = value
		case "":
			if name != "" && !do(name, id, data) {
				return
			}
			name, id, data = "", "", ""
		}
	}
	if err := lines.Err(); err != nil {
		tb.Fatalf("read events: %v", err)
	}
}

// items are those of an event.
func items(tb testing.TB, data string) []item {
	tb.Helper()
	var all []item
	if err := json.Unmarshal([]byte(data), &all); err != nil {
		tb.Fatal(err)
	}
	return all
}

// writer is a journal as the daemon writes it, of small files that are compressed and pruned.
func writer(tb testing.TB, opt sink.Options) *sink.Journal {
	tb.Helper()
	opt.File = base
	j, err := sink.Open(opt)
	if err != nil {
		tb.Fatal(err)
	}
	return j
}

var from10 = netip.MustParseAddrPort("10.0.0.1:50003")

// log writes numbered messages.
func log(tb testing.TB, j *sink.Journal, from, to int) {
	tb.Helper()
	for n := from; n < to; n++ {
		message := fmt.Sprintf(`{"ID":"NUM","name":"web%d","n":%d,"fill":"%s"}`, n%7, n, strings.Repeat("x", 100))
		if err := j.LogMessage([]byte(message), from10, time.Now()); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestAStreamThatIsResumedNeitherMissesNorRepeatsALine(t *testing.T) {
	dir := t.TempDir()
	j := writer(t, sink.Options{Dir: dir, MaxBytes: 4000, MaxBackups: 40, Compress: "gzip"})
	log(t, j, 0, 20)
	_, address := served(t, oneJournal(dir))
	seen, last, next := 0, "-/0000000000000000/0", 20
	const all, each = 200, 9
	for seen < all {
		had := seen
		events(t, address+"/events", last, func(name, id, data string) bool {
			if name != "lines" {
				return true
			}
			for _, it := range items(t, data) {
				if it.Skipped > 0 || it.Fault != "" {
					t.Fatalf("after %d lines: got skipped %d, fault %q, want every line", seen, it.Skipped, it.Fault)
				}
				if want := fmt.Sprintf(`"n":%d,`, seen); !strings.Contains(it.Text, want) {
					t.Fatalf("got %s, want the line with %s", it.Text, want)
				}
				seen++
			}
			last = id
			if next < all {
				to := min(all, next+15)
				log(t, j, next, to) // It rotates while the stream is open, and while it is not.
				next = to
			}
			return seen < min(all, had+each)
		})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOfManyLinesSomeAreShownAndAllAreCounted(t *testing.T) {
	dir := t.TempDir()
	j := writer(t, sink.Options{Dir: dir})
	_, address := served(t, oneJournal(dir))
	const all = 5000
	log(t, j, 0, all)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	shown, skipped := 0, int64(0)
	began := time.Now()
	events(t, address+"/events?from=-/0000000000000000/0&name=web*", "", func(name, _, data string) bool {
		if name == "lines" {
			for _, it := range items(t, data) {
				if skipped += it.Skipped; it.Skipped == 0 {
					shown++
				}
			}
		}
		return int64(shown)+skipped < all
	})
	if most := linesPerSec * (2 + int(time.Since(began)/time.Second)); shown < linesPerSec || shown > most {
		t.Errorf("got %d lines shown, want %d to %d", shown, linesPerSec, most)
	}
	if int64(shown)+skipped != all {
		t.Errorf("got %d shown and %d skipped, want %d in all", shown, skipped, all)
	}
}

func TestAFilterTakesGlobs(t *testing.T) {
	f := func(name, match, message string, want bool) {
		t.Helper()
		filter, err := query{Name: name, Match: match}.filter()
		if err != nil {
			t.Fatal(err)
		}
		text := line{time.Unix(1_800_000_000, 0), "10.0.0.1", message}.append(nil)
		_, got, err := filter.Take(text[:len(text)-1])
		if got != want || err != nil {
			t.Errorf("name %q match %q: got %v, %v for %s, want %v", name, match, got, err, message, want)
		}
	}
	f("web* db1", "", `{"name":"web7"}`, true)
	f("web* db1", "", `{"name":"db1"}`, true)
	f("web* db1", "", `{"name":"db2"}`, false)
	f("", "ID=HTB ID=PLG plugin=cpu_*", `{"ID":"PLG","plugin":"cpu_x"}`, true)
	f("", "ID=HTB ID=PLG plugin=cpu_*", `{"ID":"PLG","plugin":"mem"}`, false)
	for _, bad := range []query{{Match: "plugin"}, {Match: "=x"}, {Match: "a!=b"}, {Name: "[a"}, {Name: strings.Repeat("x ", maxTerms+1)}, {Match: strings.Repeat("x", maxQuery+1)}} {
		if _, err := bad.filter(); err == nil {
			t.Errorf("%+v: got no error", bad)
		}
	}
	for _, name := range []string{`we*b`, `a?[b]\`, `plain`} {
		filter, err := query{Host: name}.filter()
		if err != nil {
			t.Fatal(err)
		}
		quoted, _ := json.Marshal(name)
		text := line{time.Unix(1_800_000_000, 0), "10.0.0.1", `{"name":` + string(quoted) + `}`}.append(nil)
		if _, got, _ := filter.Take(text[:len(text)-1]); !got {
			t.Errorf("the page of host %q does not find its messages", name)
		}
		other := line{time.Unix(1_800_000_000, 0), "10.0.0.1", `{"name":"weXb"}`}.append(nil)
		if _, got, _ := filter.Take(other[:len(other)-1]); got {
			t.Errorf("the page of host %q takes those of weXb for its own", name)
		}
	}
}

func FuzzPlaceIsReadAsItIsWritten(f *testing.F) {
	f.Add("20260328-120000/0123456789abcdef/1234,no,-/0000000000000000/0", 3)
	f.Add("no", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		p, err := parsePlace(text, n)
		if err == nil && (p.String() != text || len(p) != n) {
			t.Errorf("got %q with %d parts, want %q with %d", p, len(p), text, n)
		}
	})
}

func TestAPlaceOfOtherJournalsIsRefused(t *testing.T) {
	_, address := served(t, oneJournal(t.TempDir()))
	for _, from := range []string{"x", "no,no", "-/0/0", strings.Repeat("no,", 300)} {
		if code, _, _ := get(t, address+"/events?from="+from); code != http.StatusBadRequest {
			t.Errorf("from %.20q: got %d, want 400", from, code)
		}
	}
	if got := (place{nil, {First: 1, Offset: 2}}).String(); got != "no,"+(read.Cursor{First: 1, Offset: 2}).String() {
		t.Errorf("got %s", got)
	}
}
