package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicState is what a topic is like.
type topicState struct {
	id    string // another one when the topic is made anew
	parts map[int32]bounds
}

// bounds are where a partition begins, and where it ends for who reads only what is committed.
type bounds struct{ first, end uint64 }

// What to ask for the offset of.
const (
	kafkaLatest   = -1
	kafkaEarliest = -2
)

// look asks the brokers about the topic.
func (k *Kafka) look(ctx context.Context) (topicState, error) {
	ctx, cancel := context.WithTimeout(ctx, k.brokers.Timeout)
	defer cancel()
	now, err := k.metadata(ctx)
	if err == nil {
		err = k.offsets(ctx, now.parts, kafkaEarliest, func(b *bounds, offset uint64) { b.first = offset })
	}
	if err == nil {
		err = k.offsets(ctx, now.parts, kafkaLatest, func(b *bounds, offset uint64) { b.end = offset })
	}
	if err != nil {
		return topicState{}, k.fault("look at topic "+k.topic, err)
	}
	return now, nil
}

// metadata asks which partitions there are.
func (k *Kafka) metadata(ctx context.Context) (now topicState, err error) {
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(k.topic)
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, k.client)
	if err != nil {
		return now, err
	}
	for _, t := range answer.Topics {
		if t.Topic == nil || *t.Topic != k.topic {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return now, err
		}
		now.id = k.topic // Brokers before 2.8 have no ids.
		if t.TopicID != [16]byte{} {
			now.id = fmt.Sprintf("%x", t.TopicID)
		}
		now.parts = make(map[int32]bounds, len(t.Partitions))
		for _, p := range t.Partitions {
			now.parts[p.Partition] = bounds{}
		}
	}
	if len(now.parts) == 0 {
		return now, errors.New("the brokers say nothing about it")
	}
	return now, nil
}

// offsets asks for an offset of each partition.
func (k *Kafka) offsets(ctx context.Context, parts map[int32]bounds, which int64, set func(*bounds, uint64)) error {
	request := kmsg.NewPtrListOffsetsRequest()
	request.IsolationLevel = 1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = k.topic
	for number := range parts {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = number, which
		topic.Partitions = append(topic.Partitions, partition)
	}
	request.Topics = append(request.Topics, topic)
	told := 0
	for _, shard := range k.client.RequestSharded(ctx, request) {
		if shard.Err != nil {
			return shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("partition %d: %w", p.Partition, err)
				}
				b, ok := parts[p.Partition]
				if !ok || p.Offset < 0 {
					return fmt.Errorf("partition %d has the bound %d", p.Partition, p.Offset)
				}
				set(&b, uint64(p.Offset))
				parts[p.Partition] = b
				told++
			}
		}
	}
	if told != len(parts) {
		return fmt.Errorf("the brokers say something about %d of %d partitions", told, len(parts))
	}
	return nil
}
