package output

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/format"
)

// newLoki makes outputs to Loki. Of lines that are equal in time, labels and text it keeps one, which makes what is sent
// again harmless; so that equal entries of one millisecond are all kept, each has nanoseconds of its own.
func newLoki(t *Target, o *options) func(Identity) (forward.Output, error) {
	settings := o.web(t, t.port)
	header := http.Header{"Content-Type": {"application/json"}}
	if tenant := o.text("tenant", ""); tenant != "" {
		if strings.ContainsFunc(tenant, func(r rune) bool { return r <= ' ' || r > '~' }) {
			o.wrong("tenant", "printable ASCII without spaces")
		}
		header.Set("X-Scope-OrgID", tenant)
	}
	labels := o.pairs("labels", "")
	metadata := strings.Split(o.text("metadata", "source_ip"), ",")
	for _, name := range metadata {
		if !slices.Contains([]string{"source_ip", "hbj_id", "host", "none"}, name) {
			o.wrong("metadata", "none, or some of source_ip, hbj_id, host with commas between")
			break
		}
	}
	base := strings.TrimSuffix(escaped(t.Path), "/")
	return func(who Identity) (forward.Output, error) {
		l := &loki{web: newWeb(settings), base: base, header: header, facts: format.NewFacts(), metadata: metadata}
		given := labels
		if len(given) == 0 {
			given = [][2]string{{"job", "hbjournal"}, {"receiver", who.Receiver}}
		}
		l.head = []byte(`{"streams":[{"stream":{`)
		for i, label := range given {
			if i > 0 {
				l.head = append(l.head, ',')
			}
			l.head = gjson.AppendJSONString(append(gjson.AppendJSONString(l.head, label[0]), ':'), label[1])
		}
		l.head = append(l.head, `},"values":[`...)
		l.one = l.append
		return l, nil
	}
}

// labelName is what Prometheus and Loki allow.
var labelName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]{0,127}$`)

// pairs takes an option of the form name=value,name=value.
func (o *options) pairs(key, def string) (all [][2]string) {
	text := o.text(key, def)
	if text == "" {
		return nil
	}
	for _, pair := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !labelName.MatchString(name) || value == "" {
			o.wrong(key, "name=value with commas between")
			return nil
		}
		all = append(all, [2]string{name, value})
	}
	return all
}

type loki struct {
	*web
	base     string
	header   http.Header
	facts    *format.Facts
	metadata []string
	head     []byte
	text     []byte
	bodies
}

// Send implements forward.Output.
func (l *loki) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	return l.send(ctx, b, l.piece)
}

func (l *loki) piece(ctx context.Context, m *made) (forward.Receipt, error) {
	l.text = append(append(l.text[:0], l.head...), m.text[1:]...) // without the first comma
	l.text = append(l.text, "]}]}"...)
	a, err := l.do(ctx, call{path: l.base + "/loki/api/v1/push", header: l.header, body: l.text})
	switch {
	case err != nil:
		return forward.Receipt{}, err
	case a.ok() && a.status != http.StatusNoContent && len(a.body) > 0:
		return forward.Receipt{}, ambiguous("the answer is none of Loki: %d %.100q", a.status, a.body)
	case a.ok():
		return m.all(), nil
	}
	return lokiReceipt(a, m)
}

// nanosOf is the time of a line in nanoseconds: its milliseconds, and where it stands in its file. No line is shorter than
// slot, so that two of one millisecond have the same only if 64 MB lie between them.
func nanosOf(millis, offset int64) int64 {
	const slot, slots = 64, 1_000_000
	return millis*1_000_000 + offset/slot%slots
}

func (l *loki) append(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
	e, err := b.Entry(i)
	if err != nil {
		return dst, &unfit{malformed, err.Error()}
	}
	dst = strconv.AppendInt(append(dst, `,["`...), nanosOf(e.Millis, e.Offset), 10)
	dst = format.AppendText(append(dst, `",`...), e.Line)
	if l.metadata[0] == "none" {
		return append(dst, ']'), nil
	}
	for n, name := range l.metadata {
		if n == 0 {
			dst = append(dst, ",{"...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), name...), `":`...)
		switch name {
		case "source_ip":
			dst = gjson.AppendJSONString(dst, e.Source.Addr().String())
		case "hbj_id":
			dst = gjson.AppendJSONString(dst, b.ID(i))
		case "host":
			l.facts.Learn(&e)
			dst = gjson.AppendJSONString(dst, l.facts.Host())
		}
	}
	return append(dst, "}]"...), nil
}

var (
	lokiIgnored = regexp.MustCompile(`entry with timestamp (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? [+-]\d{4}) [A-Z0-9+-]{1,8} ignored, reason: '([^']*)'`)
	lokiTotal   = regexp.MustCompile(`total ignored: (\d{1,9}) out of (\d{1,9})`)
)

// lokiReceipt reads a refusal. Loki has taken the lines that it does not name; it names the first ten by their times.
func lokiReceipt(a answer, body *made) (forward.Receipt, error) {
	text := string(a.body)
	if strings.Contains(text, "structured metadata") {
		return forward.Receipt{}, &forward.TroubleError{
			Class: forward.Server, Err: fmt.Errorf("it takes no structured metadata; enable it, or give metadata=none: %s", clip(text)),
		}
	}
	total := lokiTotal.FindStringSubmatch(text)
	if total == nil {
		return forward.Receipt{}, a.refusal()
	}
	count, err := strconv.Atoi(total[1])
	if err != nil || count < 1 || count > len(body.lines) {
		return forward.Receipt{}, a.refusal()
	}
	r, stamps := forward.Receipt{Acked: body.of.Len()}, stampsOf(body)
	var named []forward.Refused
	for _, ignored := range lokiIgnored.FindAllStringSubmatch(text, -1) {
		at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700", ignored[1])
		n := slices.Index(stamps, at.UnixNano())
		if err != nil || n < 0 {
			continue
		}
		named = append(named, forward.Refused{Line: body.lines[n], Code: lokiCode(ignored[2]), Reason: ignored[2]})
	}
	slices.SortFunc(named, func(a, b forward.Refused) int { return a.Line - b.Line })
	named = slices.CompactFunc(named, func(a, b forward.Refused) bool { return a.Line == b.Line })
	if len(named) == count {
		r.Refused = inOrder(named, body.refused, r.Acked)
		return r, nil
	}
	r.Refused = body.refused
	r.Unnamed = []forward.Unnamed{{From: 0, To: r.Acked, Count: count, Code: lokiCode(text), Reason: a.reason()}}
	return r, nil
}

// stampsOf are the times of the lines of a body.
func stampsOf(body *made) []int64 {
	stamps := make([]int64, len(body.lines))
	for n, line := range body.lines {
		e, err := body.of.Entry(line)
		if err != nil {
			continue // It would not be in the body.
		}
		stamps[n] = nanosOf(e.Millis, e.Offset)
	}
	return stamps
}

// lokiCode is a word for what Loki says: a label of metrics.
func lokiCode(reason string) string {
	switch {
	case strings.Contains(reason, "too far behind"):
		return "too_far_behind"
	case strings.Contains(reason, "out of order"):
		return "out_of_order"
	}
	return "ignored"
}

// Check implements forward.Checker.
func (l *loki) Check(ctx context.Context) error { return l.check(ctx, l.base+"/loki/api/v1/labels") }
