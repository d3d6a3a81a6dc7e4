package output

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/format"
	"hbjournal/sink/journal"
)

// newSplunk makes outputs to the HTTP Event Collector. It answers when it has read the events; with ack=true an event is held
// only when the collector says that it is indexed. What is sent again is there twice, and can be told by its field hbj_id.
func newSplunk(t *Target, o *options) func(Identity) (forward.Output, error) {
	settings := o.web(t, t.port)
	settings.TokenScheme = "Splunk"
	if settings.TokenFile == "" {
		o.fault("token_file is missing: it holds the collector's token")
	}
	e := splunkEvents{facts: format.NewFacts()}
	e.head = gjson.AppendJSONString([]byte(`,"source":`), o.text("source", "hbjournal"))
	e.head = gjson.AppendJSONString(append(e.head, `,"sourcetype":`...), o.text("sourcetype", "hbjournal"))
	if index := o.text("index", ""); index != "" {
		e.head = gjson.AppendJSONString(append(e.head, `,"index":`...), index)
	}
	acks, channel := o.flag("ack"), o.text("channel", "")
	if channel != "" && !guid.MatchString(channel) {
		o.wrong("channel", "a GUID such as 11111111-2222-3333-4444-555555555555")
	}
	patience := o.duration("ack_timeout", 5*time.Minute)
	base := strings.TrimSuffix(escaped(t.Path), "/")
	return func(Identity) (forward.Output, error) {
		s := &splunk{web: newWeb(settings), base: base, bodies: bodies{one: e.append}, header: http.Header{"Content-Type": {"application/json"}}, acks: acks, patience: patience}
		if acks || channel != "" {
			if s.channel = channel; channel == "" {
				s.channel = newGUID()
			}
			s.header.Set("X-Splunk-Request-Channel", s.channel)
		}
		if acks { // Indexers behind a balancer know their own acks only, and the balancer knows them by its cookie.
			s.client.Jar = &fewCookies{}
		}
		return s, nil
	}
}

var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

type splunk struct {
	*web
	base     string
	header   http.Header
	channel  string // "": none
	acks     bool
	patience time.Duration // that events may take to be indexed
	bodies
	waiting []waiting
}

// waiting is a piece whose events are read and not yet known to be indexed.
type waiting struct {
	id   int64
	from int // where its lines begin in the batch
}

// Send implements forward.Output.
func (s *splunk) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	s.waiting = s.waiting[:0]
	from := 0
	r, err := s.send(ctx, b, func(ctx context.Context, m *made) (forward.Receipt, error) {
		r, err := s.piece(ctx, m, from)
		from += r.Acked
		return r, err
	})
	if len(s.waiting) == 0 {
		return r, err
	}
	if late := s.indexed(ctx); late != nil {
		r.Acked = slices.MinFunc(s.waiting, func(a, b waiting) int { return a.from - b.from }).from
		r.Refused = inOrder(r.Refused, nil, r.Acked)
		return r, late
	}
	return r, err
}

// piece posts the events of a piece. If one of them is wrong, those before it are posted by themselves.
func (s *splunk) piece(ctx context.Context, m *made, from int) (forward.Receipt, error) {
	a, err := s.do(ctx, call{path: s.base + "/services/collector/event", header: s.header, body: m.text})
	if err != nil {
		return forward.Receipt{}, err
	}
	verdict, err := hecVerdict(a, len(m.lines))
	switch {
	case err != nil:
		return forward.Receipt{}, err
	case verdict.wrong > 0:
		return s.piece(ctx, m.before(verdict.wrong), from)
	case verdict.wrong == 0:
		line := m.lines[0]
		refused := append(inOrder(m.refused, nil, line), forward.Refused{Line: line, Code: verdict.code, Reason: verdict.text})
		return forward.Receipt{Acked: line + 1, Refused: refused}, nil
	case s.acks && verdict.ack < 0:
		return forward.Receipt{}, ambiguous("the collector gives no ackId: does its token have indexer acknowledgment enabled?")
	case s.acks:
		s.waiting = append(s.waiting, waiting{verdict.ack, from})
	}
	return m.all(), nil
}

// verdict is what the collector said of a request that it understood.
type verdict struct {
	wrong      int   // number of the first event that it refused; -1: none
	ack        int64 // -1: none
	code, text string
}

// hecVerdict reads an answer to n events.
func hecVerdict(a answer, n int) (verdict, error) {
	v := verdict{wrong: -1, ack: -1}
	code := gjson.GetBytes(a.body, "code")
	if !json.Valid(a.body) || code.Type != gjson.Number {
		if !a.ok() {
			return v, a.refusal()
		}
		return v, ambiguous("the answer is none of a collector: %.100q", a.body)
	}
	v.code, v.text = strconv.FormatInt(code.Int(), 10), clip(gjson.GetBytes(a.body, "text").String())
	switch code.Int() {
	case 0:
		if !a.ok() {
			return v, ambiguous("the collector answers %d with code 0", a.status)
		}
		if ack := gjson.GetBytes(a.body, "ackId"); ack.Type == gjson.Number && ack.Int() >= 0 {
			v.ack = ack.Int()
		}
		return v, nil
	case 6, 12, 13, 15: // Of an event: its format, a missing or blank event, its fields.
		number := gjson.GetBytes(a.body, "invalid-event-number")
		if number.Type != gjson.Number || number.Int() < 0 || number.Int() >= int64(n) {
			return v, a.refusal()
		}
		v.wrong = int(number.Int())
		return v, nil
	case 5, 7, 10, 11, 14: // No data, the index, the channel, no acks: the lines are not to blame.
		return v, &forward.TroubleError{Class: forward.Server, Err: fmt.Errorf("the collector refuses all, code %s: %s", v.code, v.text)}
	}
	if a.ok() {
		return v, ambiguous("the collector answers %d with code %s: %s", a.status, v.code, v.text)
	}
	return v, a.refusal()
}

// maxPollErrors is how often in a row asking may go wrong. To ask again doubles nothing; to send again does.
const maxPollErrors = 4

// indexed waits until all pieces in s.waiting are indexed, and takes those that are out of it.
func (s *splunk) indexed(ctx context.Context) error {
	pause, end, wrong := 50*time.Millisecond, time.Now().Add(s.patience), 0
	for {
		err := s.poll(ctx)
		switch {
		case err != nil:
			if wrong++; wrong > maxPollErrors || ctx.Err() != nil {
				return err
			}
		case len(s.waiting) == 0:
			return nil
		default:
			wrong = 0
		}
		if time.Now().After(end) {
			return ambiguous("%d requests are not indexed after ack_timeout=%s", len(s.waiting), s.patience)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ambiguous("wait for acks: %w", context.Cause(ctx))
		}
		pause = min(2*pause, time.Second)
	}
}

// poll asks once. The collector forgets an ack that it has told.
func (s *splunk) poll(ctx context.Context) error {
	ask := []byte(`{"acks":[`)
	for i, w := range s.waiting {
		if i > 0 {
			ask = append(ask, ',')
		}
		ask = strconv.AppendInt(ask, w.id, 10)
	}
	a, err := s.do(ctx, call{
		path: s.base + "/services/collector/ack?channel=" + url.QueryEscape(s.channel), header: s.header, body: append(ask, "]}"...),
	})
	if err != nil {
		return err
	}
	acks := gjson.GetBytes(a.body, "acks")
	if !a.ok() || !json.Valid(a.body) || !acks.IsObject() {
		return ambiguous("the answer about acks is %d: %.100q", a.status, a.body)
	}
	done := make(map[int64]bool)
	acks.ForEach(func(id, ack gjson.Result) bool {
		if n, err := strconv.ParseInt(id.String(), 10, 64); err == nil && ack.Type == gjson.True {
			done[n] = true
		}
		return true
	})
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiting) bool { return done[w.id] })
	return nil
}

// Check implements forward.Checker.
func (s *splunk) Check(ctx context.Context) error {
	return s.check(ctx, s.base+"/services/collector/health")
}

// splunkEvents makes the events.
type splunkEvents struct {
	facts *format.Facts
	head  []byte // the members that all have
}

func (s *splunkEvents) append(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
	e, err := b.Entry(i)
	if err != nil {
		return dst, &unfit{malformed, err.Error()}
	}
	s.facts.Learn(&e)
	dst = journal.AppendSeconds(append(dst, `{"time":`...), e.Millis)
	dst = format.AppendString(append(dst, `,"host":`...), s.facts.Host())
	dst = append(dst, s.head...)
	dst = append(append(dst, `,"event":`...), e.Message...)
	dst = e.Source.Addr().AppendTo(append(dst, `,"fields":{"source_ip":"`...))
	dst = strconv.AppendUint(append(dst, `","source_port":"`...), uint64(e.Source.Port()), 10)
	dst = b.AppendID(append(dst, `","hbj_id":"`...), i)
	return append(dst, "\"}}\n"...), nil
}
