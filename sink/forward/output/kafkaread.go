package output

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"hbjournal/sink/forward"
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
		return k.trouble(dialClass(err), fmt.Errorf("take over the transactions of hbj-%s: %w", k.who.Receiver, err))
	}
	return nil
}

// connect makes a client and looks at the topic. It begins nothing.
func (k *kafkaOutput) connect(ctx context.Context) error {
	k.close()
	k.async = &lastError{}
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
			err = k.trouble(dialClass(err), err)
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
			return 0, k.trouble(dialClass(err), fmt.Errorf("topic %s: %w", k.topic, err))
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
func (k *kafkaOutput) clientOptions() ([]kgo.Opt, error) {
	var seeds []string
	for _, host := range k.hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), kafkaPort)
		}
		seeds = append(seeds, host)
	}
	opts := []kgo.Opt{
		kgo.ClientID("hbjournal"), kgo.SeedBrokers(seeds...), kgo.DialTimeout(k.Timeout), kgo.RetryTimeout(k.Timeout),
		kgo.RequestTimeoutOverhead(max(k.Timeout, time.Second)), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DisableClientMetrics(), kgo.WithHooks(kafkaHook{k.async}), kgo.RetryBackoffFn(kafkaBackoff),
	}
	if k.secure {
		config, err := k.tls("")
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	switch k.sasl {
	case "plain":
		opts = append(opts, kgo.SASL(plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := readSecret(k.PasswordFile)
			return plain.Auth{User: k.User, Pass: password}, err
		})))
	case "scram-sha-256":
		opts = append(opts, kgo.SASL(scram.Sha256(k.scram)))
	case "scram-sha-512":
		opts = append(opts, kgo.SASL(scram.Sha512(k.scram)))
	}
	return opts, nil
}

// kafkaBackoff is how long the library waits before it tries again by itself, within the time of one answer.
func kafkaBackoff(tries int) time.Duration {
	return min(20*time.Millisecond<<min(max(tries-1, 0), 6), time.Second)
}

func (k *kafkaOutput) scram(context.Context) (scram.Auth, error) {
	password, err := readSecret(k.PasswordFile)
	return scram.Auth{User: k.User, Pass: password}, err
}

// kafkaHook keeps why a broker could not be reached: what the library itself says in the end is that time is over.
type kafkaHook struct{ last *lastError }

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (h kafkaHook) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		h.last.put(err)
	}
}

// lastMark reads the partition backwards, up to the last record of this receiver. Nothing of its own can be under way,
// since dial has ended it.
func (k *kafkaOutput) lastMark(ctx context.Context) (m mark, found bool, err error) {
	first, err := k.offset(ctx, kafkaEarliest)
	if err != nil {
		return mark{}, false, err
	}
	end, err := k.offset(ctx, kafkaLatest)
	if err != nil {
		return mark{}, false, err
	}
	for width := int64(8); end > first && !found; width *= 8 {
		start := max(first, end-width)
		if m, found, err = k.lastIn(ctx, start, end); err != nil {
			return mark{}, false, err
		}
		end = start
	}
	return m, found, nil
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
		return 0, k.trouble(dialClass(err), fmt.Errorf("ask for the end of partition %d of topic %s: %w",
			k.partition, k.topic, err))
	}
	return offset, nil
}

// lastIn reads the records from start up to end, and returns the mark of the last one of this receiver.
func (k *kafkaOutput) lastIn(ctx context.Context, start, end int64) (m mark, found bool, err error) {
	for next := start; next < end; {
		var records []*kgo.Record
		if records, next, err = k.fetch(ctx, next); err != nil {
			return mark{}, false, err
		}
		for _, record := range records {
			if record.Offset >= end || string(record.Key) != k.who.Receiver {
				continue
			}
			if m, err = parseMark(kafkaHeader(record)); err != nil {
				place := fmt.Sprintf("partition %d of topic %s under the key %s", k.partition, k.topic, k.who.Receiver)
				return mark{}, false, foreignMessage(place, err)
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
	request.MaxWaitMillis, request.MinBytes, request.MaxBytes, request.IsolationLevel = 100, 1, kafkaFetch, 1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = k.topic, k.topicID
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition, partition.FetchOffset, partition.PartitionMaxBytes = k.partition, from, kafkaFetch
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	next = from
	err = k.guard(ctx, func(ctx context.Context) error {
		answer, err := request.RequestWith(ctx, k.client.Broker(k.leaders[k.partition]))
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
				}, &p, boundedDecompressor{kgo.DefaultDecompressor()}, nil)
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
		return nil, from, k.trouble(dialClass(err), fmt.Errorf("read the end of partition %d of topic %s: %w",
			k.partition, k.topic, err))
	}
	return records, next, nil
}

// kafkaFetch is how many bytes of a partition are read at once; a larger batch comes whole nevertheless.
const kafkaFetch = 1 << 20

// kafkaHeader looks for a header of a record.
func kafkaHeader(record *kgo.Record) func(name string) string {
	return func(name string) string {
		for _, h := range record.Headers {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	}
}

// Check implements forward.Checker. It begins nothing, so a process that ships meanwhile goes on.
func (k *kafkaOutput) Check(ctx context.Context) error {
	defer k.close()
	return k.connect(ctx)
}
