package output

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"hbjournal/sink/forward"
	"hbjournal/sink/journal"
)

func readAll(r *http.Request) string {
	text, _ := io.ReadAll(r.Body)
	return string(text)
}

// lokiFake keeps one of lines that are equal in labels, time and text, and refuses what lies before oldest, as Loki does.
type lokiFake struct {
	oldest int64 // nanoseconds

	mu     sync.Mutex
	header http.Header
	lines  map[string]int // how often each came
	stream string
	meta   string
}

func newLokiFake(t testing.TB) (*lokiFake, string) {
	f := &lokiFake{lines: make(map[string]int)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, strings.TrimPrefix(server.URL, "http://")
}

// ServeHTTP implements http.Handler.
func (f *lokiFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body := readAll(r)
	if r.URL.Path != "/loki/api/v1/push" || !gjson.Valid(body) {
		http.Error(w, "no push", 400)
		return
	}
	f.header, f.stream = r.Header, gjson.Get(body, "streams.0.stream").Raw
	values := gjson.Get(body, "streams.0.values").Array()
	var ignored []string
	for _, value := range values {
		stamp := value.Get("0").Int()
		if stamp < f.oldest {
			ignored = append(ignored, fmt.Sprintf("entry with timestamp %s ignored, reason: 'entry too far behind, entry timestamp is: x',", time.Unix(0, stamp).UTC()))
			continue
		}
		f.lines[value.Get("0").String()+value.Get("1").String()]++
		f.meta = value.Get("2").Raw
	}
	if n := len(ignored); n > 0 {
		w.WriteHeader(400)
		fmt.Fprintf(w, "%s\nuser 'fake', total ignored: %d out of %d for stream: {job=\"x\"}", strings.Join(ignored[:min(n, 10)], "\n"), n, len(values))
		return
	}
	w.WriteHeader(204)
}

func TestLokiGetsTheJournalsLines(t *testing.T) {
	f, host := newLokiFake(t)
	b := messages(t, `{"n":"<&>\""}`)
	mustSend(t, open(t, "loki://"+host+"?tenant=t1&metadata=source_ip,hbj_id,host"), b)
	want := fmt.Sprint(march.UnixNano()) + string(b.Line(0))
	if f.lines[want] != 1 || f.stream != `{"job":"hbjournal","receiver":"r"}` || f.header.Get("X-Scope-OrgID") != "t1" ||
		f.meta != `{"source_ip":"10.0.0.1","hbj_id":"`+b.ID(0)+`","host":"10.0.0.1"}` {
		t.Errorf("got %v of %s with %s and %s", f.lines, f.stream, f.header, f.meta)
	}
	mustSend(t, open(t, "loki://"+host+"?labels=a=b,c=d&metadata=none"), b)
	if f.stream != `{"a":"b","c":"d"}` || f.meta != "" {
		t.Errorf("got stream %s with %s", f.stream, f.meta)
	}
}

// equals makes a batch of n entries that are equal to the last byte.
func equals(t testing.TB, n int) *forward.Batch {
	line := string(messages(t, `{"ID":"HTB"}`).Line(0))
	return batchOf(strings.Split(strings.Repeat(line+"\n", n)[:n*(len(line)+1)-1], "\n")...)
}

func TestEqualEntriesOfOneMillisecondAreAllKeptAndWhatIsSentAgainIsNot(t *testing.T) {
	f, host := newLokiFake(t)
	out := open(t, "loki://"+host)
	b := equals(t, 500)
	mustSend(t, out, b)
	mustSend(t, out, b.Slice(100, 400)) // another cut of the same file
	if len(f.lines) != 500 {
		t.Errorf("Loki keeps %d lines, want 500", len(f.lines))
	}
}

func TestNanosecondsStayInTheirMillisecondAndInOrder(t *testing.T) {
	const shortest = int64(len(`{"timestamp":1.000,"datetime":"1970-01-01T00:00:01","source_ip":"::","source_port":0,"message":{}}`) + 1)
	if _, err := journal.ParseLine([]byte(`{"timestamp":1.000,"datetime":"1970-01-01T00:00:01","source_ip":"::","source_port":0,"message":{}}`)); err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for offset := int64(0); offset < 60_000_000; offset += shortest {
		stamp := nanosOf(5, offset)
		if stamp <= last || stamp < 5_000_000 || stamp >= 6_000_000 {
			t.Fatalf("at %d: got %d behind %d", offset, stamp, last)
		}
		last = stamp
	}
}

func TestWhatLokiNamesIsRefusedAndTheRestIsHeld(t *testing.T) {
	f, host := newLokiFake(t)
	out := open(t, "loki://"+host)
	b := messages(t, beats(40, 100)...)
	f.oldest = march.Add(5 * time.Millisecond).UnixNano()
	r := mustSend(t, out, b)
	if len(r.Refused) != 5 || r.Refused[4].Line != 4 || r.Refused[0].Code != "too_far_behind" || len(r.Unnamed) != 0 || len(f.lines) != 35 {
		t.Errorf("got %+v, Loki has %d", r, len(f.lines))
	}
	f.oldest = march.Add(20 * time.Millisecond).UnixNano()
	r = mustSend(t, out, b)
	if len(r.Refused) != 0 || len(r.Unnamed) != 1 || r.Unnamed[0].Count != 20 || r.Unnamed[0].To != 40 {
		t.Errorf("more than ten: got %+v", r)
	}
}

func TestAnswersOfLoki(t *testing.T) {
	f := func(status int, text string, want forward.Class) {
		t.Helper()
		_, host := newPoster(t, func(int, string) (int, string) { return status, text })
		r, err := open(t, "loki://"+host).Send(t.Context(), messages(t, `{}`))
		if classIn(err) != want || err == nil || r.Acked > 0 {
			t.Errorf("%d %s: got %+v, %v; want %s", status, text, r, err, want)
		}
	}
	f(400, "stream '{}' includes structured metadata, but this feature is disallowed", forward.Server)
	f(400, "error at least one label pair is required per stream", "none")
	f(400, "total ignored: 2 out of 2", "none")
	f(400, "total ignored: 0 out of 2", "none")
	f(429, "Ingestion rate limit exceeded", forward.Throttled)
	f(200, "<html>hello</html>", forward.Ambiguous)
	f(500, "", forward.Server)
}

func FuzzLokiAnswer(f *testing.F) {
	f.Add([]byte("entry with timestamp 2026-03-28 12:00:00.007 +0000 UTC ignored, reason: 'entry too far behind',\nuser 'x', total ignored: 1 out of 3"))
	f.Add([]byte("total ignored: 3 out of 3"))
	of := messages(f, beats(5, 80)...)
	f.Fuzz(func(t *testing.T, text []byte) {
		body := &made{of: of, lines: []int{0, 2, 3}, refused: []forward.Refused{{Line: 1, Code: malformed}, {Line: 4, Code: malformed}}}
		r, err := lokiReceipt(answer{status: 400, body: text}, body)
		checkReceipt(t, 5, text)(r, err)
	})
}
