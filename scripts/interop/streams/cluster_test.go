package streams

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"hbjournal/sink/rotate"

	"hbjournal/scripts/freeport"
)

// natsCluster runs three servers in this process.
func natsCluster(t *testing.T) (servers []*server.Server, hosts string) {
	t.Helper()
	var routes, clients []string
	ports := make([]int, 3)
	for i := range ports {
		ports[i] = int(freeport.Must(t))
		routes = append(routes, "nats://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[i])))
	}
	for i := range ports {
		opt := &server.Options{
			ServerName: fmt.Sprintf("s%d", i), Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
			NoSigs: true, NoLog: true, Routes: server.RoutesFromStr(strings.Join(routes, ",")),
			Cluster: server.ClusterOpts{Name: "hbj", Host: "127.0.0.1", Port: ports[i]},
		}
		s, err := server.NewServer(opt)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		servers = append(servers, s)
	}
	for _, s := range servers {
		if !s.ReadyForConnections(30 * time.Second) {
			t.Fatal("nats-server is not ready")
		}
		clients = append(clients, strings.TrimPrefix(s.ClientURL(), "nats://"))
	}
	eventually(t, "the cluster has a leader", func() bool {
		for _, s := range servers {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == len(servers) {
				return true
			}
		}
		return false
	})
	return servers, strings.Join(clients, ",")
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	end := time.After(30 * time.Second)
	for !is() {
		select {
		case <-end:
			t.Fatalf("waited 30 s in vain: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestANATSClusterThatChangesItsLeader ships to a stream of three copies while its leader steps down again and again, and while
// servers go away and come back.
func TestANATSClusterThatChangesItsLeader(t *testing.T) {
	t.Parallel()
	servers, hosts := natsCluster(t)
	dir := t.TempDir()
	w := newWriter(t, dir, rotate.Options{MaxBytes: 100 << 10})
	w.write(100)
	s := &sender{
		URL: "nats://" + hosts + "?create=true&replicas=3&timeout=3s", Dir: dir, Journal: journalID, Receiver: "moved", Lines: 100,
		Batch: 2 << 10,
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect("nats://" + hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const rounds = 12
	s.Lines = 100 + rounds*200
	ended := make(chan error, 1)
	go func() { ended <- s.run(t.Context()) }()
	for i := range rounds {
		w.write(200)
		if _, err := conn.Request("$JS.API.STREAM.LEADER.STEPDOWN.HBJ", nil, 5*time.Second); err != nil {
			t.Logf("step-down %d: %v", i, err) // There may be no leader to do it now.
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	leader := func() *server.Server {
		for _, s := range servers {
			if s.JetStreamIsStreamLeader("$G", "HBJ") {
				return s
			}
		}
		return nil
	}
	eventually(t, "the stream has a leader", func() bool { return leader() != nil })
	gone := leader()
	gone.Shutdown()
	gone.WaitForShutdown()
	w.write(200)
	s.Lines += 200
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, left := range servers {
		if left.Running() {
			wantExactly(t, natsMessages(t, left.ClientURL(), "moved"), journalID, w.lines)
		}
	}
}
