package streams

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"hbjournal/scripts/freeport"
)

// natsArgs are what a nats-server is started with.
type natsArgs struct {
	Port       int
	Dir        string
	MaxPayload int32
	MaxStore   int64 // 0: as much as the disk seems to allow
}

// serveNATS is a nats-server as a process. It syncs each message, as the README tells operators to.
func serveNATS(args []byte, ready func()) error {
	var a natsArgs
	if err := json.Unmarshal(args, &a); err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "streams", Host: "127.0.0.1", Port: a.Port, JetStream: true, StoreDir: a.Dir, SyncAlways: true,
		MaxPayload: a.MaxPayload, JetStreamMaxStore: a.MaxStore, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		return errors.New("nats-server is not ready")
	}
	ready()
	untilStdinEnds()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

// natsEngine is a nats-server with a proxy before it.
type natsEngine struct {
	t      testing.TB // whose server it is, whoever restarts it
	args   natsArgs
	server *child
	proxy  *proxy
}

func newNATS(t testing.TB) *natsEngine {
	t.Helper()
	return newNATSOf(t, natsArgs{})
}

func newNATSOf(t testing.TB, args natsArgs) *natsEngine {
	t.Helper()
	args.Port = int(freeport.Must(t))
	if args.Dir == "" {
		args.Dir = t.TempDir()
	}
	e := &natsEngine{t: t, args: args}
	e.restart()
	e.proxy = newProxy(t, e.direct())
	return e
}

func (e *natsEngine) restart()        { e.server = start(e.t, "nats", e.args) }
func (e *natsEngine) kill()           { e.server.kill() }
func (e *natsEngine) between() *proxy { return e.proxy }
func (e *natsEngine) direct() string  { return net.JoinHostPort("127.0.0.1", strconv.Itoa(e.args.Port)) }

func (e *natsEngine) url(string) string { return "nats://" + e.proxy.addr + "?create=true&timeout=2s" }

// isSend reports whether a message begins in what a client sends.
func (e *natsEngine) isSend(data []byte) bool { return contains(data, "HPUB hbj.") }

// messages reads what the stream holds of a receiver, past all of our own code.
func (e *natsEngine) messages(t testing.TB, receiver string) []message {
	t.Helper()
	return natsMessages(t, "nats://"+e.direct(), receiver)
}

func natsMessages(t testing.TB, url, receiver string) (all []message) {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := conn.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	info, err := js.StreamInfo("HBJ")
	if err != nil {
		t.Fatal(err)
	}
	for seq := max(1, info.State.FirstSeq); seq <= info.State.LastSeq; seq++ {
		m, err := js.GetMsg("HBJ", seq)
		if err != nil {
			t.Fatalf("message %d: %v", seq, err)
		}
		if m.Subject == "hbj."+receiver {
			all = append(all, parseMessage(t, fmt.Sprintf("%s %d", m.Subject, seq), m.Header.Get, m.Data))
		}
	}
	return all
}
