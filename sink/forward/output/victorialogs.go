package output

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tidwall/gjson"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/format"
)

// newVictoriaLogs makes outputs to the endpoint jsonline of VictoriaLogs. It answers 200 although it left out lines that are
// too long, too deep, or have too many fields, so none of these is sent.
func newVictoriaLogs(t *Target, o *options) func(Identity) (forward.Output, error) {
	settings := o.web(t, t.port)
	l := victoriaLines{facts: format.NewFacts(), asText: o.choice("message", "object", "object", "string") == "string"}
	l.most = o.number("max_len", 256<<10)
	streams, extra := o.text("stream_fields", "receiver"), o.text("extra_fields", "")
	header := http.Header{"Content-Type": {"application/stream+json"}}
	for _, tenant := range [][2]string{{"account", "AccountID"}, {"project", "ProjectID"}} {
		header.Set(tenant[1], strconv.Itoa(o.number(tenant[0], 0)))
	}
	path := t.Path
	if path == "/" {
		path = "/insert/jsonline"
	}
	return func(who Identity) (forward.Output, error) {
		own := l
		own.receiver = gjson.AppendJSONString(nil, who.Receiver)
		query := url.Values{"_stream_fields": {streams}}
		if extra != "" {
			query.Set("extra_fields", extra)
		}
		return &victoriaLogs{posting{web: newWeb(settings), path: escaped(path) + "?" + query.Encode(), header: header, bodies: bodies{one: own.append}}}, nil
	}
}

type victoriaLogs struct{ posting }

// Check implements forward.Checker.
func (v *victoriaLogs) Check(ctx context.Context) error { return v.check(ctx, "/health") }

// victoriaLines makes the lines.
type victoriaLines struct {
	facts    *format.Facts
	asText   bool
	most     int // bytes of a line with its newline, as -insert.maxLineSizeBytes has it
	receiver []byte
}

func (l *victoriaLines) append(dst []byte, b *forward.Batch, i int) ([]byte, *unfit) {
	e, err := b.Entry(i)
	if err != nil {
		return dst, &unfit{malformed, err.Error()}
	}
	start := len(dst)
	l.facts.Learn(&e)
	dst = format.AppendTime(append(dst, `{"_time":"`...), e.Millis)
	dst = append(dst, `","_msg":`...)
	if l.asText {
		dst = format.AppendText(dst, e.Message)
	} else {
		dst = format.AppendString(dst, l.facts.Title())
	}
	dst = format.AppendString(append(dst, `,"host":`...), l.facts.Host())
	dst = e.Source.Addr().AppendTo(append(dst, `,"source_ip":"`...))
	dst = strconv.AppendUint(append(dst, `","source_port":`...), uint64(e.Source.Port()), 10)
	dst = append(append(dst, `,"receiver":`...), l.receiver...)
	dst = b.AppendID(append(dst, `,"hbj_id":"`...), i)
	dst = append(dst, '"')
	if !l.asText {
		dst = append(dst, `,"message":`...)
		if isPlain(e.Message) {
			dst = append(dst, e.Message...)
		} else {
			dst = format.AppendText(dst, e.Message)
		}
	}
	dst = append(dst, "}\n"...)
	if size := len(dst) - start; l.most > 0 && size > l.most {
		return dst[:start], exceeds(size, l.most, "max_len")
	}
	return dst, nil
}

// What a message may have so that VictoriaLogs takes it apart: it leaves out lines with more than 1,000 fields or 300 levels.
const (
	plainFields = 500
	plainLevels = 64
)

// isPlain reports whether a message, which is valid JSON, keeps to these.
func isPlain(message []byte) bool {
	if bytes.Count(message, []byte{':'}) <= plainFields && bytes.Count(message, []byte{'{'})+bytes.Count(message, []byte{'['}) <= plainLevels {
		return true
	}
	level, fields := 0, 0
	for i := 0; i < len(message); i++ {
		switch message[i] {
		case '{', '[':
			level++
		case '}', ']':
			level--
		case ':':
			fields++
		case '"':
			i += lengthOfString(message[i+1:])
		}
		if level > plainLevels || fields > plainFields {
			return false
		}
	}
	return true
}

// lengthOfString is how many bytes there are up to the quote that ends a string, and with it.
func lengthOfString(text []byte) int {
	for at := 0; ; {
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 {
			return len(text)
		}
		at += quote
		escapes := 0
		for escapes < at && text[at-1-escapes] == '\\' {
			escapes++
		}
		at++
		if escapes%2 == 0 {
			return at
		}
	}
}
