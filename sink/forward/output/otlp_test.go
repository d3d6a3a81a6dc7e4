package output

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protowire"

	"hbjournal/sink/forward"
)

// field finds the field of a message, as its varint and its bytes.
func field(t testing.TB, message []byte, path ...protowire.Number) (varint uint64, value []byte) {
	t.Helper()
	for _, number := range path {
		found := false
		if !eachField(message, func(n protowire.Number, v uint64, b []byte) bool {
			if n == number && !found {
				found, varint, value = true, v, b
			}
			return true
		}) {
			t.Fatalf("not well formed: % x", message)
		}
		if !found {
			t.Fatalf("no field %d of %v", number, path)
		}
		message = value
	}
	return varint, value
}

func TestOTLPIsARecordALine(t *testing.T) {
	p, host := newPoster(t, nil)
	b := messages(t, `{"ID":"HTB","name":"web1"}`, `{"ID":"JRN","event":"gap"}`)
	mustSend(t, open(t, "otlp://"+host+"?resource=deployment.environment=prod"), b)
	body := []byte(p.bodies[0])
	if p.requests[0].URL.Path != "/v1/logs" || p.requests[0].Header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("got %s with %s", p.requests[0].URL, p.requests[0].Header)
	}
	if _, name := field(t, body, 1, 1, 1, 2, 1); string(name) != "hbjournal" {
		t.Errorf("service.name: got %q", name)
	}
	if _, text := field(t, body, 1, 2, 2, recordBody, 1); string(text) != `{"ID":"HTB","name":"web1"}` {
		t.Errorf("body: got %q", text)
	}
	if n, _ := field(t, body, 1, 2, 2, recordSeverity); n != otlpInfo {
		t.Errorf("severity: got %d", n)
	}
	if _, name := field(t, body, 1, 2, 2, recordEventName); string(name) != "HTB" {
		t.Errorf("event name: got %q", name)
	}
	if records := strings.Count(string(body), b.ID(0)) + strings.Count(string(body), b.ID(1)); records != 2 {
		t.Errorf("got %d ids, want 2", records)
	}
}

func TestOTLPInJSON(t *testing.T) {
	p, host := newPoster(t, nil)
	b := messages(t, `{"ID":"HTB","name":"<web\"1>"}`, `{"n":2}`)
	mustSend(t, open(t, "otlp://"+host+"/x/v1/logs?encoding=json&resource=a=b"), b)
	text := p.bodies[0]
	logs := gjson.Get(text, "resourceLogs.0")
	records := logs.Get("scopeLogs.0.logRecords").Array()
	if !gjson.Valid(text) || len(records) != 2 || logs.Get("resource.attributes.2.value.stringValue").String() != "b" {
		t.Fatalf("got %s", text)
	}
	r := records[0]
	if r.Get("observedTimeUnixNano").String() != "1774699200007000000" || r.Get("body.stringValue").String() != `{"ID":"HTB","name":"<web\"1>"}` ||
		r.Get(`attributes.#(key="client.port").value.intValue`).String() != "50003" ||
		r.Get(`attributes.#(key="host.name").value.stringValue`).String() != `<web"1>` || r.Get("eventName").String() != "HTB" {
		t.Errorf("got %s", r.Raw)
	}
}

// otlpServer answers all with this.
func otlpServer(t testing.TB, status int, kind, text string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestWhatOTLPRejectsIsCountedAndNotSentAgain(t *testing.T) {
	partial := appendMessage(nil, 1, appendWord(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 2), 2, "too big"))
	for kind, text := range map[string]string{
		"application/x-protobuf":          string(partial),
		"application/json; charset=utf-8": `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too big"}}`,
	} {
		r := mustSend(t, open(t, "otlp://"+otlpServer(t, 200, kind, text)), messages(t, `{}`, `{}`, `{}`))
		if len(r.Unnamed) != 1 || r.Unnamed[0] != (forward.Unnamed{From: 0, To: 3, Count: 2, Code: "partial_success", Reason: "too big"}) {
			t.Errorf("%s: got %+v", kind, r)
		}
	}
	warned := `{"partialSuccess":{"rejectedLogRecords":0,"errorMessage":"slow down"}}`
	if r := mustSend(t, open(t, "otlp://"+otlpServer(t, 200, "application/json", warned)), messages(t, `{}`)); len(r.Unnamed) != 0 {
		t.Errorf("a warning: got %+v", r)
	}
}

func TestAnswersThatAreNoneOfOTLP(t *testing.T) {
	f := func(status int, kind, text string, want forward.Class) {
		t.Helper()
		r, err := open(t, "otlp://"+otlpServer(t, status, kind, text)).Send(t.Context(), messages(t, `{}`))
		if classIn(err) != want || err == nil || r.Acked > 0 {
			t.Errorf("%s %q: got %+v, %v; want %s", kind, text, r, err, want)
		}
	}
	f(200, "text/html", "<html>", forward.Ambiguous)
	f(200, "application/x-protobuf", "<html>", forward.Ambiguous)
	f(200, "application/json", "[]", forward.Ambiguous)
	f(200, "application/json", "{", forward.Ambiguous)
	f(400, "application/json", `{"message":"bad"}`, "none")
	f(429, "application/json", `{}`, forward.Throttled)
	f(503, "application/json", `{}`, forward.Server)
}

func FuzzOTLPAnswer(f *testing.F) {
	f.Add(true, []byte(`{"partialSuccess":{"rejectedLogRecords":"2"}}`))
	f.Add(false, appendMessage(nil, 1, appendWord([]byte{8, 2}, 2, "too big")))
	f.Fuzz(func(t *testing.T, json bool, text []byte) {
		kind := "application/x-protobuf"
		if json {
			kind = "application/json"
		}
		if n, _, err := otlpRejected(answer{status: 200, header: http.Header{"Content-Type": {kind}}, body: text}); n < 0 || err != nil && n > 0 {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	})
}
