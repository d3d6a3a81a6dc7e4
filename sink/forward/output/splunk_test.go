package output

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"hbjournal/sink/forward"
)

// collector is an HTTP Event Collector after Splunk's documentation, with acks that it forgets once it has told them.
type collector struct {
	t      testing.TB
	poison string // an event that holds it has an invalid format; "": none
	lose   int    // how many requests it takes and never indexes

	mu      sync.Mutex
	events  []string // that were taken, in their order
	asked   int
	pending map[string]int // acks, and how often they have been asked for in vain
	headers []http.Header
	next    int
}

func newCollector(t testing.TB) (*collector, string) {
	c := &collector{t: t, pending: make(map[string]int)}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, strings.TrimPrefix(server.URL, "http://")
}

// ServeHTTP implements http.Handler.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body := readAll(r)
	c.headers = append(c.headers, r.Header)
	switch r.URL.Path {
	case "/services/collector/event":
		c.take(w, body)
	case "/services/collector/ack":
		c.asked++
		c.tell(w, r, body)
	default:
		http.NotFound(w, r)
	}
}

func (c *collector) take(w http.ResponseWriter, body string) {
	var events []string
	gjson.ForEachLine(body, func(event gjson.Result) bool {
		events = append(events, event.Raw)
		return true
	})
	for i, event := range events {
		if c.poison != "" && strings.Contains(event, c.poison) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"text":"Invalid data format","code":6,"invalid-event-number":%d}`, i)
			return
		}
	}
	c.events = append(c.events, events...)
	http.SetCookie(w, &http.Cookie{Name: "indexer", Value: "7"})
	fmt.Fprintf(w, `{"text":"Success","code":0,"ackId":%d}`, c.next)
	if c.lose > 0 {
		c.lose--
	} else {
		c.pending[fmt.Sprint(c.next)] = 0
	}
	c.next++
}

// tell says that something is indexed when it is asked for the second time.
func (c *collector) tell(w http.ResponseWriter, r *http.Request, body string) {
	cookie, err := r.Cookie("indexer")
	if err != nil || cookie.Value != "7" || r.URL.Query().Get("channel") != r.Header.Get("X-Splunk-Request-Channel") {
		c.t.Errorf("asked for acks with cookie %v, channel %q and %q", cookie, r.URL.Query().Get("channel"), r.Header.Get("X-Splunk-Request-Channel"))
	}
	var acks []string
	for _, id := range gjson.Get(body, "acks").Array() {
		asked, ok := c.pending[id.Raw]
		switch {
		case ok && asked > 0:
			delete(c.pending, id.Raw)
		case ok:
			c.pending[id.Raw]++
		}
		acks = append(acks, fmt.Sprintf(`"%s":%v`, id.Raw, ok && asked > 0))
	}
	fmt.Fprintf(w, `{"acks":{%s}}`, strings.Join(acks, ","))
}

func TestTheCollectorGetsEventsWithTheirTimeAndHost(t *testing.T) {
	c, host := newCollector(t)
	out := open(t, "splunk://"+host+"?index=main&sourcetype=x&token_file="+write(t, "s3cret"))
	b := messages(t, `{"ID":"HTB","name":"web1"}`, `{"n":2}`)
	mustSend(t, out, b)
	want := `{"time":1774699200.007,"host":"web1","source":"hbjournal","sourcetype":"x","index":"main","event":{"ID":"HTB","name":"web1"},` +
		`"fields":{"source_ip":"10.0.0.1","source_port":"50003","hbj_id":"` + b.ID(0) + `"}}`
	if len(c.events) != 2 || c.events[0] != want || c.headers[0].Get("Authorization") != "Splunk s3cret" {
		t.Errorf("got  %s with %v\nwant %s", c.events, c.headers[0], want)
	}
	if c.asked != 0 {
		t.Error("acks were asked for")
	}
}

func TestWithAcksWhatIsIndexedIsHeld(t *testing.T) {
	c, host := newCollector(t)
	out := open(t, "splunk://"+host+"?ack=true&token_file="+write(t, "x"))
	b := messages(t, beats(8000, 300)...)
	mustSend(t, out, b)
	if len(c.events) != b.Len() || c.asked != 2 || c.next < 2 {
		t.Errorf("got %d events in %d requests, asked %d times; want %d, more than one, 2", len(c.events), c.next, c.asked, b.Len())
	}
}

func TestWhatIsNotIndexedInTimeIsSentAgain(t *testing.T) {
	c, host := newCollector(t)
	c.lose = 1
	out := open(t, "splunk://"+host+"?ack=true&ack_timeout=200ms&token_file="+write(t, "x"))
	b := messages(t, beats(8000, 300)...)
	r, err := out.Send(t.Context(), b)
	if r.Acked != 0 || classIn(err) != forward.Ambiguous || !strings.Contains(err.Error(), "ack_timeout") {
		t.Fatalf("got %+v, %v", r, err)
	}
	mustSend(t, out, b)
}

func TestAnEventThatTheCollectorNamesIsRefusedAlone(t *testing.T) {
	c, host := newCollector(t)
	c.poison = "poison"
	out := open(t, "splunk://"+host+"?token_file="+write(t, "x"))
	good := messages(t, `{"n":0}`, `{"n":1}`, `{"a":"poison"}`, `{"n":3}`, `{"b":"poison"}`)
	lines := []string{"no entry"}
	for i := range good.Len() {
		lines = append(lines, string(good.Line(i)))
	}
	r := mustSend(t, out, batchOf(lines...))
	if got := fmt.Sprint(codes(r)); got != "[0 malformed 3 6 5 6]" {
		t.Errorf("refused: got %s", got)
	}
	var taken []string
	for _, event := range c.events {
		taken = append(taken, gjson.Get(event, "event").Raw)
	}
	if want := []string{`{"n":0}`, `{"n":1}`, `{"n":3}`}; !slices.Equal(taken, want) {
		t.Errorf("events: got %q, want %q", taken, want)
	}
}

func TestAnswersOfACollector(t *testing.T) {
	f := func(status int, text string, want forward.Class) {
		t.Helper()
		_, host := newPoster(t, func(int, string) (int, string) { return status, text })
		r, err := open(t, "splunk://"+host+"?token_file="+write(t, "x")).Send(t.Context(), messages(t, `{}`))
		if classIn(err) != want || r.Acked > 0 {
			t.Errorf("%d %s: got %+v, %v; want %s", status, text, r, err, want)
		}
	}
	f(400, `{"text":"Incorrect index","code":7,"invalid-event-number":0}`, forward.Server)
	f(400, `{"text":"ACK is disabled","code":14}`, forward.Server)
	f(400, `{"text":"Data channel is missing","code":10}`, forward.Server)
	f(403, `{"text":"Invalid token","code":4}`, forward.Auth)
	f(503, `{"text":"Server is busy","code":9}`, forward.Server)
	f(200, `<html>`, forward.Ambiguous)
	f(200, ``, forward.Ambiguous)
	f(200, `{"text":"?","code":99}`, forward.Ambiguous)
	f(400, `{"text":"Success","code":0}`, forward.Ambiguous)
	f(400, `{"text":"Invalid data format","code":6,"invalid-event-number":1}`, "none")
	f(400, `bad`, "none")
}

func TestAnAckThatIsMissingOrGarbledIsTrouble(t *testing.T) {
	f := func(event, ack string) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/ack") {
				fmt.Fprint(w, ack)
				return
			}
			fmt.Fprint(w, event)
		}))
		defer server.Close()
		out := open(t, "splunk://"+strings.TrimPrefix(server.URL, "http://")+"?ack=true&ack_timeout=1ms&token_file="+write(t, "x"))
		mustTrouble(t, out, messages(t, `{}`), forward.Ambiguous)
	}
	f(`{"text":"Success","code":0}`, ``)
	f(`{"text":"Success","code":0,"ackId":-1}`, ``)
	f(`{"text":"Success","code":0,"ackId":0}`, ``)
	f(`{"text":"Success","code":0,"ackId":0}`, `{"acks":[]}`)
	f(`{"text":"Success","code":0,"ackId":0}`, `{"acks":{"1":true,"x":true}}`)
	f(`{"text":"Success","code":0,"ackId":0}`, `{"acks":{"0":"true"}}`)
}

func FuzzCollectorAnswer(f *testing.F) {
	f.Add(400, []byte(`{"text":"Invalid data format","code":6,"invalid-event-number":1}`))
	f.Add(200, []byte(`{"text":"Success","code":0,"ackId":3}`))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		v, err := hecVerdict(answer{status: status, body: text}, 3)
		if v.wrong >= 3 || v.wrong < -1 || v.ack < -1 || err != nil && v.wrong >= 0 {
			t.Errorf("%d %q: %+v, %v", status, text, v, err)
		}
	})
}
