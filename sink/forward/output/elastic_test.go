package output

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"hbjournal/sink/forward"
)

// elasticFake is a _bulk endpoint after Elasticsearch's documentation: it keeps documents by index and id.
type elasticFake struct {
	t      testing.TB
	answer func(n int, doc string) string // the outcome of the n-th item it ever saw; "": stored, or 409

	mu       sync.Mutex
	requests []*http.Request
	seen     int
	docs     map[string]string // index/id -> document
	order    []string          // documents as they were stored
}

func newElasticFake(t testing.TB) (*elasticFake, string) {
	f := &elasticFake{t: t, docs: make(map[string]string)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, strings.TrimPrefix(server.URL, "http://")
}

// ServeHTTP implements http.Handler.
func (f *elasticFake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	var items []string
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		action := gjson.Get(lines.Text(), "create")
		lines.Scan()
		doc := lines.Text()
		if !action.Exists() || !gjson.Valid(doc) {
			f.t.Errorf("action %s, document %q", action.Raw, doc)
		}
		outcome := ""
		if f.answer != nil {
			outcome = f.answer(f.seen, doc)
		}
		f.seen++
		if outcome == "" {
			outcome = f.store(action.Get("_index").String()+"/"+action.Get("_id").String(), doc)
		}
		items = append(items, `{"create":`+outcome+`}`)
	}
	fmt.Fprintf(w, `{"errors":false,"items":[%s]}`, strings.Join(items, ","))
}

func (f *elasticFake) store(at, doc string) string {
	if _, ok := f.docs[at]; ok {
		return `{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[x]: version conflict, document already exists"}}`
	}
	f.docs[at] = doc
	f.order = append(f.order, gjson.Get(doc, "message").String())
	return `{"status":201}`
}

func TestBulkCreatesDocumentsByIDInTheIndexOfTheirTime(t *testing.T) {
	f, host := newElasticFake(t)
	key := write(t, "c2VjcmV0\n")
	out := open(t, "elasticsearch://"+host+"/es?pipeline=p1&message=object&api_key_file="+key)
	b := messages(t, `{"ID":"HTB","name":"web1","a":{"b":1}}`, `{"n":2}`)
	mustSend(t, out, b)
	if again := mustSend(t, out, b); again.Duplicates != 2 || len(again.Refused) != 0 {
		t.Errorf("sent again: got %+v, want 2 duplicates", again)
	}
	r := f.requests[0]
	if r.URL.Path != "/es/_bulk" || r.URL.Query().Get("pipeline") != "p1" || r.Header.Get("Authorization") != "ApiKey c2VjcmV0" {
		t.Errorf("request: got %s with %s", r.URL, r.Header)
	}
	doc := f.docs["hbjournal-2026.03.28/"+b.ID(0)]
	if len(f.docs) != 2 || gjson.Get(doc, "@timestamp").String() != "2026-03-28T12:00:00.007Z" || gjson.Get(doc, `hbjournal\.a\.b`).Int() != 1 {
		t.Errorf("got %v", f.docs)
	}
	mustSend(t, open(t, "opensearch://"+host+"?data_stream=logs-x"), messages(t, `{"n":3}`))
	plain := f.docs["logs-x/"+b.ID(0)]
	for at, text := range f.docs {
		if strings.HasPrefix(at, "logs-x/") {
			plain = text
		}
	}
	if gjson.Get(plain, "message").String() != `{"n":3}` || strings.Contains(plain, "hbjournal.n") {
		t.Errorf("message=string: got %s", plain)
	}
}

func TestOnlyWhatBulkDidNotTakeIsSentAgain(t *testing.T) {
	f, host := newElasticFake(t)
	f.answer = func(n int, _ string) string {
		if n == 2 {
			return `{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue is full"}}`
		}
		return ""
	}
	out := open(t, "elasticsearch://"+host)
	b := messages(t, `{"n":0}`, `{"n":1}`, `{"n":2}`, `{"n":3}`)
	r, err := out.Send(t.Context(), b)
	if r.Acked != 2 || classIn(err) != forward.Throttled {
		t.Fatalf("got %+v, %v; want 2 acked, and to be throttled", r, err)
	}
	if r := mustSend(t, out, b.Slice(2, 4)); r.Duplicates != 1 {
		t.Errorf("got %+v, want the one behind to be a duplicate", r)
	}
	if len(f.docs) != 4 {
		t.Errorf("got %d documents, want 4", len(f.docs))
	}
}

func TestBulkItemsHaveTheirOutcomes(t *testing.T) {
	f := func(outcome string, wantClass forward.Class, wantRefused string) {
		t.Helper()
		fake, host := newElasticFake(t)
		fake.answer = func(int, string) string { return outcome }
		r, err := open(t, "elasticsearch://"+host).Send(t.Context(), messages(t, `{}`))
		if classIn(err) != wantClass {
			t.Errorf("%s: got %v, want %s", outcome, err, wantClass)
		}
		if got := fmt.Sprint(codes(r)); got != wantRefused {
			t.Errorf("%s: refused %s, want %s", outcome, got, wantRefused)
		}
		if (err == nil) != (r.Acked == 1) {
			t.Errorf("%s: %d acked with %v", outcome, r.Acked, err)
		}
	}
	f(`{"status":200}`, "none", "[]")
	f(`{"status":201,"failure_store":"used"}`, "none", "[0 failure_store]")
	f(`{"status":201,"failure_store":"not_applicable_or_unknown"}`, "none", "[]")
	f(`{"status":400,"error":{"type":"document_parsing_exception","reason":"no"}}`, "none", "[0 document_parsing_exception]")
	f(`{"status":400,"error":{"type":"x\"} 1\n","reason":"no"}}`, "none", "[0 400]")
	f(`{"status":413}`, "none", "[0 413]")
	f(`{"status":403,"error":{"type":"cluster_block_exception","reason":"read-only"}}`, forward.Auth, "[]")
	f(`{"status":404,"error":{"type":"index_not_found_exception"}}`, forward.Server, "[]")
	f(`{"status":503}`, forward.Server, "[]")
	f(`{"status":0}`, forward.Ambiguous, "[]")
	f(`{}`, forward.Ambiguous, "[]")
}

func TestAnswersOfBulkThatCannotBeUnderstood(t *testing.T) {
	answers := []string{
		"", "<html>welcome</html>", `{"items":[]}`, `{"items":{"create":{"status":201}}}`, `{"errors":false}`, `[]`,
		`{"items":[{"create":{"status":201}},{"create":{"status":201}}]}`, `{"items":[{}]}`, `{"items":[7]}`,
		`{"items":[{"create":{"status":201}}`,
	}
	for _, text := range answers {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) }))
		out := open(t, "elasticsearch://"+strings.TrimPrefix(server.URL, "http://"))
		r, err := out.Send(t.Context(), messages(t, `{}`))
		if classIn(err) != forward.Ambiguous || r.Acked != 0 {
			t.Errorf("%s: got %+v, %v; want it ambiguous", text, r, err)
		}
		server.Close()
	}
}

func TestAWholeBulkThatIsRefusedBlamesTheLines(t *testing.T) {
	for _, status := range []int{400, 413} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", status) }))
		_, err := open(t, "elasticsearch://"+strings.TrimPrefix(server.URL, "http://")).Send(t.Context(), messages(t, `{}`))
		var refused *forward.RefusedError
		if !asRefused(err, &refused) || refused.Code != fmt.Sprint(status) {
			t.Errorf("%d: got %v", status, err)
		}
		server.Close()
	}
}

func TestABatchGoesInPiecesAndKeepsItsOrder(t *testing.T) {
	f, host := newElasticFake(t)
	all := beats(20_000, 200)
	b := messages(t, all...)
	lines := make([]string, b.Len())
	for i := range lines {
		lines[i] = string(b.Line(i))
	}
	lines[15_000] = "no entry"
	r := mustSend(t, open(t, "elasticsearch://"+host), batchOf(lines...))
	if got := fmt.Sprint(codes(r)); got != "[15000 malformed]" {
		t.Errorf("refused: got %s", got)
	}
	if len(f.requests) < 4 {
		t.Errorf("got %d requests, want pieces of 512 KiB", len(f.requests))
	}
	want := append(append([]string{}, all[:15_000]...), all[15_001:]...)
	if strings.Join(f.order, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %d documents in another order than %d lines", len(f.order), len(want))
	}
}

func FuzzBulkAnswer(f *testing.F) {
	f.Add([]byte(`{"items":[{"create":{"status":201}},{"create":{"status":429,"error":{"type":"a","reason":"b"}}}]}`))
	f.Add([]byte(`{"items":[{"create":{"status":400}},{"create":{"status":409}},{}]}`))
	of := messages(f, beats(5, 80)...)
	f.Fuzz(func(t *testing.T, text []byte) {
		body := &made{of: of, lines: []int{0, 2, 3}, refused: []forward.Refused{{Line: 1, Code: malformed}, {Line: 4, Code: malformed}}}
		checkReceipt(t, 5, text)(bulkReceipt(text, body))
	})
}

// checkReceipt checks what every receipt of n lines keeps to, whatever the answer was.
func checkReceipt(t *testing.T, n int, answer []byte) func(forward.Receipt, error) {
	return func(r forward.Receipt, err error) {
		t.Helper()
		if r.Acked < 0 || r.Acked > n || (err == nil) != (r.Acked == n) || r.Duplicates > r.Acked {
			t.Errorf("%q: %+v, %v", answer, r, err)
		}
		last := -1
		for _, refused := range r.Refused {
			if refused.Line <= last || refused.Line >= r.Acked {
				t.Errorf("%q: %d is refused behind %d, of %d", answer, refused.Line, last, r.Acked)
			}
			last = refused.Line
		}
		for _, u := range r.Unnamed {
			if u.From < 0 || u.From >= u.To || u.To > r.Acked || u.Count < 1 || u.Count > u.To-u.From {
				t.Errorf("%q: %+v of %d", answer, u, r.Acked)
			}
		}
	}
}

func TestIndicesThatCannotBe(t *testing.T) {
	for _, query := range []string{"index=Upper", "index=a/b", "index=%25Q", "index=a&data_stream=b", "data_stream=a-%25Y", "index=-a", "index=a%22b"} {
		if _, err := Parse("elasticsearch://h?" + query); err == nil || !strings.Contains(err.Error(), "index") {
			t.Errorf("%s: got %v", query, err)
		}
	}
}

// decoded decodes one JSON object.
func decoded(t testing.TB, text string) (value map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return value
}
