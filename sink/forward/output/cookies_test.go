package output

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestACollectorThatHandsOutCookiesFillsNoMemory(t *testing.T) {
	n, most := 0, 0
	var last []*http.Cookie
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last = r.Cookies()
		most = max(most, len(last))
		n++
		http.SetCookie(w, &http.Cookie{Name: "lb", Value: fmt.Sprint(n)})
		for i := range 20 {
			http.SetCookie(w, &http.Cookie{Name: fmt.Sprintf("c%d-%d", n, i), Value: "x"})
		}
		http.SetCookie(w, &http.Cookie{Name: "huge", Value: strings.Repeat("x", maxCookie)})
		if strings.Contains(r.URL.Path, "/ack") {
			fmt.Fprintf(w, `{"acks":{"%d":true}}`, n-1)
			return
		}
		fmt.Fprintf(w, `{"text":"Success","code":0,"ackId":%d}`, n)
	}))
	defer server.Close()
	out := open(t, "splunk://"+server.Listener.Addr().String()+"/?ack=true&token_file="+write(t, "t"))
	for range 5 {
		if r, err := out.Send(t.Context(), batchOf(`{"timestamp":1774699200.000,"datetime":"2026-03-28T12:00:00","source_ip":"10.0.0.1","source_port":5,"message":{"n":0}}`)); err != nil || r.Acked != 1 {
			t.Fatalf("got %+v, %v", r, err)
		}
	}
	if most > maxCookies {
		t.Errorf("got %d cookies in a request", most)
	}
	if i := len(last); i == 0 || !strings.Contains(fmt.Sprint(last), fmt.Sprintf("lb=%d", n-1)) {
		t.Errorf("the balancer's cookie is not the last one: %v", last)
	}
}

func TestACookieThatIsOverIsForgotten(t *testing.T) {
	var j fewCookies
	j.SetCookies(nil, []*http.Cookie{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}, {Name: "c", Value: "3"}})
	j.SetCookies(nil, []*http.Cookie{{Name: "a", MaxAge: -1}, {Name: "b", Expires: time.Unix(1, 0)}})
	if got := j.Cookies(nil); len(got) != 1 || got[0].Name != "c" {
		t.Errorf("got %v", got)
	}
}
