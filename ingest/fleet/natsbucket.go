package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hbjournal/sink/forward/stream"
)

// NATSBucket is a bucket of JetStream's key-value store, beside a stream.
type NATSBucket struct {
	client stream.Client
	stream string
	bucket string

	sub     *nats.Subscription
	pull    string
	dials   int
	created string
	news    bool      // it is another bucket than before, and nobody was told yet
	anew    time.Time // when all was read last
}

// NewNATSBucket makes a bucket with this name, of a stream. It is made when it is not there, with the stream's replicas.
func NewNATSBucket(servers stream.Servers, name, bucket string) *NATSBucket {
	return &NATSBucket{client: stream.Client{Servers: servers}, stream: name, bucket: bucket}
}

// readAllEvery is how often all keys are read anew: what a consumer that got stuck has missed is then known.
const readAllEvery = time.Minute

func (b *NATSBucket) keyStream() string { return "KV_" + b.bucket }
func (b *NATSBucket) keyPrefix() string { return "$KV." + b.bucket + "." }

// BucketConfig is how a bucket is made.
func BucketConfig(bucket string, replicas int) stream.Config {
	return stream.Config{
		Name: "KV_" + bucket, Description: "what hbjournal's archivers and receivers tell each other", Subjects: []string{"$KV." + bucket + ".>"},
		Retention: "limits", Storage: "file", Discard: "new", Replicas: replicas, MaxBytes: 64 << 20, MaxMessages: -1, PerSubject: 1,
		MaxMessage: 2 * stream.MaxValue, Window: 2 * time.Minute, AllowDirect: true, AllowRollup: true, DenyDelete: true,
	}
}

// Put implements Bucket.
func (b *NATSBucket) Put(ctx context.Context, key string, value []byte) error {
	if err := b.client.Dial(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, b.client.Timeout)
	defer cancel()
	var ack stream.Ack
	return b.client.Ask(ctx, &nats.Msg{Subject: b.keyPrefix() + key, Data: value}, &ack)
}

// Poll implements Bucket.
func (b *NATSBucket) Poll(ctx context.Context) (changes []Change, anew bool, err error) {
	if err := b.client.Dial(ctx); err != nil {
		return nil, false, err
	}
	if b.sub == nil || b.dials != b.client.Dials() || time.Since(b.anew) > readAllEvery {
		if err := b.begin(ctx); err != nil {
			return nil, false, err
		}
	}
	changes, err = b.read(ctx)
	if err != nil {
		b.end()
		return changes, false, err
	}
	anew, b.news = b.news, false
	return changes, anew, nil
}

// begin begins to read all keys.
func (b *NATSBucket) begin(ctx context.Context) (err error) {
	b.end()
	var info stream.Info
	err = b.client.API(ctx, "STREAM.INFO."+b.keyStream(), struct{}{}, &info)
	if stream.Code(err) == stream.NoStream {
		info, err = b.make(ctx)
	}
	if err != nil {
		return fmt.Errorf("look at bucket %s: %w", b.bucket, err)
	}
	made, err := makeConsumer(ctx, &b.client, b.keyStream(), consumerConfig{Deliver: "last_per_subject", Filter: b.keyPrefix() + ">"})
	if err != nil {
		return err
	}
	conn := b.client.Conn()
	if b.sub, err = conn.SubscribeSync(conn.NewInbox()); err != nil {
		return fmt.Errorf("read bucket %s: %w", b.bucket, err)
	}
	b.pull = "$JS.API.CONSUMER.MSG.NEXT." + b.keyStream() + "." + made.Name
	b.dials, b.anew = b.client.Dials(), time.Now()
	created := info.Created.UTC().Format(time.RFC3339Nano)
	b.news = b.news || created != b.created
	b.created = created
	return nil
}

// make makes the bucket, as safe as the stream is.
func (b *NATSBucket) make(ctx context.Context) (info stream.Info, err error) {
	var of stream.Info
	if err := b.client.API(ctx, "STREAM.INFO."+b.stream, struct{}{}, &of); err != nil {
		return info, err
	}
	err = b.client.API(ctx, "STREAM.CREATE."+b.keyStream(), BucketConfig(b.bucket, of.Config.Replicas), &info)
	return info, err
}

// readAtOnce are the keys that are asked for at once.
const readAtOnce = 500

// read reads what there is.
func (b *NATSBucket) read(ctx context.Context) (changes []Change, err error) {
	request, err := json.Marshal(map[string]any{"batch": readAtOnce, "no_wait": true})
	if err != nil {
		return nil, err
	}
	for {
		if err := b.client.Conn().PublishRequest(b.pull, b.sub.Subject, request); err != nil {
			return changes, err
		}
		for range readAtOnce {
			within, cancel := context.WithTimeout(ctx, b.client.Timeout)
			msg, err := b.sub.NextMsgWithContext(within)
			cancel()
			if err != nil {
				return changes, fmt.Errorf("read bucket %s: %w", b.bucket, err)
			}
			if status := msg.Header.Get("Status"); status != "" {
				if status == "404" || status == "408" {
					return changes, nil
				}
				return changes, fmt.Errorf("read bucket %s: %.20s %.200s", b.bucket, status, msg.Header.Get("Description"))
			}
			changes = append(changes, b.change(msg))
		}
	}
}

// headerOperation says, in a message of a bucket, that its key was deleted.
const headerOperation = "KV-Operation"

// change takes a message of the bucket apart.
func (b *NATSBucket) change(msg *nats.Msg) Change {
	c := Change{Key: strings.TrimPrefix(msg.Subject, b.keyPrefix()), Value: msg.Data}
	if msg.Header.Get(headerOperation) != "" {
		c.Value = nil // It was deleted.
	} else if c.Value == nil {
		c.Value = []byte{}
	}
	return c
}

// Purge implements Bucket.
func (b *NATSBucket) Purge(ctx context.Context, created string, last uint64) (first uint64, err error) {
	if err := b.client.Dial(ctx); err != nil {
		return 0, err
	}
	if last > 0 {
		var now stream.Info
		if err := b.client.API(ctx, "STREAM.INFO."+b.stream, struct{}{}, &now); err != nil {
			return 0, fmt.Errorf("look at stream %s: %w", b.stream, err)
		}
		if now.Created.UTC().Format(time.RFC3339Nano) != created || now.State.Last < last {
			return now.State.First, nil // It is another one, or was put back: these are not the messages that were dealt with.
		}
		var done stream.Purged
		if err := b.client.API(ctx, "STREAM.PURGE."+b.stream, map[string]uint64{"seq": last + 1}, &done); err != nil {
			return 0, fmt.Errorf("purge stream %s up to message %d: %w", b.stream, last, err)
		}
	}
	var info stream.Info
	if err := b.client.API(ctx, "STREAM.INFO."+b.stream, struct{}{}, &info); err != nil {
		return 0, fmt.Errorf("look at stream %s: %w", b.stream, err)
	}
	return info.State.First, nil
}

func (b *NATSBucket) end() {
	if b.sub != nil {
		_ = b.sub.Unsubscribe()
	}
	b.sub = nil
}

// Close implements Bucket.
func (b *NATSBucket) Close() error {
	b.end()
	b.client.Close()
	return nil
}
