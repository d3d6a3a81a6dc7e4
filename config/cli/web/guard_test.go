package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// asked asks a guard, in front of a page that says "in", as somebody at 192.0.2.1 would.
func asked(g http.Handler, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9504/", http.NoBody)
	change(r)
	w := &recorder{httptest.NewRecorder()}
	g.ServeHTTP(w, r)
	return w.ResponseRecorder
}

// A recorder takes deadlines as a connection does.
type recorder struct{ *httptest.ResponseRecorder }

func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func guarded(opt Options) http.Handler {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return newGuard(opt, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "in") }))
}

func TestOnlyNamesOfThisServerAreAnswered(t *testing.T) {
	g := guarded(Options{Hosts: []string{"HB.example.com", "hb"}})
	f := func(host string, want int) {
		t.Helper()
		if got := asked(g, func(r *http.Request) { r.Host = host }).Code; got != want {
			t.Errorf("%q: got %d, want %d", host, got, want)
		}
	}
	for _, host := range []string{
		"127.0.0.1", "127.0.0.1:9504", "[::1]", "[::1]:9504", "192.0.2.7:80", "localhost", "LocalHost:9504", "localhost.", "hb.EXAMPLE.com:443", "hb",
	} {
		f(host, http.StatusOK)
	}
	for _, host := range []string{
		"127.0.0.1.evil.com", "evil.com", "localhost.evil.com", "hb.example.com.evil.com", "127.0.0.1:9504.evil.com", "127.1", "0x7f.1", "2130706433",
		"[::1", "[::1%25eth0]", "localhost:x", "a@localhost", "", "xhb", "localhost\x00", "<script>",
	} {
		f(host, http.StatusMisdirectedRequest)
	}
}

func TestOnlyGetIsAnswered(t *testing.T) {
	g := guarded(Options{})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "CONNECT", "X"} {
		if got := asked(g, func(r *http.Request) { r.Method = method }).Code; got != http.StatusMethodNotAllowed {
			t.Errorf("%s: got %d, want 405", method, got)
		}
	}
}

func TestOtherSitesMayLinkHereAndNoMore(t *testing.T) {
	g := guarded(Options{})
	f := func(site, mode string, want int) {
		t.Helper()
		got := asked(g, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", site)
			r.Header.Set("Sec-Fetch-Mode", mode)
		}).Code
		if got != want {
			t.Errorf("%s, %s: got %d, want %d", site, mode, got, want)
		}
	}
	f("cross-site", "no-cors", http.StatusForbidden)
	f("cross-site", "cors", http.StatusForbidden)
	f("cross-site", "navigate", http.StatusOK)
	f("same-origin", "cors", http.StatusOK)
}

func TestEveryAnswerForbidsWhatItDoesNotNeed(t *testing.T) {
	for _, host := range []string{"localhost", "evil.com"} {
		header := asked(guarded(Options{}), func(r *http.Request) { r.Host = host }).Header()
		if got := header.Get("Content-Security-Policy"); got != policy || strings.Contains(got, "unsafe") || !strings.HasPrefix(got, "default-src 'none'") {
			t.Errorf("%s: got the policy %q", host, got)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: got %s: %q, want %q", host, name, got, want)
			}
		}
	}
}

func TestATokenIsTakenAsPasswordOfAnyUserOrAsBearer(t *testing.T) {
	const token = "a-token-of-24-characters"
	for name, give := range map[string]func(*http.Request){
		"password": func(r *http.Request) { r.SetBasicAuth("anybody", token) },
		"no user":  func(r *http.Request) { r.SetBasicAuth("", token) },
		"bearer":   func(r *http.Request) { r.Header.Set("Authorization", "bearer "+token) },
	} {
		if got := asked(guarded(Options{Token: token}), give).Code; got != http.StatusOK {
			t.Errorf("%s: got %d, want 200", name, got)
		}
	}
	for name, give := range map[string]func(*http.Request){
		"nothing": func(*http.Request) {},
		"wrong":   func(r *http.Request) { r.SetBasicAuth("x", token+"x") },
		"as user": func(r *http.Request) { r.SetBasicAuth(token, "") },
		"empty":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
		"query":   func(r *http.Request) { r.URL.RawQuery = "token=" + token },
	} {
		answer := asked(guarded(Options{Token: token}), give)
		if got := answer.Code; got != http.StatusUnauthorized || !strings.HasPrefix(answer.Header().Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s: got %d, want 401 with a login asked for", name, got)
		}
	}
	if got := asked(guarded(Options{Token: token}), func(r *http.Request) { r.URL.Path = "/healthz" }).Code; got != http.StatusOK {
		t.Errorf("/healthz: got %d, want 200: it says nothing", got)
	}
}

func TestGuessesAreSlowedForTheirNetworkOnly(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	const token = "a-token-of-24-characters"
	g := guarded(Options{Token: token, Now: func() time.Time { return now }})
	try := func(from, password string) int {
		return asked(g, func(r *http.Request) {
			r.RemoteAddr = from
			r.SetBasicAuth("x", password)
		}).Code
	}
	f := func(what, from, password string, want int) {
		t.Helper()
		if got := try(from, password); got != want {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}
	f("first guess", "[2001:db8::1]:1", "wrong", http.StatusUnauthorized)
	f("right too soon, from the same customer", "[2001:db8::2]:1", token, http.StatusTooManyRequests)
	f("right from elsewhere", "192.0.2.9:1", token, http.StatusOK)
	now = now.Add(firstWait)
	f("second guess", "[2001:db8::1]:1", "wrong", http.StatusUnauthorized)
	now = now.Add(firstWait)
	f("after the first wait again", "[2001:db8::1]:1", token, http.StatusTooManyRequests)
	now = now.Add(firstWait)
	f("right in time", "[2001:db8::1]:1", token, http.StatusOK)
	f("right again at once", "[2001:db8::1]:1", token, http.StatusOK)
	for i := range 3 * maxGuesser {
		try(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), "wrong")
	}
	if got := len(g.(*guard).guesses.from); got > maxGuesser {
		t.Errorf("got %d networks remembered, want %d at most", got, maxGuesser)
	}
}

func TestAClientThatDoesNotReadHoldsNothingForLong(t *testing.T) {
	s, address := served(t, oneJournal(t.TempDir()))
	for range maxStreams {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/events?from=-/0000000000000000/0", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("got %d, want %d streams to be served", answer.StatusCode, maxStreams)
		}
	}
	code, header, _ := get(t, address+"/events?from=-/0000000000000000/0")
	if code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("one stream more: got %d, want 503 with a time to try again", code)
	}
	if got := s.streams.used(); got != maxStreams {
		t.Errorf("got %d streams in use, want %d", got, maxStreams)
	}
}
