package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hbjournal/sink/forward/stream"
)

// Kafka is the engine of a topic, in which each receiver has a partition of its own. It belongs to no group of consumers: where to
// go on is known here, not there. Of a transaction only what was committed is read.
//
// The offset of a message is that of its record and one, so that they go up from 1 on.
type Kafka struct {
	brokers stream.Brokers
	topic   string

	client  *kgo.Client
	last    *stream.LastError // why a broker could not be reached
	known   topicState        // when a reading began
	next    map[int32]uint64  // the first offset that was not given, by partition
	records []*kgo.Record     // that came and were not given
	failed  error             // what is wrong behind them
	checked time.Time         // when the topic was looked at last
	anew    bool              // the topic has lost records: all that it holds is to be compared
}

// NewKafka makes an engine of the topic with this name.
func NewKafka(brokers stream.Brokers, topic string) *Kafka {
	return &Kafka{brokers: brokers, topic: topic}
}

const (
	kafkaFetch    = 8 << 20 // bytes that a broker gives at once; a larger batch comes whole nevertheless
	kafkaPartFrom = 1 << 20 // of them, of one partition
	kafkaRecords  = 64      // taken at once
	kafkaLook     = 10 * time.Second
)

// Start implements Engine.
func (k *Kafka) Start(ctx context.Context, behind Position) (Position, error) {
	if err := k.connect(); err != nil {
		return Position{}, err
	}
	now, err := k.look(ctx)
	if err != nil {
		return Position{}, err
	}
	at := Position{Stream: now.id, Offsets: make(map[int32]uint64, len(now.parts))}
	from := make(map[int32]kgo.Offset, len(now.parts))
	k.next = make(map[int32]uint64, len(now.parts))
	for partition, there := range now.parts {
		offset := behind.Offsets[partition]
		if k.anew || behind.Stream != now.id || offset > there.end {
			offset = 0 // Its numbers are not those of then.
		}
		offset = max(offset, there.first)
		at.Offsets[partition], k.next[partition] = offset, offset
		from[partition] = kgo.NewOffset().At(int64(offset))
	}
	k.known, k.anew, k.checked = now, false, time.Now()
	k.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{k.topic: from})
	return at, nil
}

// connect makes a new client, which connects when it is asked something.
func (k *Kafka) connect() (err error) {
	k.end()
	k.last = &stream.LastError{}
	opts, err := k.brokers.Options(k.last)
	if err != nil {
		return err
	}
	opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(kafkaFetch), kgo.FetchMaxPartitionBytes(kafkaPartFrom),
		kgo.FetchMaxWait(500*time.Millisecond), kgo.WithDecompressor(stream.Unfolder()))
	if k.client, err = kgo.NewClient(opts...); err != nil {
		return fmt.Errorf("read topic %s: %w", k.topic, err)
	}
	return nil
}

// Next implements Engine.
func (k *Kafka) Next(ctx context.Context) (Message, error) {
	for {
		for len(k.records) > 0 {
			record := k.records[0]
			k.records = k.records[1:]
			if uint64(record.Offset) < k.next[record.Partition] {
				continue
			}
			k.next[record.Partition] = uint64(record.Offset) + 1
			header := stream.KafkaHeader(record)
			return Message{
				Receiver: header(stream.HeaderReceiver), Partition: record.Partition, Offset: uint64(record.Offset) + 1,
				Header: header, Payload: record.Value,
			}, nil
		}
		if err := k.failed; err != nil {
			k.failed = nil
			return Message{}, err
		}
		if err := k.watch(ctx); err != nil {
			return Message{}, err
		}
		k.poll(ctx)
		if ctx.Err() != nil {
			return Message{}, ctx.Err()
		}
	}
}

// poll waits a second for records.
func (k *Kafka) poll(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	fetches := k.client.PollRecords(within, kafkaRecords)
	k.records = fetches.Records()
	fetches.EachError(func(_ string, partition int32, err error) {
		if errors.Is(err, context.DeadlineExceeded) && within.Err() != nil {
			return
		}
		var lost *kgo.ErrDataLoss
		if errors.As(err, &lost) {
			k.anew = true
		}
		k.failed = errors.Join(k.failed, k.fault(fmt.Sprintf("read partition %d of topic %s", partition, k.topic), err))
	})
}

// watch looks at the topic from time to time: the library says nothing of brokers that are gone, and goes on with a topic that is
// not the same any more.
func (k *Kafka) watch(ctx context.Context) error {
	if time.Since(k.checked) < kafkaLook {
		return nil
	}
	k.checked = time.Now()
	now, err := k.look(ctx)
	if err != nil {
		return err
	}
	if now.id != k.known.id {
		return fmt.Errorf("topic %s was made anew", k.topic)
	}
	if len(now.parts) != len(k.known.parts) {
		return fmt.Errorf("topic %s has %d partitions, and had %d", k.topic, len(now.parts), len(k.known.parts))
	}
	for partition, there := range now.parts {
		if next := k.next[partition]; there.end < next {
			k.anew = true
			return fmt.Errorf("partition %d of topic %s was put back from offset %d to %d", partition, k.topic, next, there.end)
		}
	}
	return nil
}

// fault says what was done when an error came, and why a broker could not be reached if that is known. It shows no address.
func (k *Kafka) fault(doing string, err error) error {
	return stream.WithoutAddresses(fmt.Errorf("%s: %w", doing, errors.Join(err, k.last.Take())))
}

// end ends a reading.
func (k *Kafka) end() {
	if k.client != nil {
		k.client.Close()
	}
	k.client, k.records, k.failed = nil, nil, nil
}

// Close implements Engine.
func (k *Kafka) Close() error {
	k.end()
	return nil
}
