package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"hbjournal/sink/journal"
)

// ErrTooLarge is wrapped by the reasons of messages that are, or inflate to, more than MaxMessageBytes.
var ErrTooLarge = errors.New("larger than max_message_size")

// keptScratch is the largest scratch buffer that is kept for the next datagram: what a storm of the largest datagrams and
// of default MaxMessageBytes needs, since it would otherwise be a storm of garbage too. There are a few for each socket.
const keptScratch = 2 << 20

// Decoder turns datagrams into messages: JSON objects without white space between their tokens. It is for one
// goroutine, and takes time and memory in proportion to the datagram, or to MaxMessageBytes if that is compressed.
type Decoder struct {
	MaxMessageBytes int // after inflating; 0: 1 MiB

	compact  []byte // scratch of Compact
	repaired []byte // scratch of the repair of what is not UTF-8, or no JSON number
	wrapped  []byte // scratch of the wrappings
	inflated bytes.Buffer
	limited  io.LimitedReader
	source   bytes.Reader
	zlib     io.ReadCloser
	gzip     *gzip.Reader
}

// Message is what became of a datagram.
type Message struct {
	JSON     []byte // a JSON object on one line; valid until the next Decode
	Invalid  error  // why the datagram is no JSON object, and so was wrapped into one; nil: it is one
	Wrapped  bool   // the datagram stands in JSON as _value, _raw or _raw_base64
	Repaired bool   // bytes that were not UTF-8 have been replaced by U+FFFD
}

// Decode never fails: what is not a JSON object is wrapped into one, and so is an object that could be taken for one of
// the journal's own. In an object with numbers that JSON does not have, they become null, and the text is kept beside.
//
//	an array or scalar      {"_value": ...}
//	an object with a mark   {"_value": {...}, "_error": "reserved"}
//	NaN, Infinity           {..., "x": null, "_raw": "...", "_error": "..."}
//	other text              {"_raw": "...", "_error": "..."}
//	other bytes             {"_raw_base64": "...", "_error": "..."}
//
// Padding is none of it: zero bytes behind the text, as C programs send their whole buffer, and a byte order mark.
func (d *Decoder) Decode(datagram []byte) Message {
	text, err := d.inflate(datagram)
	switch {
	case errors.Is(err, ErrTooLarge):
		return d.wrapBytes(datagram, err)
	case err != nil:
		// Few bytes of text look like a compressed header too. What they turn out to be is said of the plain bytes.
		if m := d.decodeText(datagram); m.Invalid == nil {
			return m
		}
		return d.wrapBytes(datagram, err)
	}
	return d.decodeText(text)
}

func (d *Decoder) decodeText(datagram []byte) Message {
	text := withoutPadding(datagram)
	value, err := d.compacted(text)
	repaired := err != nil && errors.Is(err, journal.ErrNotUTF8)
	if repaired {
		d.repaired = journal.AppendRepaired(kept(d.repaired), text)
		text = d.repaired
		value, err = d.compacted(text)
	}
	switch {
	case err != nil:
		if m, ok := d.withoutNaN(text); ok {
			m.Repaired = repaired
			return m
		}
		return d.wrapBytes(datagram, err)
	case value[0] != '{':
		m := d.wrapValue(value)
		m.Repaired = repaired
		return m
	case journal.IsReserved(value):
		d.wrapped = journal.AppendReserved(kept(d.wrapped), value)
		return Message{JSON: d.wrapped, Wrapped: true, Repaired: repaired}
	}
	return Message{JSON: value, Repaired: repaired}
}

// withoutPadding takes off a byte order mark, and zero bytes at the end with the white space between them.
func withoutPadding(text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if n := len(text); n > 0 && (text[n-1] == 0 || bytes.IndexByte(text[max(0, n-4):], 0) >= 0) {
		return bytes.TrimRight(text, "\x00 \t\r\n")
	}
	return text
}

// compacted is text without white space between its tokens, if it is JSON.
func (d *Decoder) compacted(text []byte) ([]byte, error) {
	d.compact = slices.Grow(kept(d.compact), len(text)) // Compact never needs more.
	return journal.Compact(d.compact, text)
}

// kept empties a scratch buffer for its next use, or lets go of it if one big message made it grow.
func kept(scratch []byte) []byte {
	if cap(scratch) > keptScratch {
		return nil
	}
	return scratch[:0]
}

// inflate returns the datagram itself if it does not look compressed. The result is valid until the next call.
func (d *Decoder) inflate(datagram []byte) ([]byte, error) {
	limit := d.MaxMessageBytes
	if limit == 0 {
		limit = 1 << 20
	}
	var stream io.Reader
	var err error
	switch {
	case isZlib(datagram):
		d.source.Reset(datagram)
		stream, err = d.openZlib()
	case isGzip(datagram):
		return d.gunzip(datagram, limit)
	case len(datagram) > limit:
		return nil, tooLarge(limit)
	default:
		return datagram, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	return d.readAll(stream, limit)
}

// isZlib: RFC 1950, section 2.2.
func isZlib(b []byte) bool {
	return len(b) >= 2 && b[0]&0x0f == 8 && (int(b[0])<<8+int(b[1]))%31 == 0
}

// isGzip: RFC 1952, section 2.3.1.
func isGzip(b []byte) bool { return len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b }

func (d *Decoder) openZlib() (io.Reader, error) {
	if d.zlib == nil {
		stream, err := zlib.NewReader(&d.source)
		if err == nil {
			d.zlib = stream
		}
		return stream, err
	}
	return d.zlib, d.zlib.(zlib.Resetter).Reset(&d.source, nil)
}

func (d *Decoder) openGzip() (io.Reader, error) {
	if d.gzip == nil {
		d.gzip = new(gzip.Reader)
	}
	return d.gzip, d.gzip.Reset(&d.source)
}

// gunzip inflates gzip, of which several members may follow each other. Padding would be taken for a broken one of them, so
// the first is tried alone then.
func (d *Decoder) gunzip(datagram []byte, limit int) (text []byte, err error) {
	for _, several := range []bool{true, false} {
		d.source.Reset(datagram)
		stream, openErr := d.openGzip()
		if openErr != nil {
			return nil, fmt.Errorf("inflate: %w", openErr)
		}
		d.gzip.Multistream(several)
		var readErr error
		if text, readErr = d.readAll(stream, limit); readErr == nil || errors.Is(readErr, ErrTooLarge) {
			return text, readErr
		}
		if err == nil {
			err = readErr
		}
	}
	return nil, err
}

// readAll reads one compressed stream to its end, checksum included, but no further than a byte past the limit.
func (d *Decoder) readAll(stream io.Reader, limit int) ([]byte, error) {
	if d.inflated.Cap() > keptScratch {
		d.inflated = bytes.Buffer{}
	}
	d.inflated.Reset()
	d.limited = io.LimitedReader{R: stream, N: int64(limit) + 1}
	n, err := d.inflated.ReadFrom(&d.limited)
	switch {
	case n > int64(limit):
		return nil, tooLarge(limit)
	case err != nil:
		return nil, fmt.Errorf("inflate: %w", err)
	case d.source.Len() > 0 && !d.onlyPadding():
		return nil, fmt.Errorf("inflate: %d bytes after the end of the compressed data", d.source.Len())
	}
	return d.inflated.Bytes(), nil
}

// onlyPadding reports whether zero bytes alone follow the compressed data.
func (d *Decoder) onlyPadding() bool {
	unread := d.source.Len()
	for range unread {
		if b, err := d.source.ReadByte(); err != nil || b != 0 {
			_, _ = d.source.Seek(-int64(unread), io.SeekEnd) // Within the datagram, so it does not fail.
			return false
		}
	}
	return true
}

func tooLarge(limit int) error { return fmt.Errorf("%w=%d", ErrTooLarge, limit) }

var errNotObject = errors.New("not a JSON object")

// wrapValue makes an object of a JSON array or scalar.
func (d *Decoder) wrapValue(value []byte) Message {
	d.wrapped = journal.AppendValue(kept(d.wrapped), value)
	return Message{JSON: d.wrapped, Invalid: errNotObject, Wrapped: true}
}

// wrapBytes makes an object of bytes that are no JSON, so that they can be had back exactly as they came.
func (d *Decoder) wrapBytes(b []byte, why error) Message {
	if len(b) == 0 {
		why = errors.New("empty datagram")
	}
	d.wrapped = journal.AppendRaw(kept(d.wrapped), b, why)
	return Message{JSON: d.wrapped, Invalid: why, Wrapped: true}
}
