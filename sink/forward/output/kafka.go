package output

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// kafkaOutput sends to one partition of a topic, a batch in a transaction: as records of lines in zstd, each with its mark.
// The transactions are named after the receiver, so a new process first ends those of the one before it, whose late requests
// the brokers then refuse; what the partition holds after that is where to go on.
type kafkaOutput struct {
	connection
	kafkaOptions
	brokers stream.Brokers
	who     Identity
	pack    bundler

	client    *kgo.Client
	dialed    time.Time
	async     *stream.LastError
	partition int32
	topicID   [16]byte
	leaders   map[int32]int // of the partitions
	limit     int           // bytes of a record's value
	looked    looked        // for records of this receiver, in vain
	smaller   int           // how often the size of what is read at once was halved

	last  stream.Mark // of the last record of this receiver, if any
	any   bool        // there is one
	known bool        // last and any are what the partition holds, for all that is known
}

type kafkaOptions struct {
	topic      string
	partition  int // -1: by partitions, or the only one
	partitions int // that the receivers are spread over; 0: not said
	maxMessage int
}

// kafkaRoom is what the headers of a record and a batch take at most.
const kafkaRoom = 4 << 10

func makeKafka(t *Target, o *options) func(Identity) (forward.Output, error) {
	topic := strings.TrimPrefix(t.Path, "/")
	k := kafkaOptions{
		topic:     topic,
		partition: -1, partitions: o.number("partitions", 0),
		maxMessage: int(min(o.size("max_message", 1_000_000), 64<<20)),
	}
	if o.text("partition", "") != "" {
		k.partition = o.number("partition", 0)
	}
	c := streamOptions(t, o)
	brokers := o.brokers(t, c)
	if k.partition >= 0 && k.partitions > 0 {
		o.fault("partition and partitions do not go together")
	}
	if k.maxMessage < 2*kafkaRoom {
		o.wrong("max_message", "8KiB or more")
	}
	return func(who Identity) (forward.Output, error) {
		if who.Receiver == "" {
			return nil, fmt.Errorf("%w: receiver_name is empty, and the transactions are named after it", forward.ErrStop)
		}
		return &kafkaOutput{connection: c, kafkaOptions: k, brokers: brokers, who: who, limit: k.maxMessage - kafkaRoom}, nil
	}
}

// Position implements forward.Resumer. It ends whatever another process of this name has begun.
func (k *kafkaOutput) Position(ctx context.Context, journalID string) (forward.Held, bool, error) {
	k.close() // The next client ends what an older one of this process may have left open, too.
	err := k.position(ctx)
	if err == nil && k.any && k.last.Journal != journalID {
		err = foreignJournal(fmt.Sprintf("partition %d of topic %s, under the key %s,", k.partition, k.topic, k.who.Receiver),
			k.last.Journal, journalID)
	}
	if err != nil {
		k.known = false
		return forward.Held{}, false, err
	}
	return heldBy(k.last), k.any, nil
}

// position connects, and reads what the partition holds of this receiver.
func (k *kafkaOutput) position(ctx context.Context) (err error) {
	k.known = false
	if err := k.dial(ctx); err != nil {
		return err
	}
	if k.last, k.any, err = k.lastMark(ctx); err != nil {
		k.close()
		return err
	}
	k.known = true
	return nil
}

// Send implements forward.Output.
func (k *kafkaOutput) Send(ctx context.Context, b *forward.Batch) (forward.Receipt, error) {
	if err := k.ready(ctx, b); err != nil {
		return forward.Receipt{}, err
	}
	records, marks, refusal := k.records(b)
	acked := 0
	if len(records) > 0 {
		if err := k.commit(ctx, records); err != nil {
			k.known = false
			return forward.Receipt{}, err
		}
		for _, m := range marks {
			acked += m.Lines
		}
		k.last, k.any = marks[len(marks)-1], true
	}
	return forward.Receipt{Acked: acked}, refusal
}

// ready makes sure that there is a client that may send. A new one, made since the old one's time was over, has first to see
// that nobody else has sent meanwhile.
func (k *kafkaOutput) ready(ctx context.Context, b *forward.Batch) error {
	if k.client != nil && k.known && (k.MaxAge <= 0 || time.Since(k.dialed) < k.MaxAge) {
		return nil
	}
	known, last, had := k.known, k.last, k.any
	held, _, err := k.Position(ctx, b.Journal)
	if err != nil {
		return err
	}
	if known && (k.last != last || k.any != had) || held.Number > b.Number {
		k.known = false
		return k.trouble(forward.Server, movedOn(fmt.Sprintf("partition %d of topic %s", k.partition, k.topic)))
	}
	return nil
}

// records are the lines of b up to the first that no record holds, which refusal is about then.
func (k *kafkaOutput) records(b *forward.Batch) (records []*kgo.Record, marks []stream.Mark, refusal error) {
	for done := 0; done < b.Len(); {
		lines, payload, err := k.pack.pack(b.Slice(done, b.Len()), k.limit)
		if err == nil && payload == nil {
			err = tooLarge(lines, k.limit, "max_message of this output, or max.message.bytes of the topic,")
		}
		if err != nil {
			return records, marks, err
		}
		m := markOf(lines)
		record := &kgo.Record{Topic: k.topic, Partition: k.partition, Key: []byte(k.who.Receiver), Value: slices.Clone(payload)}
		for _, h := range append(m.Headers(), [2]string{stream.HeaderReceiver, k.who.Receiver}) {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		records, marks = append(records, record), append(marks, m)
		done += lines.Len()
	}
	return records, marks, nil
}

// commit stores records in one transaction. After an error nobody knows whether it did.
func (k *kafkaOutput) commit(ctx context.Context, records []*kgo.Record) error {
	err := k.guard(ctx, func(ctx context.Context) error {
		if err := k.client.BeginTransaction(); err != nil {
			return fmt.Errorf("begin a transaction: %w", err)
		}
		if err := k.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
		if err := k.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return fmt.Errorf("commit the transaction: %w", err)
		}
		return nil
	})
	if err == nil {
		return nil
	}
	k.close()
	class := kafkaClass(err)
	switch {
	case errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge):
		k.limit = max(k.limit/2, 1) // Also for several of them in one batch, which the library makes.
		class = forward.Server
	case errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch):
		err = fmt.Errorf("another process ships as this receiver, or the transaction took too long: %w", err)
		class = forward.Server
	case errors.Is(err, context.DeadlineExceeded):
		class = forward.Ambiguous
	}
	return k.trouble(class, err)
}

// guard runs what may take the time of an answer. Nothing that a client has begun is taken back from outside, since the
// library then loses count of it: when ctx ends, the client goes as a whole, and the next one ends its transaction.
func (k *kafkaOutput) guard(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	client, closed := k.client, make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		client.Close()
	})
	err := f(context.WithoutCancel(ctx))
	if !stop() {
		<-closed
		k.client = nil
		return errors.Join(ctx.Err(), err, k.async.Take())
	}
	return err
}

func (k *kafkaOutput) trouble(class forward.Class, err error) error {
	return &forward.TroubleError{Class: class, Err: stream.WithoutAddresses(err)}
}

// choose picks the partition of this receiver among those of the topic. It must never change, or the position would be
// looked for in another one.
func (k *kafkaOutput) choose(there int) (int32, error) {
	want := k.kafkaOptions.partition
	if want < 0 && k.partitions > 0 {
		want = spread(k.who.Receiver, k.partitions)
	}
	if want < 0 && there == 1 {
		want = 0
	}
	if want < 0 {
		return 0, fmt.Errorf("%w: topic %s has %d partitions, and a receiver's lines belong into one that stays the same when "+
			"there are more: give partitions=%d to have it chosen by the receiver's name, or partition=",
			forward.ErrStop, k.topic, there, there)
	}
	if want >= there {
		return 0, k.trouble(forward.Server, fmt.Errorf("topic %s has %d partitions, and partition %d is wanted",
			k.topic, there, want))
	}
	return int32(want), nil
}

// spread spreads names over n partitions.
func spread(name string, n int) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32() % uint32(n))
}

func (k *kafkaOutput) close() {
	if k.client != nil {
		k.client.Close()
	}
	k.client = nil
}

// Close implements forward.Output.
func (k *kafkaOutput) Close() error {
	k.close()
	return nil
}
