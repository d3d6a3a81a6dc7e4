package output

import (
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/format"
)

// newGELF makes outputs of GELF 1.1: over UDP, with chunks; over TCP and TLS, where a NUL ends each message; and over HTTP.
func newGELF(t *Target, o *options) func(Identity) (forward.Output, error) {
	form, err := format.New("gelf", format.Options{Bare: o.choice("fields", "flat", "flat", "none") == "none"})
	if err != nil {
		o.fault("%w", err)
	}
	m := &formed{form: form}
	_, transport, _ := strings.Cut(t.Scheme, "+")
	switch transport {
	case "udp":
		c := &chunks{maker: m, size: o.number("chunk", 1420), compress: o.choice("compress", "gzip", "gzip", "none")}
		if c.size <= chunkHead || c.size > maxDatagram {
			o.wrong("chunk", "from 13 to 65507 bytes; 1420 passes everywhere, 8192 is what Graylog takes")
		}
		out := o.datagrams(t, c)
		return func(Identity) (forward.Output, error) { return out, nil }
	case "http", "https":
		return o.gelfHTTP(t, m)
	}
	out := o.stream(t, byNUL, transport == "tls", m)
	return func(Identity) (forward.Output, error) { return out, nil }
}

func (o *options) gelfHTTP(t *Target, m *formed) func(Identity) (forward.Output, error) {
	settings := o.web(t, t.port)
	bulk := o.flag("bulk")
	if t.Path == "/" {
		t.Path = "/gelf"
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return func(Identity) (forward.Output, error) {
		p := posting{web: newWeb(settings), path: escaped(t.Path), header: header}
		if bulk {
			p.bodies.one = m.appender("\n")
			return &p, nil
		}
		return &gelfHTTP{posting: p, maker: m}, nil
	}
}

// gelfHTTP posts each message by itself, as Graylog takes it unless its input has bulk receiving enabled.
type gelfHTTP struct {
	posting
	maker maker
}

// Send implements forward.Output.
func (g *gelfHTTP) Send(ctx context.Context, b *forward.Batch) (r forward.Receipt, err error) {
	for i := range b.Len() {
		message, no := g.maker.message(b, i)
		if no == nil {
			a, err := g.do(ctx, call{path: g.path, header: g.header, body: message})
			switch {
			case err != nil:
				return r, err
			case !a.ok():
				no = &unfit{strconv.Itoa(a.status), a.reason()}
			}
		}
		if no != nil {
			r.Refused = append(r.Refused, no.refused(i))
		}
		r.Acked++
	}
	return r, nil
}

// Check implements forward.Checker. An input has nothing to ask for: that it answers is all that can be found out.
func (p *posting) Check(ctx context.Context) error { return p.check(ctx, p.path) }

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
