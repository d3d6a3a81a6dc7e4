package output

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hbjournal/sink/forward"
	"hbjournal/sink/forward/stream"
)

// dial makes the client that sends, and ends whatever transaction a client of this name has left open.
func (k *kafkaOutput) dial(ctx context.Context) error {
	if err := k.connect(ctx); err != nil {
		return err
	}
	err := k.guard(ctx, func(ctx context.Context) error {
		_, _, err := k.client.ProducerID(ctx)
		return err
	})
	if err != nil {
		k.close()
		return k.trouble(kafkaClass(err), fmt.Errorf("take over the transactions of hbj-%s: %w", k.who.Receiver, err))
	}
	return nil
}

// connect makes a client and looks at the topic. It begins nothing.
func (k *kafkaOutput) connect(ctx context.Context) error {
	k.close()
	k.async = &stream.LastError{}
	opts, err := k.clientOptions()
	if err != nil {
		return err
	}
	opts = append(opts, kgo.TransactionalID("hbj-"+k.who.Receiver), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()), // It is zstd already.
		kgo.ProducerBatchMaxBytes(int32(k.limit+kafkaRoom)), kgo.ProducerLinger(0), kgo.UnknownTopicRetries(-1),
		kgo.TransactionTimeout(max(k.Timeout, 10*time.Second)))
	if k.client, err = kgo.NewClient(opts...); err != nil {
		return fmt.Errorf("%w: %w", forward.ErrStop, err)
	}
	k.dialed = time.Now()
	var there int
	err = k.guard(ctx, func(ctx context.Context) (err error) {
		if err = k.client.Ping(ctx); err == nil {
			there, err = k.countPartitions(ctx)
		}
		return err
	})
	if err == nil {
		k.partition, err = k.choose(there)
	}
	var trouble *forward.TroubleError
	if err != nil {
		k.close()
		if !errors.As(err, &trouble) && !errors.Is(err, forward.ErrStop) {
			err = k.trouble(kafkaClass(err), err)
		}
	}
	return err
}

// countPartitions asks how many partitions the topic has.
func (k *kafkaOutput) countPartitions(ctx context.Context) (int, error) {
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(k.topic)
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, k.client)
	if err != nil {
		return 0, fmt.Errorf("ask for topic %s: %w", k.topic, err)
	}
	for _, t := range answer.Topics {
		if t.Topic == nil || *t.Topic != k.topic {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return 0, k.trouble(kafkaClass(err), fmt.Errorf("topic %s: %w", k.topic, err))
		}
		k.topicID, k.leaders = t.TopicID, make(map[int32]int)
		for _, p := range t.Partitions {
			k.leaders[p.Partition] = int(p.Leader)
		}
		return len(t.Partitions), nil
	}
	return 0, k.trouble(forward.Server, fmt.Errorf("the brokers say nothing about topic %s", k.topic))
}

// clientOptions are what the client that sends and the one that reads have in common.
func (k *kafkaOutput) clientOptions() ([]kgo.Opt, error) { return k.brokers.Options(k.async) }

// looked is a part of the partition, [from, to), in which no committed record of this receiver stands, and none ever will.
type looked struct {
	topicID  [16]byte
	from, to int64
}

// lastMark reads the partition backwards, up to the last record of this receiver. Nothing of its own can be under way,
// since dial has ended it. What was read in vain is not read again after a cut: over a connection that does not last for the
// whole of a partition that others fill, a receiver that is new there would never come to its end.
func (k *kafkaOutput) lastMark(ctx context.Context) (m stream.Mark, found bool, err error) {
	first, err := k.offset(ctx, kafkaEarliest)
	if err != nil {
		return stream.Mark{}, false, err
	}
	end, err := k.offset(ctx, kafkaLatest)
	if err != nil {
		return stream.Mark{}, false, err
	}
	if k.looked.topicID != k.topicID || k.looked.to > end || k.looked.to < first {
		k.looked = looked{topicID: k.topicID, from: end, to: end}
	}
	since := end
	if m, found, err = k.lastBefore(ctx, k.looked.to, &since); err != nil || found {
		return m, found, err
	}
	k.looked.to = end
	return k.lastBefore(ctx, first, &k.looked.from)
}

// lastBefore looks for the last record of this receiver in [first, end), and moves end down over what has none.
func (k *kafkaOutput) lastBefore(ctx context.Context, first int64, end *int64) (m stream.Mark, found bool, err error) {
	for width := int64(8); *end > first; width *= 8 {
		start := max(first, *end-width)
		if m, found, err = k.lastIn(ctx, start, *end); err != nil || found {
			return m, found, err
		}
		*end = start
	}
	return stream.Mark{}, false, nil
}

// What to ask for the offset of.
const (
	kafkaLatest   = -1
	kafkaEarliest = -2
)

// offset asks where the partition begins, or where it ends for who reads only what is committed.
func (k *kafkaOutput) offset(ctx context.Context, which int64) (int64, error) {
	request := kmsg.NewPtrListOffsetsRequest()
	request.IsolationLevel = 1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = k.topic
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Partition, partition.Timestamp = k.partition, which
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	offset := int64(-1)
	err := k.guard(ctx, func(ctx context.Context) error {
		answer, err := request.RequestWith(ctx, k.client)
		if err != nil {
			return err
		}
		for _, t := range answer.Topics {
			for _, p := range t.Partitions {
				if t.Topic == k.topic && p.Partition == k.partition {
					offset = p.Offset
					return kerr.ErrorForCode(p.ErrorCode)
				}
			}
		}
		return errors.New("the brokers say nothing about it")
	})
	if err == nil && offset < 0 {
		err = errors.New("it has no end")
	}
	if err != nil {
		return 0, k.trouble(kafkaClass(err), fmt.Errorf("ask for the end of partition %d of topic %s: %w",
			k.partition, k.topic, err))
	}
	return offset, nil
}

// lastIn reads the records from start up to end, and returns the mark of the last one of this receiver.
func (k *kafkaOutput) lastIn(ctx context.Context, start, end int64) (m stream.Mark, found bool, err error) {
	for next := start; next < end; {
		var records []*kgo.Record
		if records, next, err = k.fetch(ctx, next); err != nil {
			return stream.Mark{}, false, err
		}
		for _, record := range records {
			if record.Offset >= end || string(record.Key) != k.who.Receiver {
				continue
			}
			if m, err = stream.ParseMark(stream.KafkaHeader(record)); err != nil {
				place := fmt.Sprintf("partition %d of topic %s under the key %s", k.partition, k.topic, k.who.Receiver)
				return stream.Mark{}, false, foreignMessage(place, err)
			}
			found = true
		}
	}
	return m, found, nil
}

// fetch reads records that are committed, from an offset on, and returns where to go on: also behind those that are not for
// who reads, and may be the last ones. The library's own consumer would wait for more then.
func (k *kafkaOutput) fetch(ctx context.Context, from int64) (records []*kgo.Record, next int64, err error) {
	request := kmsg.NewPtrFetchRequest()
	request.MaxWaitMillis, request.MinBytes, request.IsolationLevel = 100, 1, 1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = k.topic, k.topicID
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition, partition.FetchOffset = k.partition, from
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	next = from
	err = k.guard(ctx, func(ctx context.Context) error {
		answer, err := k.askInParts(ctx, request)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
			return err
		}
		for _, t := range answer.Topics {
			for _, p := range t.Partitions {
				if p.Partition != k.partition || t.Topic != k.topic && t.TopicID != k.topicID {
					continue
				}
				read, behind := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
					Offset: from, IsolationLevel: kgo.ReadCommitted(), Topic: k.topic, Partition: k.partition,
				}, &p, stream.Unfolder(), nil)
				records, next = read.Records, behind
				return read.Err
			}
		}
		return nil
	})
	if err == nil && next <= from {
		err = errors.New("it gives nothing although it says that there is more")
	}
	if err != nil {
		return nil, from, k.trouble(kafkaClass(err), fmt.Errorf("read the end of partition %d of topic %s: %w",
			k.partition, k.topic, err))
	}
	return records, next, nil
}

// kafkaFetch is how many bytes of a partition are read at once, halved after each cut down to 16 KiB; a larger batch comes whole
// nevertheless.
const (
	kafkaFetch    = int32(1 << 20)
	kafkaSmallest = 6 // times halved
	kafkaCuts     = kafkaSmallest + 4
)

// askInParts asks the leader for the one partition of request, and after a cut for less of it: the library repeats nothing that
// is asked of one broker.
func (k *kafkaOutput) askInParts(ctx context.Context, request *kmsg.FetchRequest) (*kmsg.FetchResponse, error) {
	for cuts := 0; ; cuts++ {
		request.MaxBytes = kafkaFetch >> k.smaller
		request.Topics[0].Partitions[0].PartitionMaxBytes = request.MaxBytes
		answer, err := request.RequestWith(ctx, k.client.Broker(k.leaders[k.partition]))
		if err == nil {
			k.smaller = max(k.smaller-1, 0)
			return answer, nil
		}
		if cuts == kafkaCuts || errors.Is(err, kgo.ErrClientClosed) || kafkaClass(err) != forward.Network {
			return nil, err
		}
		k.smaller = min(k.smaller+1, kafkaSmallest)
	}
}

// Check implements forward.Checker. It begins nothing, so a process that ships meanwhile goes on.
func (k *kafkaOutput) Check(ctx context.Context) error {
	defer k.close()
	return k.connect(ctx)
}
