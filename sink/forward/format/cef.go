package format

import (
	"strconv"
	"strings"
	"time"

	"hbjournal/sink/journal"
)

// Header is what stands before each event, for receivers that take events of CEF as messages of syslog.
type Header string

// The headers.
const (
	NoHeader Header = "none"
	BSD      Header = "rfc3164" // as the guide to CEF shows it: <134>Mar 28 12:00:00 web1 CEF:0|...; in UTC
	IETF     Header = "rfc5424" // <134>1 2026-03-28T12:00:00.007Z web1 hbjournal - HTB - CEF:0|...
)

type cef struct {
	facts
	priority
	opt  Options
	head string // CEF:0|Vendor|Product|Version|
}

func newCEF(opt Options) (*cef, error) {
	p, err := newPriority(opt)
	if err != nil {
		return nil, err
	}
	head := "CEF:0|"
	for _, field := range [][2]string{{opt.Vendor, "hbjournal"}, {opt.Product, "hbjournal"}, {opt.Version, "1"}} {
		if field[0] == "" {
			field[0] = field[1]
		}
		head += headerEscapes.Replace(oneLine(field[0])) + "|"
	}
	return &cef{facts: newFacts(), priority: p, opt: opt, head: head}, nil
}

// The severities of CEF, from 0 to 10.
const (
	cefLow    = 1
	cefMedium = 6
)

// Append implements Form.
func (c *cef) Append(dst []byte, e *journal.Entry, id string) []byte {
	c.learn(e)
	kind := c.kind
	if kind == "" {
		kind = "message"
	}
	severity := cefLow
	if c.note {
		severity = cefMedium
	}
	dst = append(c.appendHeader(dst, e), c.head...)
	dst = append(append(dst, headerEscapes.Replace(oneLine(kind))...), '|')
	dst = append(append(dst, headerEscapes.Replace(oneLine(c.title()))...), '|')
	dst = append(strconv.AppendInt(dst, int64(severity), 10), "|rt="...)
	dst = strconv.AppendInt(dst, e.Millis, 10)
	dst = c.appendSource(dst, e)
	if c.plugin != "" {
		dst = appendExtension(dst, "cs1Label", "plugin")
		dst = appendExtension(dst, "cs1", c.plugin)
	}
	if id != "" {
		dst = appendExtension(dst, "externalId", id)
	}
	if receiver := c.opt.receiver(e); receiver != "" {
		dst = appendExtension(dst, "dvchost", receiver)
	}
	return appendExtension(dst, "msg", e.Message)
}

func (c *cef) appendHeader(dst []byte, e *journal.Entry) []byte {
	switch c.opt.Header {
	case BSD:
		dst = c.appendPriority(dst, c.priority)
		dst = time.UnixMilli(e.Millis).UTC().AppendFormat(dst, time.Stamp)
		dst = append(append(dst, ' '), printable(c.host, maxHost)...)
		return append(dst, ' ')
	case IETF:
		dst = append(c.appendPriority(dst, c.priority), "1 "...)
		dst = appendTime(dst, e.Millis)
		dst = append(append(dst, ' '), printable(c.host, maxHost)...)
		dst = append(append(dst, " hbjournal - "...), printable(c.kind, maxMsg)...)
		return append(dst, " - "...)
	}
	return dst
}

// appendSource appends who sent the entry: src is for IPv4 only.
func (c *cef) appendSource(dst []byte, e *journal.Entry) []byte {
	addr := e.Source.Addr()
	if addr.Is4() {
		dst = appendExtension(dst, "src", addr.String())
	} else {
		dst = appendExtension(dst, "c6a2Label", "Source IPv6 Address")
		dst = appendExtension(dst, "c6a2", addr.WithZone("").String())
	}
	dst = appendExtension(dst, "spt", strconv.Itoa(int(e.Source.Port())))
	return appendExtension(dst, "shost", c.host)
}

var (
	lineBreaks    = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")
	headerEscapes = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
)

// appendExtension appends a key and its value, which is UTF-8. The control characters that CEF has no escapes for become spaces.
func appendExtension[T string | []byte](dst []byte, key string, value T) []byte {
	dst = append(append(append(dst, ' '), key...), '=')
	done := 0
	for i := range len(value) {
		c := value[i]
		if c >= ' ' && c != '\\' && c != '=' && c != 0x7f {
			continue
		}
		dst = append(dst, value[done:i]...)
		done = i + 1
		switch c {
		case '\\', '=':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, ' ')
		}
	}
	return append(dst, value[done:]...)
}

// oneLine is text for a header, which holds no line breaks and no control characters.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, lineBreaks.Replace(text))
}
