package output

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"

	"hbjournal/sink/forward"
)

// schemeHTTP posts the lines as they are, one request a batch. What the receiver answered with 2xx it holds. The headers say
// where the lines stand, so that a receiver of one's own can take each batch once.
func schemeHTTP() scheme {
	return scheme{names: []string{"http", "https"}, make: func(t *Target, o *options) func(Identity) (forward.Output, error) {
		port := "80"
		if t.Scheme == "https" {
			port = "443"
		}
		settings := o.web(t, port)
		h := httpOutput{
			method: o.choice("method", http.MethodPost, http.MethodPost, http.MethodPut),
			array:  o.choice("content_type", "ndjson", "ndjson", "json") == "json",
			path:   escaped(t.Path),
		}
		return func(who Identity) (forward.Output, error) {
			opened := h
			opened.web, opened.receiver = newWeb(settings), who.Receiver
			return &opened, nil
		}
	}}
}

type httpOutput struct {
	*web
	receiver string
	method   string
	path     string
	array    bool // one JSON array a request, not lines
	buf      []byte
}

// Send implements forward.Output.
func (h *httpOutput) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	body, kind := b.Text(), "application/x-ndjson"
	if h.array {
		body, kind = h.asArray(b), "application/json"
	}
	header := http.Header{
		"Content-Type": {kind},
		"Hbj-Journal":  {b.Journal}, "Hbj-Receiver": {h.receiver}, "Hbj-From": {b.From.String()}, "Hbj-To": {b.To.String()},
		"Hbj-N": {strconv.FormatInt(b.Number, 10)}, "Hbj-Lines": {strconv.Itoa(b.Len())},
		// In small letters, since package http would by itself repeat a request that has it, and what is repeated is the loop's affair.
		"idempotency-key": {b.ID(0)},
	}
	answer, err := h.do(ctx, call{method: h.method, path: h.path, header: header, body: body})
	if err == nil && !answer.ok() {
		err = answer.refusal()
	}
	if err != nil {
		return forward.Receipt{}, err
	}
	return forward.Receipt{Acked: b.Len()}, nil
}

// asArray is the lines as one JSON array.
func (h *httpOutput) asArray(b *forward.Batch) []byte {
	h.buf = append(h.buf[:0], '[')
	h.buf = append(h.buf, bytes.ReplaceAll(bytes.TrimSuffix(b.Text(), []byte{'\n'}), []byte{'\n'}, []byte(",\n"))...)
	h.buf = append(h.buf, ']')
	return h.buf
}

// Check implements forward.Checker. A receiver that does not know the method HEAD has said enough.
func (h *httpOutput) Check(ctx context.Context) error {
	answer, err := h.do(ctx, call{method: http.MethodHead, path: h.path})
	switch answer.status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusBadRequest:
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask %s: %w", h.Host, err)
	}
	return nil
}
