package journal

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// Encoder makes the lines of a journal, with zerolog. It is for one goroutine; it keeps the text of the last instant,
// since the datagrams of one batch share it.
type Encoder struct {
	location *time.Location
	line     lineBuffer
	log      zerolog.Logger // writes to line

	millis    int64
	timestamp []byte // of millis: Unix seconds with three decimals
	datetime  []byte // of millis: the quoted 2006-01-02T15:04:05 in location
	source    []byte // scratch: the quoted address
}

// lineBuffer takes what zerolog writes. A logger's own writer would swallow the errors of a file, so no file is ever
// given to one.
type lineBuffer struct{ dst []byte }

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.dst = append(b.dst, p...)
	return len(p), nil
}

// NewEncoder returns an Encoder whose datetime field is in location; nil: UTC.
func NewEncoder(location *time.Location) *Encoder {
	if location == nil {
		location = time.UTC
	}
	e := &Encoder{location: location}
	e.log = zerolog.New(&e.line)
	e.setTime(time.Unix(0, 0))
	return e
}

// AppendLine appends the line of one message, with its newline, to dst. The message must be a valid JSON object without
// white space between its tokens, as Compact makes it. The source address is unmapped: no ::ffff: before an IPv4 one.
func (e *Encoder) AppendLine(dst []byte, at time.Time, from netip.AddrPort, message []byte) []byte {
	if at.UnixMilli() != e.millis {
		e.setTime(at)
	}
	e.source = appendSource(e.source[:0], from.Addr().Unmap())
	e.line.dst = dst
	e.log.Log().
		RawJSON("timestamp", e.timestamp).
		RawJSON("datetime", e.datetime).
		RawJSON("source_ip", e.source).
		Uint16("source_port", from.Port()).
		RawJSON("message", message).
		Send()
	dst, e.line.dst = e.line.dst, nil
	return dst
}

func (e *Encoder) setTime(at time.Time) {
	e.millis = at.UnixMilli()
	e.timestamp = AppendSeconds(e.timestamp[:0], e.millis)
	e.datetime = append(e.datetime[:0], '"')
	e.datetime = time.UnixMilli(e.millis).In(e.location).AppendFormat(e.datetime, "2006-01-02T15:04:05")
	e.datetime = append(e.datetime, '"')
}

// appendSource appends addr as a JSON string. A zone (fe80::1%eth0) may hold any byte but needs no care here: the
// kernel gives it as a number.
func appendSource(dst []byte, addr netip.Addr) []byte {
	dst = append(dst, '"')
	dst = addr.AppendTo(dst)
	return append(dst, '"')
}

// AppendSeconds appends Unix milliseconds as seconds with exactly three decimals. It works on integers, since floating
// point would not keep the last digit.
func AppendSeconds(dst []byte, millis int64) []byte {
	if millis < 0 {
		dst = append(dst, '-')
		millis = -millis
	}
	dst = strconv.AppendInt(dst, millis/1000, 10)
	rest := millis % 1000
	return append(dst, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}
