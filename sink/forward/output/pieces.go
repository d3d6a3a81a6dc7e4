package output

import (
	"context"
	"net/http"

	"hbjournal/sink/forward"
)

// A piece is as much of a batch as goes into one request: what is made of it lies in memory whole, and its answer too.
const (
	pieceBytes = 512 << 10
	pieceLines = 4096
)

// inPieces hands a batch over piece by piece. What post says of the lines of its piece is said of those of the batch.
func inPieces(ctx context.Context, b *forward.Batch, post func(context.Context, *forward.Batch) (forward.Receipt, error)) (forward.Receipt, error) {
	var all forward.Receipt
	for all.Acked < b.Len() {
		from, to, size := all.Acked, all.Acked, 0
		for to < b.Len() && to-from < pieceLines {
			size += len(b.Line(to)) + 1
			if size > pieceBytes && to > from {
				break
			}
			to++
		}
		r, err := post(ctx, b.Slice(from, to))
		add(&all, from, r)
		if err != nil {
			return all, err
		}
	}
	return all, nil
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
	text    []byte
	lines   []int // index in the piece of each line in text
	refused []forward.Refused
}

// appender appends what is sent of the i-th line of a piece, or says why it cannot be.
type appender func(dst []byte, b *forward.Batch, i int) ([]byte, *unfit)

// make makes the body of a piece.
func (m *made) make(b *forward.Batch, one appender) {
	if cap(m.text) > 4*pieceBytes {
		m.text = nil
	}
	m.text, m.lines, m.refused = m.text[:0], m.lines[:0], nil
	for i := range b.Len() {
		text, no := one(m.text, b, i)
		if no != nil {
			m.refused = append(m.refused, no.refused(i))
			continue
		}
		m.text, m.lines = text, append(m.lines, i)
	}
}

// all is the receipt of a piece of which the receiver took all.
func (m *made) all(b *forward.Batch) forward.Receipt {
	return forward.Receipt{Acked: b.Len(), Refused: m.refused}
}

// posting is an output that posts a body a piece, and takes 2xx for all of it.
type posting struct {
	*web
	path   string
	header http.Header
	one    appender
	body   made
}

// Send implements forward.Output.
func (p *posting) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	return inPieces(ctx, b, p.piece)
}

func (p *posting) piece(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	p.body.make(b, p.one)
	if len(p.body.lines) == 0 {
		return p.body.all(b), nil
	}
	a, err := p.do(ctx, call{path: p.path, header: p.header, body: p.body.text})
	if err == nil && !a.ok() {
		err = a.refusal()
	}
	if err != nil {
		return forward.Receipt{}, err
	}
	return p.body.all(b), nil
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
