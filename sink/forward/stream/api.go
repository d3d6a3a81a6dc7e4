package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// What JetStream answers.
type (
	// Answer is what all answers have in common.
	Answer struct {
		Error *APIError `json:"error"`
	}
	// APIError is a no.
	APIError struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	}
	// Ack says where a message was stored.
	Ack struct {
		Answer
		Stream    string `json:"stream"`
		Sequence  uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
	}
	// Info describes a stream.
	Info struct {
		Answer
		Config  Config    `json:"config"`
		Created time.Time `json:"created"`
		State   State     `json:"state"`
		Cluster Cluster   `json:"cluster"`
	}
	// State is what a stream holds.
	State struct {
		Messages  uint64    `json:"messages"`
		Bytes     uint64    `json:"bytes"`
		First     uint64    `json:"first_seq"`
		FirstTime time.Time `json:"first_ts"` // when it came
		Last      uint64    `json:"last_seq"`
	}
	// Cluster is who holds a stream.
	Cluster struct {
		Leader   string    `json:"leader"`
		Replicas []Replica `json:"replicas"` // beside the leader
	}
	// Replica is one that follows the leader.
	Replica struct {
		Name    string        `json:"name"`
		Current bool          `json:"current"`
		Offline bool          `json:"offline"`
		Lag     uint64        `json:"lag"`
		Active  time.Duration `json:"active"` // since the leader heard it; 0: it never did
	}
	// Stored is a message in a stream.
	Stored struct {
		Answer
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	// Purged says how much of a stream went.
	Purged struct {
		Answer
		Count uint64 `json:"purged"`
	}
)

func (e *APIError) Error() string { return fmt.Sprintf("%.256s (%d)", e.Description, e.Code) }

// Refusal is the no of an answer, nil if it is a yes.
func (a *Answer) Refusal() *APIError { return a.Error }

// Codes of its errors.
const (
	CutOff      = 10008 // the server sees too few of the others
	NoConsumer  = 10014
	NoMessage   = 10037
	NotEnabled  = 10039 // JetStream is off for this account
	NoResources = 10047
	TooLarge    = 10054
	NameInUse   = 10058
	NoStream    = 10059
	WrongLast   = 10071 // decided: another message is the last one
	NotOn       = 10076 // JetStream is off
	Full        = 10077 // max_bytes, with discard: new
	Undecided   = 10164 // another publish on this subject is on its way through the cluster
)

// Config is the configuration of a stream, as far as it matters here.
type Config struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Subjects    []string      `json:"subjects"`
	Retention   string        `json:"retention"`
	Storage     string        `json:"storage"`
	Discard     string        `json:"discard"`
	Replicas    int           `json:"num_replicas"`
	MaxBytes    int64         `json:"max_bytes"`
	MaxMessage  int           `json:"max_msg_size,omitempty"`
	MaxMessages int64         `json:"max_msgs,omitempty"`
	PerSubject  int64         `json:"max_msgs_per_subject,omitempty"`
	MaxAge      time.Duration `json:"max_age"`
	Window      time.Duration `json:"duplicate_window,omitempty"`
	NoAck       bool          `json:"no_ack,omitempty"`
	AllowDirect bool          `json:"allow_direct"`
	AllowRollup bool          `json:"allow_rollup_hdrs,omitempty"`
	DenyDelete  bool          `json:"deny_delete"`
	DenyPurge   bool          `json:"deny_purge,omitempty"`
	Sealed      bool          `json:"sealed,omitempty"`
}

// ForJournals is how a stream is made that carries journals, whoever makes it: nothing goes by age, and when it is full it
// refuses what is new, so that the receivers wait on their own disks. Without a limit maxBytes is 0.
func ForJournals(name, subject string, replicas int, maxBytes int64) Config {
	if maxBytes == 0 {
		maxBytes = -1
	}
	return Config{
		Name: name, Description: "journals of hbjournal", Subjects: []string{subject},
		Retention: "limits", Storage: "file", Discard: "new", Replicas: replicas, MaxBytes: maxBytes, MaxMessages: -1, PerSubject: -1,
		MaxMessage: 1 << 20, Window: 2 * time.Minute, DenyDelete: true,
	}
}

// Code returns the code with which JetStream said no, 0 if err is nothing of that kind.
func Code(err error) int {
	var no *APIError
	if errors.As(err, &no) {
		return no.Code
	}
	return 0
}

// Ask sends a request and takes its answer apart. Its error is a *TroubleError, with an *APIError in it if JetStream answered
// so; what is about the connection itself ends it.
func (c *Client) Ask(ctx context.Context, msg *nats.Msg, answer interface{ Refusal() *APIError }) error {
	if c.conn == nil {
		return trouble(Network, nats.ErrConnectionClosed)
	}
	reply, err := c.conn.RequestMsgWithContext(ctx, msg)
	if err != nil {
		c.Close() // It may be half open, or another server may know more.
		said := c.async.Take()
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return trouble(Server, fmt.Errorf("nobody answers on %s: JetStream is off there, or has no leader now, "+
				"or no stream takes the subject: %w", msg.Subject, err))
		case ctx.Err() != nil:
			return trouble(Ambiguous, fmt.Errorf("no answer on %s: %w", msg.Subject, errors.Join(ctx.Err(), said)))
		}
		return trouble(Network, errors.Join(err, said))
	}
	if err := json.Unmarshal(reply.Data, answer); err != nil {
		return trouble(Ambiguous, fmt.Errorf("an answer on %s that cannot be understood: %w", msg.Subject, err))
	}
	no := answer.Refusal()
	if no == nil {
		return nil
	}
	switch no.Code {
	case CutOff:
		c.Close()
	case Full, NoResources:
		return trouble(Throttled, no)
	}
	return trouble(Server, no)
}

// API asks JetStream itself, for example what=STREAM.INFO.HBJ.
func (c *Client) API(ctx context.Context, what string, question any, answer interface{ Refusal() *APIError }) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	data, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("encode a question to JetStream: %w", err)
	}
	return c.Ask(ctx, &nats.Msg{Subject: "$JS.API." + what, Data: data}, answer)
}

// LastOn reads the last message on a subject from the leader of the stream; found is false if there is none.
func (c *Client) LastOn(ctx context.Context, stream, subject string) (m Stored, found bool, err error) {
	err = c.API(ctx, "STREAM.MSG.GET."+stream, map[string]string{"last_by_subj": subject}, &m)
	if Code(err) == NoMessage {
		return Stored{}, false, nil
	}
	if err == nil && m.Message.Sequence == 0 {
		err = trouble(Ambiguous, errors.New("the last message on "+subject+" has no sequence"))
	}
	return m, err == nil, err
}

// HeaderMark reads the mark of a message of NATS.
func HeaderMark(raw []byte) (Mark, error) {
	const longest = 64 << 10
	if len(raw) > longest || len(raw) == 0 {
		return Mark{}, ErrNoMark
	}
	header, err := nats.DecodeHeadersMsg(raw)
	if err != nil {
		return Mark{}, ErrNoMark
	}
	return ParseMark(header.Get)
}
