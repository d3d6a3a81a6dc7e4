package output

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward"
)

// What JetStream answers.
type (
	natsError struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	}
	natsAck struct {
		natsAnswer
		Stream    string `json:"stream"`
		Sequence  uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
	}
	natsInfo struct {
		natsAnswer
		Config natsStream `json:"config"`
	}
	natsMessage struct {
		natsAnswer
		Message struct {
			Sequence uint64 `json:"seq"`
			Header   []byte `json:"hdrs"`
		} `json:"message"`
	}
	natsAnswer struct {
		Error *natsError `json:"error"`
	}
)

func (e *natsError) Error() string { return fmt.Sprintf("%.256s (%d)", e.Description, e.Code) }

func (a *natsAnswer) refusal() *natsError { return a.Error }

// Codes of its errors.
const (
	natsCutOff     = 10008 // the server sees too few of the others
	natsNoMessage  = 10037
	natsTooLarge   = 10054
	natsNameInUse  = 10058
	natsNoStream   = 10059
	natsWrongLast  = 10071 // decided: another message is the last one
	natsFull       = 10077 // max_bytes, with discard: new
	natsUndecided  = 10164 // another publish on this subject is on its way through the cluster
	natsNoResource = 10047
)

// natsStream is the configuration of a stream, as far as it matters here.
type natsStream struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Subjects    []string      `json:"subjects"`
	Retention   string        `json:"retention"`
	Storage     string        `json:"storage"`
	Discard     string        `json:"discard"`
	Replicas    int           `json:"num_replicas"`
	MaxBytes    int64         `json:"max_bytes"`
	MaxMessage  int           `json:"max_msg_size,omitempty"`
	MaxAge      time.Duration `json:"max_age"`
	Window      time.Duration `json:"duplicate_window,omitempty"`
	NoAck       bool          `json:"no_ack,omitempty"`
	AllowDirect bool          `json:"allow_direct"`
	DenyDelete  bool          `json:"deny_delete"`
	Sealed      bool          `json:"sealed,omitempty"`
}

// ask sends a request and takes its answer apart. Its error is a *forward.TroubleError, with a *natsError in it if the
// stream answered so.
func (n *natsOutput) ask(ctx context.Context, msg *nats.Msg, answer interface{ refusal() *natsError }) error {
	reply, err := n.conn.RequestMsgWithContext(ctx, msg)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		_ = n.Close() // Another server may know more.
		return n.trouble(forward.Server, fmt.Errorf("nobody answers on %s: JetStream is off there, or has no leader now, "+
			"or no stream takes the subject: %w", msg.Subject, err))
	case err != nil && ctx.Err() != nil:
		_ = n.Close() // It may be half open.
		return n.trouble(forward.Ambiguous, fmt.Errorf("no answer on %s: %w", msg.Subject, errors.Join(ctx.Err(), n.async.take())))
	case err != nil:
		_ = n.Close()
		return n.trouble(forward.Network, errors.Join(err, n.async.take()))
	}
	if err := json.Unmarshal(reply.Data, answer); err != nil {
		return n.trouble(forward.Ambiguous, fmt.Errorf("an answer on %s that cannot be understood: %w", msg.Subject, err))
	}
	if refused := answer.refusal(); refused != nil {
		class := forward.Server
		if refused.Code == natsCutOff {
			_ = n.Close()
		}
		if refused.Code == natsFull || refused.Code == natsNoResource {
			class = forward.Throttled
		}
		return n.trouble(class, fmt.Errorf("stream %s: %w", n.stream, refused))
	}
	return nil
}

func (n *natsOutput) trouble(class forward.Class, err error) error {
	return &forward.TroubleError{Class: class, Err: err}
}

// api asks JetStream itself.
func (n *natsOutput) api(ctx context.Context, what string, question any, answer interface{ refusal() *natsError }) error {
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	data, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("encode a question to JetStream: %w", err)
	}
	return n.ask(ctx, &nats.Msg{Subject: "$JS.API." + what + "." + n.stream, Data: data}, answer)
}

// lastMark reads the last message on the subject; last is 0 if there is none.
func (n *natsOutput) lastMark(ctx context.Context) (m mark, last uint64, err error) {
	if err := n.attach(ctx); err != nil {
		return mark{}, 0, err
	}
	var got natsMessage
	err = n.api(ctx, "STREAM.MSG.GET", map[string]string{"last_by_subj": n.subject}, &got)
	var refused *natsError
	if errors.As(err, &refused) && refused.Code == natsNoMessage {
		return mark{}, 0, nil
	}
	if err != nil {
		return mark{}, 0, err
	}
	if got.Message.Sequence == 0 {
		return mark{}, 0, n.trouble(forward.Ambiguous, errors.New("the last message on "+n.subject+" has no sequence"))
	}
	if m, err = parseNATSHeader(got.Message.Header); err != nil {
		return mark{}, 0, foreignMessage("subject "+n.subject+" of stream "+n.stream, err)
	}
	return m, got.Message.Sequence, nil
}

// foreignMessage is the error about a place whose last message is not ours.
func foreignMessage(place string, err error) error {
	return fmt.Errorf("%w: the last message of %s is no part of a journal: %w; another program writes there: give another "+
		"place, or purge that one", forward.ErrStop, place, err)
}

// parseNATSHeader reads the mark of a message.
func parseNATSHeader(raw []byte) (mark, error) {
	const longest = 64 << 10
	if len(raw) > longest || len(raw) == 0 {
		return mark{}, errNoMark
	}
	header, err := nats.DecodeHeadersMsg(raw)
	if err != nil {
		return mark{}, errNoMark
	}
	return parseMark(header.Get)
}

// attach connects if need be, and looks at the stream once in each connection, or makes it.
func (n *natsOutput) attach(ctx context.Context) error {
	if n.conn != nil && (n.conn.IsClosed() || n.MaxAge > 0 && time.Since(n.dialed) > n.MaxAge) {
		_ = n.Close()
	}
	if err := n.dial(ctx); err != nil || n.attached {
		return err
	}
	err := n.look(ctx)
	var refused *natsError
	if n.create && errors.As(err, &refused) && refused.Code == natsNoStream {
		if err = n.makeStream(ctx); err == nil {
			err = n.look(ctx)
		}
	}
	n.attached = err == nil
	return err
}

// look asks for the configuration of the stream.
func (n *natsOutput) look(ctx context.Context) error {
	var info natsInfo
	err := n.api(ctx, "STREAM.INFO", struct{}{}, &info)
	var refused *natsError
	if errors.As(err, &refused) && refused.Code == natsNoStream && !n.create {
		return n.trouble(forward.Server, fmt.Errorf("%w: give create=true to make it", err))
	}
	if err != nil {
		return err
	}
	switch c := info.Config; {
	case c.NoAck:
		err = errors.New("it has no_ack, so it never says what it holds")
	case c.Retention != "limits":
		err = fmt.Errorf("its retention is %.20q, so messages go before they were asked for; make it limits", c.Retention)
	case c.Sealed:
		err = errors.New("it is sealed, so it takes nothing")
	}
	if err != nil {
		return fmt.Errorf("%w: stream %s: %w", forward.ErrStop, n.stream, err)
	}
	n.largest = int(min(n.conn.MaxPayload(), 64<<20))
	if limit := info.Config.MaxMessage; limit > 0 {
		n.largest = min(n.largest, limit)
	}
	return nil
}

// makeStream makes the stream as a journal needs it: nothing goes by age, and when it is full it refuses what is new, so
// that the journals wait on their own disks.
func (n *natsOutput) makeStream(ctx context.Context) error {
	subject := n.subject
	if first, name, _ := strings.Cut(subject, "."); first == "hbj" && !strings.Contains(name, ".") {
		subject = "hbj.*"
	}
	maxBytes := n.maxBytes
	if maxBytes == 0 {
		maxBytes = -1
	}
	var answer natsInfo
	err := n.api(ctx, "STREAM.CREATE", natsStream{
		Name: n.stream, Description: "journals of hbjournal", Subjects: []string{subject},
		Retention: "limits", Storage: "file", Discard: "new", Replicas: n.replicas, MaxBytes: maxBytes,
		MaxMessage: int(min(n.conn.MaxPayload(), 1<<20)), Window: 2 * time.Minute, DenyDelete: true,
	}, &answer)
	var refused *natsError
	if errors.As(err, &refused) && refused.Code == natsNameInUse {
		return nil // Another receiver was faster.
	}
	if err != nil {
		return fmt.Errorf("make stream %s: %w", n.stream, err)
	}
	return nil
}
