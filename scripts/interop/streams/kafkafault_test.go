package streams

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"hbjournal/sink/rotate"
)

// TestKafkaAnswersThatSayNothing has the broker do what it was asked, and say that it may not have.
func TestKafkaAnswersThatSayNothing(t *testing.T) {
	for name, f := range map[string]struct {
		key kmsg.Key
		err *kerr.Error
	}{
		"records, timed out":             {kmsg.Produce, kerr.RequestTimedOut},
		"records, too few replicas left": {kmsg.Produce, kerr.NotEnoughReplicasAfterAppend},
		"records, too few replicas":      {kmsg.Produce, kerr.NotEnoughReplicas},
		"commit, refused once":           {kmsg.EndTxn, kerr.CoordinatorNotAvailable},
		"commit, unknown error":          {kmsg.EndTxn, kerr.UnknownServerError},
		"producer id, busy":              {kmsg.InitProducerID, kerr.ConcurrentTransactions},
		"another leader":                 {kmsg.Produce, kerr.NotLeaderForPartition},
		"reading, another leader":        {kmsg.Fetch, kerr.NotLeaderForPartition},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, addr := kafkaWith(t)
			dir := t.TempDir()
			lines := writeJournal(t, dir, 300, rotate.Options{})
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{f.key}, Err: f.err, Count: 2})
			s := &sender{
				URL: "kafka://" + addr + "/" + topic + "?timeout=3s", Dir: dir, Journal: journalID, Receiver: "faults",
				Lines: int64(len(lines)), Batch: 8 << 10,
			}
			if err := s.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantExactly(t, kafkaMessages(t, addr, 0, "faults"), journalID, lines)
		})
	}
}

// TestANewReceiverOfAFullPartitionGetsThroughCuts has to read back what others have put into the partition, over connections
// none of which lasts for more than a part of it.
func TestANewReceiverOfAFullPartitionGetsThroughCuts(t *testing.T) {
	e := newKafka(t)
	e.parts["other"], e.parts["new"] = 0, 0
	dir := t.TempDir()
	lines := writeJournal(t, dir, 2000, rotate.Options{})
	ship := func(ctx context.Context, receiver string, batch int) {
		t.Helper()
		s := &sender{URL: e.url(receiver), Dir: dir, Journal: journalID, Receiver: receiver, Lines: int64(len(lines)), Batch: batch}
		if err := s.run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	answered := 0
	e.between().watch(func(s seen) verdict {
		answered += len(s.data)
		return pass
	})
	ship(t.Context(), "other", 1<<10)
	most, passed, conn, cuts := answered/8, 0, 0, 0
	e.between().watch(func(s seen) verdict {
		if s.conn > conn {
			passed, conn = 0, s.conn
		}
		if passed += len(s.data); passed > most {
			cuts++
			return cut
		}
		return pass
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ship(ctx, "new", 1<<10)
	e.between().watch(nil)
	if cuts < 4 {
		t.Errorf("%d cuts: nothing was tried", cuts)
	}
	wantExactly(t, e.messages(t, "new"), journalID, lines)
}

func TestKafkaRecordsShrinkToWhatTheTopicTakes(t *testing.T) {
	cluster, addr := kafkaWith(t)
	if err := cluster.CreateTopic("small", 1, map[string]string{"max.message.bytes": "20000"}); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	lines := writeJournal(t, dir, 600, rotate.Options{})
	s := &sender{
		URL: "kafka://" + addr + "/small?timeout=3s", Dir: dir, Journal: journalID, Receiver: "small",
		Lines: int64(len(lines)), Batch: 512 << 10,
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestKafkaLeavesNoGoroutine(t *testing.T) {
	cluster, addr := kafkaWith(t)
	dir := t.TempDir()
	lines := writeJournal(t, dir, 100, rotate.Options{})
	s := &sender{
		URL: "kafka://" + addr + "/" + topic + "?timeout=1s", Dir: dir, Journal: journalID, Receiver: "leak",
		Lines: int64(len(lines)), Batch: 8 << 10,
	}
	before := goleak.IgnoreCurrent()
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	cluster.Close()
	out, _, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := out.Position(t.Context(), journalID); err == nil {
		t.Error("a broker that is gone has a position")
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all goroutines have ended", func() bool { return goleak.Find(before) == nil })
}
