package format

import (
	"strconv"
	"strings"

	"hbjournal/sink/journal"
)

type cef struct {
	facts
	head string // CEF:0|Vendor|Product|Version|
}

func newCEF(opt Options) *cef {
	head := "CEF:0|"
	for _, field := range [][2]string{{opt.Vendor, "hbjournal"}, {opt.Product, "hbjournal"}, {opt.Version, "1"}} {
		if field[0] == "" {
			field[0] = field[1]
		}
		head += headerEscapes.Replace(oneLine(field[0])) + "|"
	}
	return &cef{facts: newFacts(), head: head}
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
	dst = append(dst, c.head...)
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
	return appendExtension(dst, "msg", string(e.Message))
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
	headerEscapes    = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	extensionEscapes = strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
)

func appendExtension(dst []byte, key, value string) []byte {
	dst = append(append(append(dst, ' '), key...), '=')
	return append(dst, extensionEscapes.Replace(withoutControls(value))...)
}

// oneLine is text for a header, which holds no line breaks.
func oneLine(text string) string {
	return withoutControls(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(text))
}

// withoutControls replaces the control characters that CEF has no escapes for.
func withoutControls(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\r' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
