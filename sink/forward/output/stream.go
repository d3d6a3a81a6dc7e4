package output

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"hbjournal/sink/forward"
)

// A byteStream hands messages over on a connection whose receiver answers nothing, TCP or TLS.
//
// What a write took is in the kernel here, no more. With confirm=close a batch is confirmed so: the connection is closed
// for writing, and the receiver, which then reads an end of file behind all messages, closes it too. One whose process
// ended before it had read all gives a reset, or leaves bytes unacknowledged. What it does with what it has read is its own.
type byteStream struct {
	connection
	address string
	secure  bool
	frame   framing
	confirm string // close, outq or none
	maker   maker

	conn net.Conn // nil: none
	raw  *net.TCPConn
	heard
	since time.Time
	text  []byte
}

// heard is what a receiver that should be silent let hear.
type heard struct {
	ended chan struct{} // closed when reading has ended
	err   error         // io.EOF: the receiver closed; valid once ended is closed
}

// framing is how the end of a message is found in a stream.
type framing string

// The framings.
const (
	octetCounting framing = "octet" // RFC 6587 3.4.1, RFC 5425 4.3
	byLine        framing = "lf"
	byNUL         framing = "nul"
)

// append appends a message in its frame; false: it holds what would end the frame.
func (f framing) append(dst, message []byte) ([]byte, bool) {
	var end byte
	switch f {
	case octetCounting:
		dst = append(strconv.AppendInt(dst, int64(len(message)), 10), ' ')
		return append(dst, message...), true
	case byLine:
		end = '\n'
	}
	for _, c := range message {
		if c == end {
			return dst, false
		}
	}
	return append(append(dst, message...), end), true
}

// The ways in which a stream is confirmed.
const (
	confirmClose = "close"
	confirmOutq  = "outq"
	confirmNone  = "none"
)

// stream asks for the options of outputs over TCP and TLS.
func (o *options) stream(t *Target, frame framing, secure bool, m maker) *byteStream {
	s := &byteStream{secure: secure, frame: frame, maker: m}
	s.confirm = o.choice("confirm", confirmClose, confirmClose, confirmOutq, confirmNone)
	o.times(&s.connection)
	if secure {
		o.certificates(t, &s.connection)
	}
	s.address = t.host(o)
	t.noPath(o)
	return s
}

// Send implements forward.Output.
func (s *byteStream) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	if err := s.open(ctx); err != nil {
		return forward.Receipt{}, err
	}
	raw := s.raw
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	refused, err := s.write(b)
	if err == nil {
		err = s.confirmed(ctx)
	}
	if !stop() || err != nil || s.confirm == confirmClose {
		s.drop()
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return forward.Receipt{}, ambiguous("send: %w", context.Cause(ctx))
	case err != nil:
		return forward.Receipt{}, err
	}
	return forward.Receipt{Acked: b.Len(), Refused: refused}, nil
}

// write writes all messages of a batch.
func (s *byteStream) write(b *forward.Batch) (refused []forward.Refused, err error) {
	w := bufio.NewWriterSize(limited{s}, 64<<10)
	for i := range b.Len() {
		message, no := s.maker.message(b, i)
		if no == nil {
			var whole bool
			if s.text, whole = s.frame.append(s.text[:0], message); !whole {
				no = &unfit{"unframable", "it holds the byte that ends a message in this framing"}
			}
		}
		if no != nil {
			refused = append(refused, no.refused(i))
			continue
		}
		if _, err := w.Write(s.text); err != nil {
			return nil, s.because(err)
		}
	}
	if cap(s.text) > keptMemory {
		s.text = nil
	}
	if err := w.Flush(); err != nil {
		return nil, s.because(err)
	}
	return refused, nil
}

// keptMemory is the most that is kept of what one huge line took.
const keptMemory = 1 << 20

// limited gives each write its time.
type limited struct{ s *byteStream }

func (l limited) Write(p []byte) (int, error) {
	if err := l.s.conn.SetWriteDeadline(l.s.deadline()); err != nil {
		return 0, err
	}
	return l.s.conn.Write(p)
}

// because is the error of a write: what was read meanwhile says more, such as that a certificate was refused.
func (s *byteStream) because(err error) error {
	select {
	case <-s.ended:
		if s.err != nil && s.err != io.EOF && !errors.Is(s.err, net.ErrClosed) {
			return trouble("send", s.err)
		}
	default:
	}
	return trouble("send", err)
}

// open dials, unless there is a connection that is good.
func (s *byteStream) open(ctx context.Context) error {
	if s.conn != nil {
		if !s.isOver() && (s.MaxAge <= 0 || time.Since(s.since) < s.MaxAge) {
			return nil
		}
		s.drop()
	}
	if s.secure {
		conn, err := s.dialTLS(ctx, s.address)
		if err != nil {
			return err
		}
		s.conn, s.raw = conn, conn.NetConn().(*endConn).TCPConn
	} else {
		conn, err := s.dial(ctx, "tcp", s.address)
		if err != nil {
			return err
		}
		s.conn, s.raw = conn, conn.(*net.TCPConn)
	}
	s.since = time.Now()
	s.listen()
	return nil
}

// maxHeard is how much a receiver that should be silent may say, in bytes.
const maxHeard = 64 << 10

var errTalks = errors.New("the receiver does not stop talking; is this its port for messages?")

// listen reads until the receiver closes. drop waits for the end of it.
func (s *byteStream) listen() {
	conn, ended := s.conn, make(chan struct{})
	s.heard = heard{ended: ended}
	go func() {
		defer close(ended)
		n, err := io.Copy(io.Discard, io.LimitReader(conn, maxHeard))
		switch {
		case err != nil:
			s.err = err
		case n == maxHeard:
			s.err = errTalks
		default:
			s.err = io.EOF
		}
	}()
}

// confirmed returns when the receiver has what was written, as far as the option asks.
func (s *byteStream) confirmed(ctx context.Context) error {
	switch s.confirm {
	case confirmClose:
		if err := s.halfClose(); err != nil {
			return err
		}
		return s.closed(ctx)
	case confirmOutq:
		if !canAsk {
			return fmt.Errorf("%w: confirm=outq can be had on Linux only; give confirm=close", forward.ErrStop)
		}
		return s.drained(ctx, "the connection ended")
	}
	return nil
}

// halfClose ends the stream of messages.
func (s *byteStream) halfClose() error {
	if s.isOver() {
		return ambiguous("the receiver ended its side before the messages ended, so that it cannot confirm them; if it always does, give confirm=outq")
	}
	if secured, ok := s.conn.(*tls.Conn); ok {
		if err := secured.CloseWrite(); err != nil {
			return s.because(err)
		}
	}
	if err := s.raw.CloseWrite(); err != nil {
		return s.because(err)
	}
	return nil
}

// isOver reports whether the receiver has ended its side.
func (s *byteStream) isOver() bool {
	select {
	case <-s.ended:
		return true
	default:
		return hasEnded(s.raw)
	}
}

// closed waits for the receiver to end its side, and tells whether it had read all then.
func (s *byteStream) closed(ctx context.Context) error {
	if err := s.wait(ctx, s.ended); err != nil {
		return err
	}
	if s.err != io.EOF {
		err := fmt.Errorf("wait for the receiver to close: %w", withoutAddresses(s.err))
		return &forward.TroubleError{Class: classOr(s.err, forward.Ambiguous), Err: err}
	}
	if err := s.drained(ctx, "the receiver closed before it had read all"); err != nil {
		return err
	}
	if s.hasSaid() {
		return nil
	}
	return s.lives(ctx)
}

// lives wants the receiver to be there still: a process that ends closes its connections too, and forgets what it has read and not
// stored. One that lives takes another connection, which is without messages, and ends it when it has read its end. One that ends
// that with TLS's close_notify says so whenever it lives: rsyslog never does.
func (s *byteStream) lives(ctx context.Context) error {
	s.drop()
	if err := s.open(ctx); err != nil {
		return ambiguous("the receiver closed, and was gone then: %w", err)
	}
	if err := s.halfClose(); err != nil {
		return err
	}
	if err := s.wait(ctx, s.ended); err != nil {
		return err
	}
	switch {
	case s.err != io.EOF:
		return ambiguous("the receiver closed, and was gone then: %w", withoutAddresses(s.err))
	case s.hasSaid():
		return ambiguous("the receiver ended without the close_notify of TLS, which it says otherwise")
	}
	return nil
}

// hasSaid reports whether the receiver ended with close_notify, once reading has ended with io.EOF.
func (s *byteStream) hasSaid() bool {
	secured, ok := s.conn.(*tls.Conn)
	return ok && !secured.NetConn().(*endConn).over.Load()
}

// drained waits until the receiver's kernel has acknowledged everything; what says why that is not to be had, if it ends.
func (s *byteStream) drained(ctx context.Context, what string) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := s.deadline()
	for {
		n, over := unacknowledged(s.raw)
		switch {
		case n == 0:
			return nil
		case over:
			return ambiguous("%s: %d bytes are unacknowledged", what, n)
		case !end.IsZero() && time.Now().After(end):
			return ambiguous("%s: %d bytes are unacknowledged after timeout=%s", what, n, s.Timeout)
		}
		select {
		case <-ctx.Done():
			return ambiguous("%w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// wait waits for what the receiver does, as long as one may wait for an answer.
func (c connection) wait(ctx context.Context, done <-chan struct{}) error {
	var late <-chan time.Time
	if c.Timeout > 0 {
		timer := time.NewTimer(c.Timeout)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-done:
		return nil
	case <-late:
		return ambiguous("the receiver has not closed the connection after timeout=%s, so it may not have read all", c.Timeout)
	case <-ctx.Done():
		return ambiguous("%w", context.Cause(ctx))
	}
}

// ambiguous is trouble after which nobody can say what the receiver holds.
func ambiguous(text string, args ...any) error {
	return &forward.TroubleError{Class: forward.Ambiguous, Err: fmt.Errorf(text, args...)}
}

// classOr is the class of an error that is not the network's, else def.
func classOr(err error, def forward.Class) forward.Class {
	if class := classOf(err); class != forward.Network {
		return class
	}
	return def
}

// drop closes the connection, if there is one, and waits for its reader.
func (s *byteStream) drop() {
	if s.conn == nil {
		return
	}
	s.raw.Close() // TLS would wait for the peer to take its goodbye.
	<-s.ended
	s.conn, s.raw = nil, nil
}

// Check implements forward.Checker: it connects, and sends nothing.
func (s *byteStream) Check(ctx context.Context) error {
	s.drop()
	defer s.drop()
	return s.open(ctx)
}

// Close implements forward.Output.
func (s *byteStream) Close() error {
	s.drop()
	return nil
}
