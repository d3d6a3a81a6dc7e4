package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward/stream"
)

// NATS is the engine of a stream of JetStream. It reads by a consumer that it makes for each reading and that the server forgets
// when nobody asks any more: where to go on is known here, not there.
type NATS struct {
	client stream.Client
	stream string

	sub     *nats.Subscription
	pull    string // where messages are asked for
	wanted  int    // that were asked for and did not come yet
	batch   int    // to be asked for at most
	last    uint64 // message that was given
	given   uint64 // messages of this consumer
	created string // of the stream
	heard   time.Time
	checked time.Time
	waited  waited // for what, at the last check
	now     func() time.Time
}

// waited is what a reading has waited for.
type waited struct {
	behind uint64 // the last message that had come
	last   uint64 // of the stream
}

// NewNATS makes an engine of the stream with this name.
func NewNATS(servers stream.Servers, name string) *NATS {
	return &NATS{client: stream.Client{Servers: servers}, stream: name, now: time.Now}
}

const (
	subjectPrefix = "hbj."

	pullExpires   = 30 * time.Second
	pullHeartbeat = 5 * time.Second
	pullBytes     = 16 << 20 // of the messages that are asked for at once, about
	pullMost      = 256      // messages
	consumerLives = time.Minute
	stuckAfter    = 10 * time.Second
)

// Start implements Engine.
func (n *NATS) Start(ctx context.Context, behind Position) (Position, error) {
	n.end()
	if err := n.client.Dial(ctx); err != nil {
		return Position{}, err
	}
	info, err := n.info(ctx)
	if err != nil {
		return Position{}, err
	}
	n.created = info.Created.UTC().Format(time.RFC3339Nano)
	n.last = behind.Offsets[0]
	if behind.Stream != n.created || info.State.Last < n.last {
		n.last = 0 // It was made anew, or is an older copy: its numbers are not those of then.
	}
	n.last = max(n.last, max(info.State.First, 1)-1)
	n.batch = batchFor(info.Config.MaxMessage, n.client.Conn().MaxPayload())
	if err := n.consume(ctx); err != nil {
		return Position{}, err
	}
	return Position{Stream: n.created, Offsets: map[int32]uint64{0: n.last}}, nil
}

// info looks at the stream.
func (n *NATS) info(ctx context.Context) (info stream.Info, err error) {
	err = n.client.API(ctx, "STREAM.INFO."+n.stream, struct{}{}, &info)
	if err != nil {
		return info, fmt.Errorf("look at stream %s: %w", n.stream, err)
	}
	return info, nil
}

// batchFor is how many messages are asked for at once.
func batchFor(maxMessage int, maxPayload int64) int {
	if maxMessage <= 0 || int64(maxMessage) > maxPayload {
		maxMessage = int(maxPayload)
	}
	return min(max(pullBytes/max(maxMessage, 1), 2), pullMost)
}

// consumer is what is asked of the server for one reading.
type consumer struct {
	Stream string         `json:"stream_name"`
	Config consumerConfig `json:"config"`
	Action string         `json:"action"`
}

type consumerConfig struct {
	Deliver  string        `json:"deliver_policy"`
	Start    uint64        `json:"opt_start_seq,omitempty"`
	Filter   string        `json:"filter_subject,omitempty"`
	Ack      string        `json:"ack_policy"`
	Replay   string        `json:"replay_policy"`
	Replicas int           `json:"num_replicas"`
	Memory   bool          `json:"mem_storage"`
	Lives    time.Duration `json:"inactive_threshold"`
}

type consumerInfo struct {
	stream.Answer
	Name    string `json:"name"`
	Pending uint64 `json:"num_pending"`
}

// makeConsumer makes a consumer that the server forgets by itself.
func makeConsumer(ctx context.Context, client *stream.Client, name string, c consumerConfig) (consumerInfo, error) {
	c.Ack, c.Replay, c.Replicas, c.Memory, c.Lives = "none", "instant", 1, true, consumerLives
	var made consumerInfo
	err := client.API(ctx, "CONSUMER.CREATE."+name, consumer{Stream: name, Config: c, Action: "create"}, &made)
	if err != nil {
		return made, fmt.Errorf("make a consumer of stream %s: %w", name, err)
	}
	return made, nil
}

// consume makes a consumer that begins behind the last message.
func (n *NATS) consume(ctx context.Context) error {
	made, err := makeConsumer(ctx, &n.client, n.stream, consumerConfig{Deliver: "by_start_sequence", Start: n.last + 1})
	if err != nil {
		return err
	}
	conn := n.client.Conn()
	if n.sub, err = conn.SubscribeSync(conn.NewInbox()); err != nil {
		return fmt.Errorf("read stream %s: %w", n.stream, err)
	}
	n.pull = "$JS.API.CONSUMER.MSG.NEXT." + n.stream + "." + made.Name
	n.wanted, n.given = 0, 0
	n.heard, n.checked, n.waited = n.now(), n.now(), waited{}
	return n.want()
}

// want asks for more messages, so that some are always on their way.
func (n *NATS) want() error {
	if n.wanted > n.batch/2 {
		return nil
	}
	request, err := json.Marshal(map[string]int64{
		"batch": int64(n.batch - n.wanted), "expires": int64(pullExpires), "idle_heartbeat": int64(pullHeartbeat),
	})
	if err != nil {
		return err
	}
	n.wanted = n.batch
	if err := n.client.Conn().PublishRequest(n.pull, n.sub.Subject, request); err != nil {
		return fmt.Errorf("read stream %s: %w", n.stream, err)
	}
	return nil
}

// Next implements Engine.
func (n *NATS) Next(ctx context.Context) (Message, error) {
	for {
		if err := n.watch(ctx); err != nil {
			return Message{}, err
		}
		within, cancel := context.WithTimeout(ctx, time.Second)
		msg, err := n.sub.NextMsgWithContext(within)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return Message{}, fmt.Errorf("read stream %s: %w", n.stream, err)
		}
		n.heard = n.now()
		m, ok, err := n.message(msg)
		if err != nil {
			return Message{}, err
		}
		if err := n.want(); err != nil {
			return Message{}, err
		}
		if ok {
			return m, nil
		}
	}
}

// message takes apart what came; ok is false if it is no message of the stream.
func (n *NATS) message(msg *nats.Msg) (m Message, ok bool, err error) {
	if status := msg.Header.Get("Status"); status != "" && len(msg.Data) == 0 && !strings.HasPrefix(msg.Reply, "$JS.ACK.") {
		return Message{}, false, n.status(status, msg.Header)
	}
	meta, err := msg.Metadata()
	if err != nil {
		return Message{}, false, fmt.Errorf("read stream %s: %w", n.stream, err)
	}
	n.wanted--
	n.given++
	if meta.Sequence.Consumer != n.given {
		return Message{}, false, fmt.Errorf("read stream %s: message %d came as number %d of its consumer, want %d: some were lost on the way",
			n.stream, meta.Sequence.Stream, meta.Sequence.Consumer, n.given)
	}
	if meta.Sequence.Stream <= n.last {
		return Message{}, false, nil
	}
	n.last = meta.Sequence.Stream
	receiver := msg.Subject
	if name, ok := strings.CutPrefix(msg.Subject, subjectPrefix); ok {
		receiver = name
	}
	return Message{Receiver: receiver, Offset: n.last, Header: msg.Header.Get, Payload: msg.Data}, true, nil
}

// status deals with what the server says besides messages.
func (n *NATS) status(status string, header nats.Header) error {
	switch status {
	case "100": // It lives.
		return nil
	case "404", "408": // There was nothing more within the time.
		left, err := strconv.Atoi(header.Get("Nats-Pending-Messages"))
		if err != nil {
			left = n.wanted
		}
		n.wanted = max(0, n.wanted-left)
		return nil
	}
	return fmt.Errorf("read stream %s: the server ends the reading: %.20s %.200s", n.stream, status, header.Get("Description"))
}

// watch sees whether a consumer that gives nothing has nothing to give: it may be stuck, or the stream may be another one. One
// that is stuck may still say that it lives: it is on a server that does not get the messages of the others.
func (n *NATS) watch(ctx context.Context) error {
	now := n.now()
	if now.Sub(n.heard) > stuckAfter+pullHeartbeat {
		n.client.Close()
		return fmt.Errorf("read stream %s: nothing was heard of it for %s", n.stream, now.Sub(n.heard).Round(time.Second))
	}
	if now.Sub(n.checked) < stuckAfter {
		return nil
	}
	before := n.last
	n.checked = now
	info, err := n.info(ctx)
	if err != nil {
		return err
	}
	still := n.waited.behind == before && n.waited.last > before
	n.waited = waited{before, info.State.Last}
	created := info.Created.UTC().Format(time.RFC3339Nano)
	switch waiting, _, _ := n.sub.Pending(); {
	case created != n.created:
		return fmt.Errorf("stream %s was made anew", n.stream)
	case info.State.Last < before:
		return fmt.Errorf("stream %s was put back from message %d to %d", n.stream, before, info.State.Last)
	case info.State.Last > before && waiting == 0 && (still || now.Sub(n.heard) > pullHeartbeat+time.Second):
		return fmt.Errorf("the consumer of stream %s is stuck at message %d of %d", n.stream, before, info.State.Last)
	}
	return nil
}

// end ends a reading.
func (n *NATS) end() {
	if n.sub != nil {
		_ = n.sub.Unsubscribe()
	}
	n.sub = nil
}

// Close implements Engine.
func (n *NATS) Close() error {
	n.end()
	n.client.Close()
	return nil
}
