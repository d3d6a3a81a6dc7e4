package output

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/format"
)

// newElastic makes outputs to the bulk endpoint of Elasticsearch and OpenSearch. Each line is created under its id, so that
// one that is there already is known again: nothing is there twice in an index. The index is chosen by the entry's own time,
// so that a line that is sent again comes to the same.
func newElastic(t *Target, o *options) func(Identity) (forward.Output, error) {
	settings := o.web(t, t.port)
	if key := o.text("api_key_file", ""); key != "" {
		if settings.TokenFile != "" || settings.User != "" {
			o.fault("give one of api_key_file, token_file and user")
		}
		settings.TokenFile, settings.TokenScheme = key, "ApiKey"
		t.Secrets = append(t.Secrets, key)
	}
	index, stream := o.text("index", ""), o.text("data_stream", "")
	switch {
	case index != "" && stream != "":
		o.fault("give one of index and data_stream")
	case stream != "":
		index = stream
	case index == "":
		index = "hbjournal-%Y.%m.%d"
	}
	if !indexName.MatchString(index) || stream != "" && strings.Contains(stream, "%") {
		o.wrong("index and data_stream", "in small letters, at most 128 characters of a-z 0-9 . _ -, and for index %Y %m %d %H too")
	}
	query := url.Values{"filter_path": {"errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store"}}
	if pipeline := o.text("pipeline", ""); pipeline != "" {
		query.Set("pipeline", pipeline)
	}
	form, err := format.New("ecs", format.Options{Bare: o.choice("message", "string", "string", "object") == "string"})
	if err != nil {
		o.fault("%w", err)
	}
	base := strings.TrimSuffix(escaped(t.Path), "/")
	return func(Identity) (forward.Output, error) {
		e := &elastic{web: newWeb(settings), base: base, path: base + "/_bulk?" + query.Encode(), index: index, form: form}
		e.one = e.append
		return e, nil
	}
}

// indexName is what names of indices may be, with the parts of a time that strftime knows.
var indexName = regexp.MustCompile(`^[a-z0-9.](?:[a-z0-9._-]|%[YmdH]){0,127}$`)

type elastic struct {
	*web
	base, path string
	index      string
	form       format.Form
	bodies
	day  int64  // hours since 1970 for which name is
	name string // the index of an entry of that hour
}

// Send implements forward.Output.
func (e *elastic) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	return e.send(ctx, b, e.piece)
}

var bulkHeader = http.Header{"Content-Type": {"application/x-ndjson"}}

// maxBulkAnswer is how long an answer about pieceLines items may be.
const maxBulkAnswer = 8 << 20

func (e *elastic) piece(ctx context.Context, m *made) (forward.Receipt, error) {
	a, err := e.do(ctx, call{path: e.path, header: bulkHeader, body: m.text, limit: maxBulkAnswer})
	if err == nil && !a.ok() {
		err = a.refusal()
	}
	if err != nil {
		return forward.Receipt{}, err
	}
	return bulkReceipt(a.body, m)
}

// append appends the action and the document of a line.
func (e *elastic) append(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
	entry, err := b.Entry(i)
	if err != nil {
		return dst, &unfit{malformed, err.Error()}
	}
	id := b.ID(i)
	dst = append(append(dst, `{"create":{"_index":"`...), e.indexAt(entry.Millis)...)
	dst = append(append(append(dst, `","_id":"`...), id...), "\"}}\n"...)
	return append(e.form.Append(dst, &entry, id), '\n'), nil
}

// indexAt is the index of an entry of this time, which is in Unix milliseconds.
func (e *elastic) indexAt(millis int64) string {
	hour := millis / time.Hour.Milliseconds()
	if e.name == "" || hour != e.day {
		at := time.UnixMilli(millis).UTC()
		e.day, e.name = hour, strings.NewReplacer("%Y", at.Format("2006"), "%m", at.Format("01"), "%d", at.Format("02"), "%H", at.Format("15")).Replace(e.index)
	}
	return e.name
}

// bulkReceipt reads what became of each item, up to the first one that is to be sent again: those behind it are sent again
// too, so that they stay in order, and are known again by their ids.
func bulkReceipt(text []byte, body *made) (r forward.Receipt, err error) {
	items := gjson.GetBytes(text, "items")
	if !json.Valid(text) || !items.IsArray() {
		return r, ambiguous("the answer is no list of items: %.100q", text)
	}
	n := 0
	items.ForEach(func(_, item gjson.Result) bool {
		if n == len(body.lines) {
			n++
			return false
		}
		err = bulkItem(&r, body.lines[n], item.Get("create"))
		if err == nil {
			n++
		}
		return err == nil
	})
	switch {
	case err != nil:
		r.Acked = body.lines[n]
	case n != len(body.lines):
		return forward.Receipt{}, ambiguous("the answer is about %d lines or more, of %d that were sent", n, len(body.lines))
	default:
		r.Acked = body.of.Len()
	}
	r.Refused = inOrder(r.Refused, body.refused, r.Acked)
	return r, err
}

// bulkItem adds the outcome of a line to r, or returns why it has to be sent again.
func bulkItem(r *forward.Receipt, line int, outcome gjson.Result) error {
	status := outcome.Get("status").Int()
	kind, reason := outcome.Get("error.type").String(), outcome.Get("error.reason").String()
	switch {
	case status/100 == 2 && outcome.Get("failure_store").String() == "used":
		r.Refused = append(r.Refused, forward.Refused{Line: line, Code: "failure_store", Reason: "it went to the failure store of its data stream"})
	case status/100 == 2:
	case status == http.StatusConflict:
		r.Duplicates++
	case status == http.StatusTooManyRequests:
		return &forward.TroubleError{Class: forward.Throttled, Err: fmt.Errorf("a line is answered %d: %s", status, clip(reason))}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &forward.TroubleError{Class: forward.Auth, Err: fmt.Errorf("a line is answered %d: %s", status, clip(reason))}
	case status == http.StatusNotFound, status == http.StatusRequestTimeout, status/100 == 5:
		return &forward.TroubleError{Class: forward.Server, Err: fmt.Errorf("a line is answered %d: %s", status, clip(reason))}
	case status/100 == 4:
		r.Refused = append(r.Refused, forward.Refused{Line: line, Code: word(kind, status), Reason: kind + ": " + reason})
	default:
		return ambiguous("a line is answered %d, which means nothing", status)
	}
	return nil
}

// clip cuts what a receiver says.
func clip(text string) string { return text[:min(len(text), 300)] }

var wordly = regexp.MustCompile(`^[a-z][a-z_]{0,63}$`)

// word is the receiver's own name for a kind of refusal, else the status: it becomes a label.
func word(kind string, status int64) string {
	if wordly.MatchString(kind) {
		return kind
	}
	return fmt.Sprint(status)
}

// inOrder merges refusals, each in the order of lines, and leaves out those from acked on.
func inOrder(a, b []forward.Refused, acked int) (all []forward.Refused) {
	for len(a) > 0 || len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0].Line < a[0].Line {
			from = &b
		}
		if (*from)[0].Line < acked {
			all = append(all, (*from)[0])
		}
		*from = (*from)[1:]
	}
	return all
}

// Check implements forward.Checker.
func (e *elastic) Check(ctx context.Context) error { return e.check(ctx, e.base+"/") }
