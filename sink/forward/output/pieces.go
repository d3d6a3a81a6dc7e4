package output

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"

	"hbjournal/sink/forward"
)

// A piece is as much of a batch as goes into one request: what is made of it lies in memory whole, and its answer too.
const (
	pieceBytes = 512 << 10
	pieceLines = 4096
)

// pieceFrom is the piece of a batch that begins with the line from.
func pieceFrom(b *forward.Batch, from int) *forward.Batch {
	to, size := from, 0
	for to < b.Len() && to-from < pieceLines {
		size += len(b.Line(to)) + 1
		if size > pieceBytes && to > from {
			break
		}
		to++
	}
	return b.Slice(from, to)
}

// bodies are those of the pieces of a batch: while one is on its way, the next one is made.
type bodies struct {
	one  appender
	turn [2]made
}

// post hands a made piece over. What it says of the lines of the piece is said of those of the batch. It does not append.
type post func(context.Context, *made) (forward.Receipt, error)

// send hands a batch over piece by piece.
func (p *bodies) send(ctx context.Context, b *forward.Batch, hand post) (forward.Receipt, error) {
	var all forward.Receipt
	now, next := &p.turn[0], &p.turn[1]
	now.make(pieceFrom(b, 0), p.one)
	for {
		from := all.Acked
		end := from + now.of.Len()
		r, err := p.meanwhile(ctx, now, hand, func() { next.make(pieceFrom(b, end), p.one) })
		add(&all, from, r)
		switch {
		case err != nil || all.Acked == b.Len():
			return all, err
		case all.Acked == end:
			now, next = next, now
		default:
			now.make(pieceFrom(b, all.Acked), p.one)
		}
	}
}

// meanwhile hands a piece over while the next one is made. A fault in that is one of the goroutine that sends.
func (p *bodies) meanwhile(ctx context.Context, now *made, hand post, next func()) (forward.Receipt, error) {
	var making sync.WaitGroup
	var fault any
	making.Go(func() {
		defer func() {
			if fault = recover(); fault != nil {
				fault = fmt.Sprintf("%v\n%s", fault, debug.Stack())
			}
		}()
		next()
	})
	defer func() {
		if making.Wait(); fault != nil {
			panic(fault)
		}
	}()
	if len(now.lines) == 0 {
		return now.all(), nil
	}
	return hand(ctx, now)
}

// add adds what became of the lines from from on.
func add(all *forward.Receipt, from int, r forward.Receipt) {
	all.Acked += r.Acked
	all.Duplicates += r.Duplicates
	for _, refused := range r.Refused {
		refused.Line += from
		all.Refused = append(all.Refused, refused)
	}
	for _, unnamed := range r.Unnamed {
		unnamed.From += from
		unnamed.To += from
		all.Unnamed = append(all.Unnamed, unnamed)
	}
}

// A made body is that of one piece, with the lines that are in it: those that could not be are refused already.
type made struct {
	of      *forward.Batch // the piece
	text    []byte
	lines   []int // index in the piece of each line in text
	ends    []int // where it ends in text
	refused []forward.Refused
}

// appender appends what is sent of the i-th line of a piece, or says why it cannot be.
type appender func(dst []byte, b *forward.Batch, i int) ([]byte, *unfit)

// make makes the body of a piece.
func (m *made) make(b *forward.Batch, one appender) {
	if cap(m.text) > 4*pieceBytes {
		m.text = nil
	}
	m.of, m.text, m.lines, m.ends, m.refused = b, m.text[:0], m.lines[:0], m.ends[:0], nil
	for i := range b.Len() {
		text, no := one(m.text, b, i)
		if no != nil {
			m.refused = append(m.refused, no.refused(i))
			continue
		}
		m.text, m.lines, m.ends = text, append(m.lines, i), append(m.ends, len(text))
	}
}

// before is the body without its lines from the n-th on, n at least 1, and of the piece what stands before that line.
func (m *made) before(n int) *made {
	line := m.lines[n]
	return &made{
		of: m.of.Slice(0, line), text: m.text[:m.ends[n-1]], lines: m.lines[:n], ends: m.ends[:n], refused: inOrder(m.refused, nil, line),
	}
}

// all is the receipt of a piece of which the receiver took all.
func (m *made) all() forward.Receipt {
	return forward.Receipt{Acked: m.of.Len(), Refused: m.refused}
}

// posting is an output that posts a body a piece, and takes 2xx for all of it.
type posting struct {
	*web
	path   string
	header http.Header
	bodies
}

// Send implements forward.Output.
func (p *posting) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	return p.send(ctx, b, p.piece)
}

func (p *posting) piece(ctx context.Context, m *made) (forward.Receipt, error) {
	a, err := p.do(ctx, call{path: p.path, header: p.header, body: m.text})
	if err == nil && !a.ok() {
		err = a.refusal()
	}
	if err != nil {
		return forward.Receipt{}, err
	}
	return m.all(), nil
}

// check asks for a page that shows whether the receiver is there and takes the login. Only what says that it is not, or does
// not, is an error.
func (w *web) check(ctx context.Context, path string) error {
	a, err := w.do(ctx, call{method: http.MethodGet, path: path})
	switch a.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusBadRequest:
		return nil
	}
	return err
}
