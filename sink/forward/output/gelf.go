package output

import (
	"crypto/rand"
	"strings"

	"hbjournal/sink/forward"
)

// newGELF makes outputs of GELF 1.1 over UDP, with chunks, and over TCP and TLS, where a NUL ends each message.
func newGELF(t *Target, o *options) func(Identity) (forward.Output, error) {
	m := o.formed("gelf")
	var out forward.Output
	switch _, transport, _ := strings.Cut(t.Scheme, "+"); transport {
	case "udp":
		c := &chunks{maker: m, size: o.number("chunk", 1420), compress: o.choice("compress", "gzip", "gzip", "none")}
		if c.size <= chunkHead || c.size > maxDatagram {
			o.wrong("chunk", "from 13 to 65507 bytes; 1420 passes everywhere, 8192 is what Graylog takes")
		}
		out = o.datagrams(t, c)
	default:
		out = o.stream(t, byNUL, transport == "tls", m)
	}
	return func(Identity) (forward.Output, error) { return out, nil }
}

// The measures of chunked GELF: two magic bytes, an id of eight, the number of the chunk and of all chunks.
const (
	chunkHead = 12
	maxChunks = 128
)

// chunks sends each message as one datagram if it fits, else in chunks.
type chunks struct {
	maker
	size     int // bytes of a datagram
	compress string

	squeeze squeezer
	packet  []byte
}

func (c *chunks) pack(b *forward.Batch, i int, send func([]byte) error) (*unfit, error) {
	message, no := c.message(b, i)
	if no != nil {
		return no, nil
	}
	message, _, err := c.squeeze.squeeze(c.compress, message)
	if err != nil {
		return nil, err
	}
	if len(message) <= c.size {
		return nil, send(message)
	}
	room := c.size - chunkHead
	n := (len(message) + room - 1) / room
	if n > maxChunks {
		return exceeds(len(message), maxChunks*room, "128 chunks; chunk"), nil
	}
	var id [8]byte
	rand.Read(id[:]) // never fails
	for k := range n {
		c.packet = append(append(append(c.packet[:0], 0x1e, 0x0f), id[:]...), byte(k), byte(n))
		c.packet = append(c.packet, message[k*room:min((k+1)*room, len(message))]...)
		if err := send(c.packet); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
