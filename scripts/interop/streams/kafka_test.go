package streams

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hbjournal/scripts/freeport"
)

// kafkaArgs are what a broker is started with.
type kafkaArgs struct {
	Port int
	Says int // port that it tells clients to come to: the proxy's
	Dir  string
}

// The topic of the tests.
const (
	topic      = "journals"
	partitions = 64
)

// serveKafka is a kfake as a process, which syncs each write.
func serveKafka(args []byte, ready func()) error {
	var a kafkaArgs
	if err := json.Unmarshal(args, &a); err != nil {
		return err
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(a.Port), kfake.SeedTopics(partitions, topic),
		kfake.DataDir(a.Dir), kfake.SyncWrites(), kfake.ListenFn(func(network, address string) (net.Listener, error) {
			l, err := net.Listen(network, address)
			return saying{l, a.Says}, err
		}))
	if err != nil {
		return err
	}
	ready()
	untilStdinEnds()
	cluster.Close()
	return nil
}

// saying is a listener that says it had another port.
type saying struct {
	net.Listener
	port int
}

func (s saying) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.port} }

// kafkaEngine is a broker with a proxy before it.
type kafkaEngine struct {
	t       testing.TB // whose broker it is, whoever restarts it
	args    kafkaArgs
	server  *child
	proxy   *proxy
	parts   map[string]int // of receivers
	options string
}

func newKafka(t testing.TB) *kafkaEngine {
	t.Helper()
	return newKafkaIn(t, t.TempDir())
}

// newKafkaIn is newKafka with its files in dir.
func newKafkaIn(t testing.TB, dir string) *kafkaEngine {
	t.Helper()
	port := int(freeport.Must(t))
	p := newProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	e := &kafkaEngine{t: t, args: kafkaArgs{Port: port, Says: p.port, Dir: dir}, proxy: p, parts: make(map[string]int)}
	e.restart()
	return e
}

func (e *kafkaEngine) restart()        { e.server = start(e.t, "kafka", e.args) }
func (e *kafkaEngine) kill()           { e.server.kill() }
func (e *kafkaEngine) between() *proxy { return e.proxy }

// url gives each receiver a partition of its own, as long as there are some.
func (e *kafkaEngine) url(receiver string) string {
	return fmt.Sprintf("kafka://%s/%s?timeout=3s&partition=%d%s", e.proxy.addr, topic, e.partition(receiver), e.options)
}

func (e *kafkaEngine) partition(receiver string) int {
	if _, ok := e.parts[receiver]; !ok {
		e.parts[receiver] = len(e.parts) % partitions
	}
	return e.parts[receiver]
}

// isSend reports whether what a client sends begins with a request that stores records, or commits them.
func (e *kafkaEngine) isSend(data []byte) bool {
	const produce, endTxn = 0, 26
	return len(data) > 8 && data[0] == 0 && data[4] == 0 && (data[5] == produce || data[5] == endTxn)
}

// messages reads what the topic holds of a receiver, as who reads only what is committed.
func (e *kafkaEngine) messages(t testing.TB, receiver string) []message {
	t.Helper()
	return kafkaMessages(t, e.proxy.addr, int32(e.partition(receiver)), receiver)
}

// kafkaMessages reads by the markers in the partition: behind the records of a transaction stands whether they count. It
// does not ask the broker which were aborted: kfake, when it finds an open transaction at its start, aborts it without a
// marker, and then a client believes the later ones of that producer to be aborted, too.
func kafkaMessages(t testing.TB, addr string, partition int32, receiver string) (all []message) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	open := make(map[int64][]*kgo.Record) // by producer
	end := kafkaEnd(t, client, partition)
	for next := int64(0); next < end; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			next = r.Offset + 1
			pending := open[r.ProducerID]
			if len(pending) > 0 && pending[0].ProducerEpoch != r.ProducerEpoch && !r.Attrs.IsControl() {
				pending = nil // Aborted when the broker was killed.
			}
			if !r.Attrs.IsControl() {
				open[r.ProducerID] = append(pending, r)
				continue
			}
			delete(open, r.ProducerID)
			const commit = 1
			committed := len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == commit
			if !committed || len(pending) == 0 || pending[0].ProducerEpoch != r.ProducerEpoch {
				continue
			}
			for _, r := range pending {
				if string(r.Key) == receiver {
					all = append(all, kafkaMessage(t, r))
				}
			}
		}
	}
	return all
}

// kafkaEnd is the offset before which all transactions are decided.
func kafkaEnd(t testing.TB, client *kgo.Client, partition int32) int64 {
	t.Helper()
	request := kmsg.NewPtrListOffsetsRequest()
	request.IsolationLevel = 1
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = partition, -1
	asked.Partitions = append(asked.Partitions, part)
	request.Topics = append(request.Topics, asked)
	answer, err := request.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Topics[0].Partitions[0].Offset
}

func kafkaMessage(t testing.TB, r *kgo.Record) message {
	t.Helper()
	header := func(name string) string {
		for _, h := range r.Headers {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	}
	return parseMessage(t, fmt.Sprintf("%s %d", r.Key, r.Offset), header, r.Value)
}

func (e *kafkaEngine) foreign(t testing.TB, receiver string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(e.proxy.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	record := &kgo.Record{Topic: topic, Partition: int32(e.partition(receiver)), Key: []byte(receiver), Value: []byte("hello")}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func TestKafkaKillTable(t *testing.T) {
	t.Parallel() // Most of its time it waits.
	runTable(t, newTable(t, newKafka(t)))
}
