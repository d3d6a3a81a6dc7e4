package output

import (
	"context"
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protowire"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/format"
	"hbjournal/sink/journal"
)

// newOTLP makes outputs of OpenTelemetry log records over HTTP. What a receiver refuses it counts and does not name, and
// nothing of such a request may be sent again.
func newOTLP(t *Target, o *options) func(Identity) (forward.Output, error) {
	settings := o.web(t, t.port)
	asJSON := o.choice("encoding", "proto", "proto", "json") == "json"
	resource := o.pairs("resource", "")
	if t.Path == "/" {
		t.Path = "/v1/logs"
	}
	kind := "application/x-protobuf"
	if asJSON {
		kind = "application/json"
	}
	return func(who Identity) (forward.Output, error) {
		p := &otlp{web: newWeb(settings), path: escaped(t.Path), kind: kind, facts: format.NewFacts(), json: asJSON}
		p.resource = append([][2]string{{"service.name", "hbjournal"}, {"service.instance.id", who.Receiver}}, resource...)
		p.one = p.append
		return p, nil
	}
}

type otlp struct {
	*web
	path     string
	kind     string // of the bodies
	json     bool
	resource [][2]string
	facts    *format.Facts
	bodies
	record []byte
	text   []byte
}

// Send implements forward.Output.
func (p *otlp) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	return p.send(ctx, b, p.piece)
}

func (p *otlp) piece(ctx context.Context, m *made) (forward.Receipt, error) {
	p.text = p.request(p.text[:0], m.text)
	a, err := p.do(ctx, call{path: p.path, header: http.Header{"Content-Type": {p.kind}}, body: p.text})
	switch {
	case err != nil:
		return forward.Receipt{}, err
	case !a.ok():
		return forward.Receipt{}, a.refusal()
	}
	rejected, words, err := otlpRejected(a)
	if err != nil {
		return forward.Receipt{}, err
	}
	r := m.all()
	if rejected > 0 {
		count := min(rejected, len(m.lines))
		r.Unnamed = []forward.Unnamed{{From: 0, To: m.of.Len(), Count: count, Code: "partial_success", Reason: words}}
	}
	return r, nil
}

// otlpRejected reads an ExportLogsServiceResponse: how many records were refused, and why.
func otlpRejected(a answer) (rejected int, words string, err error) {
	if len(a.body) == 0 {
		return 0, "", nil
	}
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	var n int64
	switch {
	case kind == "application/json" && json.Valid(a.body) && gjson.ParseBytes(a.body).IsObject():
		partial := gjson.GetBytes(a.body, "partialSuccess")
		n, words = partial.Get("rejectedLogRecords").Int(), partial.Get("errorMessage").String()
	case kind == "application/x-protobuf" && otlpPartial(a.body, &n, &words):
	default:
		return 0, "", ambiguous("the answer is none of OTLP: %.100q", a.body)
	}
	return int(max(0, min(n, math.MaxInt32))), words, nil
}

// otlpPartial reads partial_success, the field 1 of the response, of a count and a text.
func otlpPartial(response []byte, n *int64, words *string) bool {
	return eachField(response, func(number protowire.Number, _ uint64, value []byte) bool {
		if number != 1 || value == nil {
			return true
		}
		return eachField(value, func(number protowire.Number, count uint64, value []byte) bool {
			switch {
			case number == 1:
				*n = int64(count)
			case number == 2 && value != nil:
				*words = string(value)
			}
			return true
		})
	})
}

// eachField calls f with each field of a message of protobuf: its number, and its value as it is of a varint or of bytes.
// False: the message is not well formed, or f said so.
func eachField(message []byte, f func(number protowire.Number, varint uint64, bytes []byte) bool) bool {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return false
		}
		message = message[n:]
		var varint uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			varint, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 || !f(number, varint, bytes) {
			return false
		}
		message = message[n:]
	}
	return true
}

// The fields of protobuf that are used, by the messages of opentelemetry-proto they are of.
const (
	requestResourceLogs  = 1
	resourceLogsResource = 1
	resourceLogsScope    = 2
	resourceAttributes   = 1
	scopeLogsScope       = 1
	scopeLogsRecords     = 2
	scopeName            = 1
	recordSeverity       = 2
	recordSeverityText   = 3
	recordBody           = 5
	recordAttributes     = 6
	recordObserved       = 11
	recordEventName      = 12
	keyValueKey          = 1
	keyValueValue        = 2
	anyValueString       = 1
	anyValueInt          = 3
)

// The severities of OpenTelemetry.
const (
	otlpInfo = 9
	otlpWarn = 13
)

// request appends the request around the records of the piece.
func (p *otlp) request(dst, records []byte) []byte {
	if p.json {
		return p.requestJSON(dst, records)
	}
	var resource []byte
	for _, pair := range p.resource {
		resource = appendPair(resource, resourceAttributes, pair[0], pair[1])
	}
	logs := appendMessage(nil, resourceLogsResource, resource)
	scope := appendMessage(nil, scopeLogsScope, appendWord(nil, scopeName, "hbjournal"))
	size := len(scope) + len(records)
	logs = protowire.AppendTag(logs, resourceLogsScope, protowire.BytesType)
	logs = append(protowire.AppendVarint(logs, uint64(size)), scope...)
	dst = protowire.AppendTag(dst, requestResourceLogs, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(logs)+len(records)))
	return append(append(dst, logs...), records...)
}

// append appends the record of a line.
func (p *otlp) append(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
	e, err := b.Entry(i)
	if err != nil {
		return dst, &unfit{malformed, err.Error()}
	}
	p.facts.Learn(&e)
	if p.json {
		return p.appendJSON(dst, &e, b.ID(i)), nil
	}
	severity, word := p.severity()
	r := protowire.AppendVarint(protowire.AppendTag(p.record[:0], recordSeverity, protowire.VarintType), uint64(severity))
	r = appendWord(r, recordSeverityText, word)
	r = protowire.AppendTag(r, recordBody, protowire.BytesType)
	r = protowire.AppendVarint(r, uint64(protowire.SizeTag(anyValueString)+protowire.SizeBytes(len(e.Message))))
	r = protowire.AppendBytes(protowire.AppendTag(r, anyValueString, protowire.BytesType), e.Message)
	for _, pair := range p.attributes(&e, b.ID(i)) {
		r = appendPair(r, recordAttributes, pair[0], pair[1])
	}
	r = appendMessage(r, recordAttributes, appendMessage(appendWord(nil, keyValueKey, "client.port"), keyValueValue,
		protowire.AppendVarint(protowire.AppendTag(nil, anyValueInt, protowire.VarintType), uint64(e.Source.Port()))))
	r = protowire.AppendFixed64(protowire.AppendTag(r, recordObserved, protowire.Fixed64Type), uint64(e.Millis)*1_000_000)
	if kind := p.facts.Kind(); kind != "" {
		r = appendWord(r, recordEventName, kind)
	}
	p.record = r
	return appendMessage(dst, scopeLogsRecords, r), nil
}

func (p *otlp) severity() (int, string) {
	if p.facts.IsNote() {
		return otlpWarn, "WARN"
	}
	return otlpInfo, "INFO"
}

// attributes are those of a record whose values are texts.
func (p *otlp) attributes(e *journal.Entry, id string) [][2]string {
	return [][2]string{
		{"network.transport", "udp"}, {"client.address", e.Source.Addr().String()}, {"host.name", p.facts.Host()}, {"hbj.id", id},
	}
}

// appendPair appends a field that is a KeyValue with a text.
func appendPair(dst []byte, field protowire.Number, key, value string) []byte {
	return appendMessage(dst, field, appendMessage(appendWord(nil, keyValueKey, key), keyValueValue, appendWord(nil, anyValueString, value)))
}

func appendMessage(dst []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, field, protowire.BytesType), message)
}

// appendWord appends a field that is a text. Protobuf takes UTF-8 only.
func appendWord(dst []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(dst, field, protowire.BytesType), strings.ToValidUTF8(text, "\ufffd"))
}

// requestJSON is request in OTLP's JSON.
func (p *otlp) requestJSON(dst, records []byte) []byte {
	dst = append(dst, `{"resourceLogs":[{"resource":{"attributes":[`...)
	for i, pair := range p.resource {
		dst = appendPairJSON(dst, i > 0, pair[0], pair[1])
	}
	dst = append(dst, `]},"scopeLogs":[{"scope":{"name":"hbjournal"},"logRecords":[`...)
	dst = append(dst, records[1:]...) // without the first comma
	return append(dst, "]}]}]}"...)
}

func (p *otlp) appendJSON(dst []byte, e *journal.Entry, id string) []byte {
	severity, word := p.severity()
	dst = strconv.AppendInt(append(dst, `,{"observedTimeUnixNano":"`...), e.Millis, 10)
	dst = strconv.AppendInt(append(dst, `000000","severityNumber":`...), int64(severity), 10)
	dst = append(append(append(dst, `,"severityText":"`...), word...), `","body":{"stringValue":`...)
	dst = append(format.AppendText(dst, e.Message), `},"attributes":[`...)
	for i, pair := range p.attributes(e, id) {
		dst = appendPairJSON(dst, i > 0, pair[0], pair[1])
	}
	dst = strconv.AppendUint(append(dst, `,{"key":"client.port","value":{"intValue":"`...), uint64(e.Source.Port()), 10)
	dst = append(dst, `"}}]`...)
	if kind := p.facts.Kind(); kind != "" {
		dst = gjson.AppendJSONString(append(dst, `,"eventName":`...), kind)
	}
	return append(dst, '}')
}

func appendPairJSON(dst []byte, comma bool, key, value string) []byte {
	if comma {
		dst = append(dst, ',')
	}
	dst = gjson.AppendJSONString(append(dst, `{"key":`...), key)
	dst = gjson.AppendJSONString(append(dst, `,"value":{"stringValue":`...), value)
	return append(dst, "}}"...)
}

// Check implements forward.Checker. A receiver of OTLP has nothing to ask for: that it answers is all that can be found out.
func (p *otlp) Check(ctx context.Context) error { return p.check(ctx, p.path) }
