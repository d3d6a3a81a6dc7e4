package fleet

import (
	"testing"
	"time"

	"hbjournal/sink/forward/stream"
)

func TestCopiesThatAreUpAreToldFromThoseThatAreNot(t *testing.T) {
	f := func(leader string, want int, wantBehind uint64, replicas ...stream.Replica) {
		t.Helper()
		var s Seen
		s.Info.Cluster = stream.Cluster{Leader: leader, Replicas: replicas}
		if copies, behind := s.Current(); copies != want || behind != wantBehind {
			t.Errorf("got %d copies and %d messages behind, want %d and %d", copies, behind, want, wantBehind)
		}
	}
	up := stream.Replica{Current: true, Active: time.Second}
	f("", 1, 0) // A server on its own.
	f("nats0", 3, 0, up, up)
	f("nats0", 3, 40, up, stream.Replica{Active: time.Second, Lag: 40})
	f("nats0", 2, 0, up, stream.Replica{Current: true, Active: time.Minute})
	f("nats0", 2, 0, up, stream.Replica{Offline: true, Active: time.Second})
	f("nats0", 2, 0, up, stream.Replica{Lag: 2}) // This leader has never heard it.
	f("", 2, 0, up, up)
}
