package journal

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// Encoder makes the lines of a journal, with zerolog. It is for one goroutine; it keeps the text of the last instant,
// since the datagrams of one batch share it. The fields before the message are given to zerolog as one: it is called for
// every datagram, and each field takes its time.
type Encoder struct {
	location *time.Location
	line     lineBuffer
	log      zerolog.Logger // writes to line

	millis   int64
	time     []byte // of millis: the value of timestamp, and the field datetime after it
	envelope []byte // scratch: time, and the fields of the source after it
}

// lineBuffer takes what zerolog writes. A logger's own writer would swallow the errors of a file, so no file is ever
// given to one.
type lineBuffer struct{ dst []byte }

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.dst = append(b.dst, p...)
	return len(p), nil
}

// WriteLevel is Write, for which zerolog would need an adapter.
func (b *lineBuffer) WriteLevel(_ zerolog.Level, p []byte) (int, error) { return b.Write(p) }

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
	e.envelope = append(e.envelope[:0], e.time...)
	e.envelope = appendSource(e.envelope, from)
	e.line.dst = dst
	e.log.Log().
		RawJSON("timestamp", e.envelope).
		RawJSON("message", message).
		Send()
	dst, e.line.dst = e.line.dst, nil
	return dst
}

func (e *Encoder) setTime(at time.Time) {
	e.millis = at.UnixMilli()
	e.time = AppendSeconds(e.time[:0], e.millis)
	e.time = append(e.time, `,"datetime":"`...)
	e.time = time.UnixMilli(e.millis).In(e.location).AppendFormat(e.time, "2006-01-02T15:04:05")
	e.time = append(e.time, '"')
}

// appendSource appends the fields of the source behind others. A zone (fe80::1%eth0) may hold any byte but needs no care
// here: the kernel gives it as a number.
func appendSource(dst []byte, from netip.AddrPort) []byte {
	dst = append(dst, `,"source_ip":"`...)
	dst = from.Addr().Unmap().AppendTo(dst)
	dst = append(dst, `","source_port":`...)
	return strconv.AppendUint(dst, uint64(from.Port()), 10)
}
