package streams

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"hbjournal/ingest/fleet"
	"hbjournal/sink/forward/stream"
	"hbjournal/sink/rotate"
)

// archiveOf archives the topic into dir until done says so of the figures, and returns them.
func archiveOf(t *testing.T, addr, dir string, done func(fleet.Figures) bool) fleet.Figures {
	t.Helper()
	a, err := fleet.Open(fleet.Options{
		Dir: dir, Name: "a", Round: 10 * time.Millisecond, Log: zerolog.New(os.Stderr),
		Engine: fleet.NewKafka(stream.Brokers{Hosts: []string{addr}, Timeout: 3 * time.Second}, topic),
		Files:  func(dir string) rotate.Options { return rotate.Options{Dir: dir, Name: base, MaxBytes: 50 << 10} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	eventually(t, "all is archived", func() bool { return done(a.Figures()) })
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return a.Figures()
}

// took reports whether so many lines were dealt with.
func took(n uint64) func(fleet.Figures) bool {
	return func(f fleet.Figures) bool { return f.Lines+f.Copies >= n }
}

func wantArchived(t *testing.T, dir, receiver string, want []string) {
	t.Helper()
	got, err := journalLines(t.Context(), filepath.Join(dir, receiver))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d lines, want %d, or others", receiver, len(got), len(want))
	}
}

func kafkaSender(t *testing.T, addr, receiver, partition, dir string, lines int) {
	t.Helper()
	s := &sender{
		URL: "kafka://" + addr + "/" + topic + "?timeout=3s&partition=" + partition, Dir: dir, Journal: journalID + receiver, Receiver: receiver,
		Lines: int64(lines), Batch: 8 << 10,
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestAnArchiveOfATopicHasTheLinesOfEachReceiver has brokers say errors while receivers and the archiver work, and the archiver
// lose its position.
func TestAnArchiveOfATopicHasTheLinesOfEachReceiver(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		"no fault":                      {},
		"reading, another leader":       {Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 3},
		"looking, busy":                 {Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.LeaderNotAvailable, Count: 3},
		"done, and said to have failed": {Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: 2},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(3, topic))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			addr, dir := cluster.ListenAddrs()[0], t.TempDir()
			partitions, homes, home := map[string]string{"rx-a": "0", "rx-b": "2"}, make(map[string]string), make(map[string]*writer)
			for receiver := range partitions {
				homes[receiver] = t.TempDir()
				home[receiver] = newWriter(t, homes[receiver], rotate.Options{})
			}
			ship := func(n int) {
				for receiver, w := range home {
					w.write(n)
					kafkaSender(t, addr, receiver, partitions[receiver], homes[receiver], len(w.lines))
				}
			}
			if fault.Keys != nil {
				cluster.Fault(fault)
			}
			ship(300)
			archiveOf(t, addr, dir, took(600))
			ship(200)
			archiveOf(t, addr, dir, took(400))
			if err := os.Remove(filepath.Join(fleet.StateDir(dir), "position")); err != nil {
				t.Fatal(err)
			}
			ship(100)
			f := archiveOf(t, addr, dir, took(1200))
			if f.Lines != 200 || f.Copies != 1000 || f.Lost != 0 || f.Holes != 0 {
				t.Errorf("after the loss of the position: got %d new lines, %d copies, %d lost; want 200, 1000 and none", f.Lines, f.Copies, f.Lost)
			}
			for receiver, w := range home {
				wantArchived(t, dir, receiver, w.lines)
			}
		})
	}
}

// TestAHoleInATopicIsCountedAndNoted: retention takes records that were not archived; nobody can be asked for them.
func TestAHoleInATopicIsCountedAndNoted(t *testing.T) {
	cluster, addr := kafkaWith(t)
	defer cluster.Close()
	dir, home := t.TempDir(), t.TempDir()
	w := newWriter(t, home, rotate.Options{})
	w.write(100)
	kafkaSender(t, addr, "rx", "0", home, 100)
	archiveOf(t, addr, dir, took(100))
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w.write(200)
	kafkaSender(t, addr, "rx", "0", home, 300)
	cut := kafkaEnd(t, client, 0)
	w.write(50)
	kafkaSender(t, addr, "rx", "0", home, 350)
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = 1000
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = 0, cut
	about := kmsg.NewDeleteRecordsRequestTopic()
	about.Topic, about.Partitions = topic, append(about.Partitions, part)
	request.Topics = append(request.Topics, about)
	if _, err := request.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	f := archiveOf(t, addr, dir, took(50))
	if f.Lost != 200 || f.Lines != 50 || f.Asked != 0 {
		t.Errorf("got %d lost, %d lines, %d asked for; want 200, 50 and none", f.Lost, f.Lines, f.Asked)
	}
	got, err := journalLines(t.Context(), filepath.Join(dir, "rx"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 151 || !strings.Contains(got[100], `"event":"gap"`) || !strings.Contains(got[100], `"lost":200`) {
		t.Fatalf("got %d lines, want 151 with a gap of 200 as the 101st", len(got))
	}
	if !slices.Equal(got[101:], w.lines[300:]) {
		t.Error("behind the gap are other lines than were sent")
	}
}

// TestATopicThatIsMadeAnewIsReadFromItsBeginning has the archiver read on while the topic is another one.
func TestATopicThatIsMadeAnewIsReadFromItsBeginning(t *testing.T) {
	first, addr := kafkaWith(t)
	dir, home := t.TempDir(), t.TempDir()
	w := newWriter(t, home, rotate.Options{})
	w.write(100)
	kafkaSender(t, addr, "rx", "0", home, 100)
	archiveOf(t, addr, dir, took(100))
	first.Close()
	_, again := kafkaWith(t)
	w.write(60)
	kafkaSender(t, again, "rx", "0", home, 160) // All of them: this topic holds nothing.
	if f := archiveOf(t, again, dir, took(160)); f.Lines != 60 || f.Copies != 100 {
		t.Errorf("got %d lines and %d copies, want 60 and 100", f.Lines, f.Copies)
	}
	wantArchived(t, dir, "rx", w.lines)
}
