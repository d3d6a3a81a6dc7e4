package receivers

import (
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// natsServer is one in this process, with JetStream; streams has those that are killed.
type natsServer struct {
	t   testing.TB
	own *server.Server
}

func newNATSServer(t testing.TB) *natsServer {
	t.Helper()
	own, err := server.NewServer(&server.Options{
		ServerName: "readme", Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	own.Start()
	t.Cleanup(func() {
		own.Shutdown()
		own.WaitForShutdown()
	})
	if !own.ReadyForConnections(patience) {
		t.Fatal("nats-server is not ready")
	}
	return &natsServer{t, own}
}

func (n *natsServer) addr() string { return n.own.Addr().String() }

// texts are the lines of all messages of the stream HBJ.
func (n *natsServer) texts() (all []string) {
	n.t.Helper()
	conn, err := nats.Connect(n.own.ClientURL(), nats.Timeout(10*time.Second))
	if err != nil {
		n.t.Fatal(err)
	}
	defer conn.Close()
	js, err := conn.JetStream()
	if err != nil {
		n.t.Fatal(err)
	}
	info, err := js.StreamInfo("HBJ")
	if err != nil {
		return nil // It is not made yet.
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	defer decoder.Close()
	for seq := max(1, info.State.FirstSeq); seq <= info.State.LastSeq; seq++ {
		m, err := js.GetMsg("HBJ", seq)
		if err != nil {
			n.t.Fatal(err)
		}
		text, err := decoder.DecodeAll(m.Data, nil)
		if err != nil || m.Header.Get("Content-Encoding") != "zstd" {
			n.t.Fatalf("message %d: %v, Content-Encoding %q", seq, err, m.Header.Get("Content-Encoding"))
		}
		all = append(all, linesIn(text)...)
	}
	return all
}
