package output

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"hbjournal/sink/forward"
)

// poster is a fake that takes POST, and keeps what it got.
type poster struct {
	answer func(n int, body string) (status int, text string) // to its n-th request, from 0; nil: 200

	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func newPoster(t testing.TB, answer func(int, string) (int, string)) (*poster, string) {
	p := &poster{answer: answer}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, strings.TrimPrefix(server.URL, "http://")
}

// ServeHTTP implements http.Handler.
func (p *poster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.requests)
	p.requests, p.bodies = append(p.requests, r), append(p.bodies, string(body))
	status, text := 200, ""
	if p.answer != nil {
		status, text = p.answer(n, string(body))
	}
	w.WriteHeader(status)
	io.WriteString(w, text)
}

func asRefused(err error, to **forward.RefusedError) bool { return errors.As(err, to) }

func TestVictoriaLogsGetsWhatItTakesApart(t *testing.T) {
	p, host := newPoster(t, nil)
	out := open(t, "victorialogs://"+host+"?account=12&project=3&stream_fields=receiver,host&extra_fields=env=prod")
	b := messages(t, `{"ID":"HTB","name":"web\"1","_time":"x"}`, `{"n":2}`)
	mustSend(t, out, b)
	r := p.requests[0]
	if r.URL.Path != "/insert/jsonline" || r.URL.Query().Get("_stream_fields") != "receiver,host" || r.URL.Query().Get("extra_fields") != "env=prod" ||
		r.Header.Get("AccountID") != "12" || r.Header.Get("ProjectID") != "3" {
		t.Errorf("got %s with %s", r.URL, r.Header)
	}
	want := `{"_time":"2026-03-28T12:00:00.007Z","_msg":"HTB web\"1","host":"web\"1","source_ip":"10.0.0.1","source_port":50003,"receiver":"r","hbj_id":"` +
		b.ID(0) + `","message":{"ID":"HTB","name":"web\"1","_time":"x"}}`
	if got, _, _ := strings.Cut(p.bodies[0], "\n"); got != want || strings.Count(p.bodies[0], "\n") != 2 {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestVictoriaLogsIsSpareWhatItWouldLeaveOut(t *testing.T) {
	p, host := newPoster(t, nil)
	var wide strings.Builder
	for n := range 600 {
		fmt.Fprintf(&wide, `,"f%d":1`, n)
	}
	deep := `{"d":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`
	b := messages(t, deep, `{"x":0`+wide.String()+`}`, `{"long":"`+strings.Repeat("x", 256<<10)+`"}`, `{"q":"\\\"{{:::"}`)
	r := mustSend(t, open(t, "victorialogs://"+host), b)
	if got := fmt.Sprint(codes(r)); got != "[2 too_long]" {
		t.Errorf("refused: got %s", got)
	}
	lines := strings.Split(p.bodies[0], "\n")
	if got := decoded(t, lines[0])["message"]; got != deep {
		t.Errorf("a deep message: got %v", got)
	}
	if _, ok := decoded(t, lines[1])["message"].(string); !ok {
		t.Error("a message of 600 fields is not sent as a string")
	}
	if _, ok := decoded(t, lines[2])["message"].(map[string]any); !ok {
		t.Error("a plain message is not sent as an object")
	}
	mustSend(t, open(t, "victorialogs://"+host+"?message=string"), b.Slice(3, 4))
	if got := decoded(t, p.bodies[1]); got["_msg"] != `{"q":"\\\"{{:::"}` || got["message"] != nil {
		t.Errorf("message=string: got %v", got)
	}
}

func TestARefusedPieceBlamesTheLines(t *testing.T) {
	_, host := newPoster(t, func(int, string) (int, string) { return 400, "cannot parse" })
	for _, url := range []string{"victorialogs://" + host, "gelf+http://" + host + "?bulk=true"} {
		_, err := open(t, url).Send(t.Context(), messages(t, `{}`))
		var refused *forward.RefusedError
		if !asRefused(err, &refused) || refused.Reason != "cannot parse" {
			t.Errorf("%s: got %v", url, err)
		}
	}
}

func TestGELFOverHTTPIsAMessageARequest(t *testing.T) {
	p, host := newPoster(t, func(n int, body string) (int, string) {
		switch n {
		case 1:
			return 400, "bad GELF"
		case 3:
			return 503, "later"
		}
		return 202, ""
	})
	out := open(t, "gelf+http://"+host)
	b := messages(t, `{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`)
	r, err := out.Send(t.Context(), b)
	if r.Acked != 3 || fmt.Sprint(codes(r)) != "[1 400]" || classIn(err) != forward.Server {
		t.Errorf("got %+v, %v", r, err)
	}
	mustSend(t, out, b.Slice(3, 4))
	if p.requests[0].URL.Path != "/gelf" || !strings.HasPrefix(p.bodies[4], `{"version":"1.1"`) || strings.HasSuffix(p.bodies[4], "\n") {
		t.Errorf("got %s with %q", p.requests[0].URL, p.bodies)
	}
	bulk, host := newPoster(t, nil)
	mustSend(t, open(t, "gelf+http://"+host+"/in?bulk=true&fields=none&compress=none"), b)
	if bulk.requests[0].URL.Path != "/in" || strings.Count(bulk.bodies[0], "\n") != 4 || strings.Contains(bulk.bodies[0], `"_n"`) {
		t.Errorf("bulk: got %s with %q", bulk.requests[0].URL, bulk.bodies)
	}
}

func TestDryRunAsksWithoutSending(t *testing.T) {
	p, host := newPoster(t, func(int, string) (int, string) { return 404, "" })
	for _, scheme := range []string{"victorialogs", "elasticsearch", "opensearch", "gelf+http"} {
		checker, ok := open(t, scheme+"://"+host).(forward.Checker)
		if !ok {
			t.Errorf("%s cannot check", scheme)
			continue
		}
		if err := checker.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	for i, r := range p.requests {
		if r.Method != http.MethodGet || p.bodies[i] != "" {
			t.Errorf("got %s %s with %q", r.Method, r.URL, p.bodies[i])
		}
	}
	_, host = newPoster(t, func(int, string) (int, string) { return 401, "" })
	if err := open(t, "elasticsearch://"+host).(forward.Checker).Check(t.Context()); classIn(err) != forward.Auth {
		t.Errorf("401: got %v", err)
	}
}
