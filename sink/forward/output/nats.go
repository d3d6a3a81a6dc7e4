package output

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// natsOutput sends to a stream of NATS JetStream: a message is a run of lines in zstd, with its mark, on a subject that is
// the receiver's own. The stream takes it only if the last message on that subject is the one that was seen there last, so
// none is stored twice, however often it is sent, and a process that was left behind stores nothing. That last message
// is also where to go on.
type natsOutput struct {
	connection
	natsOptions
	pack bundler

	client   stream.Client
	largest  int // bytes of a message with its headers, by server and stream
	attached int // the number of the connection in which the stream was looked at; 0: none

	last   uint64 // sequence of the last message on the subject, 0: none; if known
	known  bool
	stored stream.Mark // of the last message that was seen there
	told   int64       // the number in the figures that were published last; -1: none were
}

type natsOptions struct {
	hosts            []string
	secure           bool
	stream, subject  string
	credentials      string // file
	nkey             string // file
	ignoreDiscovered bool
	create           bool
	replicas         int
	maxBytes         int64
	archivers        []string
	bucket           string
	receiver         string
}

// natsWait is how old the first line of a batch may get: a message costs little, and a fleet wants to see it soon.
const natsWait = 200 * time.Millisecond

func makeNATS(t *Target, o *options) func(Identity) (forward.Output, error) {
	n := natsOptions{
		hosts: t.Hosts, secure: t.Scheme == "nats+tls",
		stream: o.text("stream", "HBJ"), subject: o.text("subject", ""),
		credentials: o.text("creds_file", ""), nkey: o.text("nkey_file", ""),
		ignoreDiscovered: o.flag("ignore_discovered"),
		create:           o.flag("create"), replicas: o.number("replicas", 1), maxBytes: o.size("max_bytes", 1<<30),
	}
	n.askFleet(t, o)
	c := streamOptions(t, o)
	t.Secrets = append(t.Secrets, filled(n.credentials, n.nkey)...)
	if t.BatchWait == 0 {
		t.BatchWait = natsWait
	}
	if len(n.hosts) == 0 || strings.Trim(t.Path, "/") != "" {
		o.fault("want %s://host[:port][,host[:port]...] and no path", t.Scheme)
	}
	if strings.ContainsAny(n.stream, " \t\r\n.*>/\\") {
		o.wrong("stream", "the name of a stream, without dots, blanks and wildcards")
	}
	if n.subject != "" && !isSubject(n.subject) {
		o.wrong("subject", "a subject without blanks and wildcards")
	}
	if n.replicas < 1 || n.replicas > 5 {
		o.wrong("replicas", "1 to 5")
	}
	return func(who Identity) (forward.Output, error) {
		out := &natsOutput{connection: c, natsOptions: n, client: stream.Client{Servers: n.servers(c)}}
		out.receiver, out.told = who.Receiver, -1
		if err := out.checkFleet(); err != nil {
			return nil, err
		}
		if out.subject == "" {
			out.subject = "hbj." + who.Receiver
		}
		if !isSubject(out.subject) {
			return nil, fmt.Errorf("%w: receiver_name %q makes no subject; give one of letters, digits, - and _",
				forward.ErrStop, who.Receiver)
		}
		return out, nil
	}
}

// streamOptions asks for what the outputs to streams have in common.
func streamOptions(t *Target, o *options) connection {
	c := o.connection(t)
	t.AcceptRewind = o.flag("accept_rewind")
	return c
}

// isSubject reports whether text is a subject that one can publish to.
func isSubject(text string) bool {
	for token := range strings.SplitSeq(text, ".") {
		if token == "" || strings.ContainsAny(token, " \t\r\n*>\x00") {
			return false
		}
	}
	return len(text) <= 255 && !strings.HasPrefix(text, "$")
}

// Position implements forward.Resumer: it asks the leader of the stream for the last message on the subject.
func (n *natsOutput) Position(ctx context.Context, journalID string) (forward.Held, bool, error) {
	n.known = false
	if err := n.attach(ctx); err != nil {
		return forward.Held{}, false, err
	}
	m, last, err := n.lastMark(ctx)
	if err != nil {
		return forward.Held{}, false, err
	}
	if last > 0 && m.Journal != journalID {
		if taken, err := n.takenOver(ctx, m.Journal, journalID); err != nil || !taken {
			return forward.Held{}, false, errors.Join(err, foreignJournal("subject "+n.subject+" of stream "+n.stream, m.Journal, journalID))
		}
		n.last, n.known = last, true
		return forward.Held{}, false, nil
	}
	n.last, n.known = last, true
	if last == 0 {
		return n.confirmedByAll(ctx, journalID)
	}
	n.stored = m
	return heldBy(m), true, nil
}

// movedOn is the error about a place that holds lines which were to be sent.
func movedOn(place string) error {
	return fmt.Errorf("%s moved on meanwhile: perhaps another process ships as this receiver", place)
}

// foreignJournal is the error about a place that holds another journal than this one.
func foreignJournal(place, theirs, ours string) error {
	return fmt.Errorf("%w: %s holds another journal, %.40q, and this one is %.40q: two receivers share a name, or this "+
		"journal was begun anew; give one of them another receiver_name, or hand the name over: hbjournal forward --take-over",
		forward.ErrStop, place, theirs, ours)
}

// Send implements forward.Output.
func (n *natsOutput) Send(ctx context.Context, b *forward.Batch) (receipt forward.Receipt, err error) {
	if err := n.attach(ctx); err != nil {
		return receipt, err
	}
	if !n.known {
		held, _, err := n.Position(ctx, b.Journal)
		if err == nil && held.Number > b.Number {
			n.known = false
			err = n.trouble(forward.Server, movedOn("subject "+n.subject))
		}
		if err != nil {
			return receipt, err
		}
	}
	for receipt.Acked < b.Len() {
		rest := b.Slice(receipt.Acked, b.Len())
		limit := n.largest - natsHeaderRoom - len(n.subject) - len(n.stream) - len(b.Journal)
		lines, payload, err := n.pack.pack(rest, limit)
		if err == nil && payload == nil {
			err = tooLarge(lines, limit, "max_payload of the server, or max_msg_size of the stream,")
		}
		if err == nil {
			err = n.publish(ctx, lines, payload)
		}
		if err != nil {
			return receipt, err
		}
		receipt.Acked += lines.Len()
	}
	return receipt, nil
}

// natsHeaderRoom is more than all headers of a message take, without the names in them.
const natsHeaderRoom = 768

// publish stores one message, and returns when the stream says that it holds it.
func (n *natsOutput) publish(ctx context.Context, lines *forward.Batch, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	m := markOf(lines)
	msg := &nats.Msg{Subject: n.subject, Data: payload, Header: nats.Header{
		nats.MsgIdHdr:               {n.messageID(lines)},
		nats.ExpectedStreamHdr:      {n.stream},
		nats.ExpectedLastSubjSeqHdr: {strconv.FormatUint(n.last, 10)},
	}}
	for _, h := range m.Headers() {
		msg.Header[h[0]] = []string{h[1]}
	}
	const longest = 64 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		var ack stream.Ack
		err := n.ask(ctx, msg, &ack)
		code := stream.Code(err)
		switch {
		case err == nil && !ack.Duplicate && ack.Sequence > n.last && ack.Stream == n.stream:
			n.last, n.stored = ack.Sequence, m
			return nil
		case err == nil || code == stream.WrongLast:
			if err == nil {
				err = errors.New("the stream says that it holds the message, but it is not the last one there")
			}
			if err = n.settle(ctx, m, err); errors.Is(err, errPurged) {
				return n.publish(ctx, lines, payload)
			}
			return err
		case code == stream.Undecided && stream.Wait(ctx, pause):
			// Another publish on this subject, perhaps this one, waits for the other servers.
		default:
			n.known = false
			if code == stream.TooLarge {
				n.attached = 0 // Its limits have changed.
			}
			return err
		}
	}
}

// messageID names a message: one that is tried again has the same name, and lines that are sent once more another one. A stream
// knows names for all subjects at once.
func (n *natsOutput) messageID(lines *forward.Batch) string {
	return lines.ID(0) + "@" + n.subject + "@" + strconv.FormatUint(n.last, 10)
}

// errPurged says that the subject is empty, since all archivers have what was sent before.
var errPurged = errors.New("purged")

// settle finds out, after an answer that says no or nothing, whether the message with this mark is the last on the subject.
// If it is not, the caller has to ask for the position, except after errPurged.
func (n *natsOutput) settle(ctx context.Context, sent stream.Mark, why error) error {
	n.known = false
	found, last, err := n.lastMark(ctx)
	switch {
	case err != nil:
		return err
	case last > 0 && found == sent:
		n.last, n.known, n.stored = last, true, found
		return nil
	case last > 0:
		return n.trouble(forward.Server, fmt.Errorf(
			"another message was stored on %s meanwhile, perhaps by another process that ships as this receiver: %w", n.subject, why,
		))
	}
	held, all, err := n.confirmedByAll(ctx, sent.Journal)
	if err != nil {
		return err
	}
	if all && n.last > 0 && held.Number == sent.Begins() {
		n.last, n.known = 0, true
		return errPurged
	}
	advice := ""
	if len(n.archivers) == 0 {
		advice = "; if archivers read it, name them with archivers="
	}
	return n.trouble(forward.Server, fmt.Errorf("the stream holds nothing of %s any more: it was purged or made anew%s: %w", n.subject, advice, why))
}

// Check implements forward.Checker.
func (n *natsOutput) Check(ctx context.Context) error {
	if err := n.client.Dial(ctx); err != nil {
		return streamFault(err)
	}
	err := n.look(ctx)
	if n.create && stream.Code(err) == stream.NoStream {
		return nil
	}
	return err
}

// Close implements forward.Output.
func (n *natsOutput) Close() error {
	n.client.Close()
	return nil
}
