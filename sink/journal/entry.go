package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
)

// ErrMalformed is what ParseLine returns, wrapped, for a line that is not a whole entry in the journal's own layout.
var ErrMalformed = errors.New("not a journal entry")

// Entry is one line taken apart. Its slices are valid until the next Next of whatever made it.
type Entry struct {
	Line    []byte         // the whole line without its newline
	Millis  int64          // receipt, Unix milliseconds
	Source  netip.AddrPort // who sent it
	Message []byte         // the JSON object, valid JSON without white space between tokens
	Path    string         // file that holds the line; "" where ParseLine was called directly
	Number  int64          // line of that file, from 1; 0 if reading began in the middle of the file
	Offset  int64          // byte offset of the line in the file, after decompression

	datetime []byte // the text of the field
}

// The fixed texts of a line, between which its values stand.
const (
	openTimestamp  = `{"timestamp":`
	openDatetime   = `,"datetime":"`
	openSourceIP   = `","source_ip":"`
	openSourcePort = `","source_port":`
	openMessage    = `,"message":`
)

// DatetimeLayout is the form of an entry's datetime, for package time: it has no zone.
const DatetimeLayout = "2006-01-02T15:04:05"

// ParseLine takes one line apart, without its newline. A line as the journal writes it is taken apart quickly; one that
// another program has rewritten is taken too, if it still is an entry. Any other line gives an error that wraps
// ErrMalformed and says where it departs from what the journal writes.
func ParseLine(line []byte) (Entry, error) {
	e, err := parseLayout(line)
	if err == nil && isObject(e.Message) {
		return e, nil
	}
	if e, ok := parseRewritten(line); ok {
		return e, nil
	}
	if err == nil {
		err = errMessage
	}
	return Entry{}, err
}

// parseLayout is ParseLine without the look into the message.
func parseLayout(line []byte) (Entry, error) {
	e := Entry{Line: line}
	var rest []byte
	var ok bool
	if e.Millis, rest, ok = cutTimestamp(line); !ok {
		return Entry{}, malformed("no timestamp at its start")
	}
	if e.datetime, rest, ok = cutDatetime(rest); !ok {
		return Entry{}, malformed("no datetime after the timestamp")
	}
	if e.Source, rest, ok = cutSource(rest); !ok {
		return Entry{}, malformed("no source_ip and source_port after the datetime")
	}
	if e.Message, ok = cutMessage(rest); !ok {
		return Entry{}, malformed("no message object at its end")
	}
	return e, nil
}

var errMessage = malformed("message is not valid JSON")

func malformed(why string) error {
	return fmt.Errorf("%w: %s", ErrMalformed, why)
}

// LineTime returns the time of a line, Unix milliseconds, from its first bytes; false: it does not begin like an entry.
func LineTime(line []byte) (millis int64, ok bool) {
	if millis, _, ok = cutTimestamp(line); ok {
		return millis, true
	}
	return rewrittenTime(line)
}

// MaxTimePrefix is how many bytes of a line LineTime looks at, at the most.
const MaxTimePrefix = 64

// Clone returns the entry with memory of its own.
func (e *Entry) Clone() Entry {
	c := *e
	c.Line, c.Message, c.datetime = bytes.Clone(e.Line), bytes.Clone(e.Message), bytes.Clone(e.datetime)
	return c
}

// Datetime returns the text of the entry's datetime.
func (e *Entry) Datetime() string {
	return string(e.datetime)
}

// cutTimestamp reads `{"timestamp":<seconds>.<three digits>` and returns it in milliseconds.
func cutTimestamp(line []byte) (millis int64, rest []byte, ok bool) {
	if len(line) < len(openTimestamp) || string(line[:len(openTimestamp)]) != openTimestamp {
		return 0, nil, false
	}
	rest = line[len(openTimestamp):]
	negative := len(rest) > 0 && rest[0] == '-'
	if negative {
		rest = rest[1:]
	}
	seconds, rest, ok := cutDigits(rest)
	if !ok || len(rest) < 4 || rest[0] != '.' {
		return 0, nil, false
	}
	fraction, after, _ := cutDigits(rest[1:4])
	if len(after) > 0 {
		return 0, nil, false
	}
	millis = seconds*1000 + fraction
	if negative {
		millis = -millis
	}
	return millis, rest[4:], true
}

// cutDatetime reads `,"datetime":"2006-01-02T15:04:05` by its shape; that it is the timestamp's instant is for Verify.
func cutDatetime(b []byte) (datetime, rest []byte, ok bool) {
	b, ok = cutPrefix(b, openDatetime)
	if !ok || len(b) < len(DatetimeLayout) || !isDatetime(b[:len(DatetimeLayout)]) {
		return nil, nil, false
	}
	return b[:len(DatetimeLayout)], b[len(DatetimeLayout):], true
}

// isDatetime reports whether b, which is as long as DatetimeLayout, has digits where that has them, and else its signs.
func isDatetime(b []byte) bool {
	for i := range len(DatetimeLayout) {
		want := DatetimeLayout[i]
		if digit := b[i]-'0' <= 9; digit != (want-'0' <= 9) || !digit && b[i] != want {
			return false
		}
	}
	return true
}

// cutSource reads `","source_ip":"<address>","source_port":<port>`.
func cutSource(b []byte) (from netip.AddrPort, rest []byte, ok bool) {
	b, ok = cutPrefix(b, openSourceIP)
	if !ok {
		return from, nil, false
	}
	quote := bytes.IndexByte(b, '"')
	if quote < 0 {
		return from, nil, false
	}
	addr, ok := parseAddr(b[:quote])
	if !ok {
		return from, nil, false
	}
	b, ok = cutPrefix(b[quote:], openSourcePort)
	if !ok {
		return from, nil, false
	}
	port, rest, ok := cutDigits(b)
	return addrPort(addr, port), rest, ok && port <= math.MaxUint16
}

func addrPort(addr netip.Addr, port int64) netip.AddrPort {
	return netip.AddrPortFrom(addr, uint16(port))
}

// parseAddr is netip.ParseAddr, but for IPv4 without an allocation.
func parseAddr(b []byte) (netip.Addr, bool) {
	var ip [4]byte
	rest := b
	for i := range ip {
		n, after, ok := cutDigits(rest)
		width := len(rest) - len(after)
		if !ok || n > math.MaxUint8 || width > 1 && rest[0] == '0' {
			break
		}
		ip[i] = byte(n)
		if i == len(ip)-1 && len(after) == 0 {
			return netip.AddrFrom4(ip), true
		}
		if len(after) == 0 || after[0] != '.' {
			break
		}
		rest = after[1:]
	}
	addr, err := netip.ParseAddr(string(b))
	return addr, err == nil
}

// cutMessage reads `,"message":{...}}` to the end of the line.
func cutMessage(b []byte) (message []byte, ok bool) {
	b, ok = cutPrefix(b, openMessage)
	if !ok || len(b) < 3 || b[0] != '{' || b[len(b)-1] != '}' {
		return nil, false
	}
	return b[:len(b)-1], true
}

func cutPrefix(b []byte, prefix string) (rest []byte, ok bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return nil, false
	}
	return b[len(prefix):], true
}
