package receivers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hbjournal/scripts/freeport"
)

// freeUDP is a UDP port that nobody listens on now.
func freeUDP(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}

// TestTheDaemonForwardsWhatItReceivesOverItsOwnKills has the daemon ship to three receivers, one of which is never there, and
// kills it with KILL in between.
func TestTheDaemonForwardsWhatItReceivesOverItsOwnKills(t *testing.T) {
	t.Parallel()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	v, d := newVictoria(t), newRsyslog(t, "tcp")
	b := newBook(t, 0)
	listen, dir := freeUDP(t), t.TempDir()
	environ := []string{
		"JOURNAL_DIR=" + dir, "LISTEN_ADDR=" + listen, "HTTP_ADDR=off", "JOURNAL_FSYNC=always", "RECEIVER_NAME=rx1",
		"FORWARD_TO=victorialogs://" + v.addr() + "?batch_wait=50ms syslog+tcp://" + d.addr() + "?batch_wait=50ms loki://127.0.0.1:" + freeport.Must(t).String(),
	}
	seq := 0
	for round := range 3 {
		daemon := start(t, environ, path, "serve")
		eventually(t, "the daemon", func() bool { return strings.Contains(daemon.said(), "listening") || daemon.hasEnded() })
		var messages []string
		for range 200 {
			messages = append(messages, fmt.Sprintf(`{"seq":%d,"ID":"HTB","name":"web1"}`, seq))
			seq++
		}
		b.messages = append(b.messages, messages...)
		send(t, path, listen, messages)
		eventually(t, "the journal", func() bool { return len(linesOf(t, filepath.Join(dir, "messages.journal"))) >= seq })
		if round < 2 {
			daemon.kill()
			continue
		}
		both := func() bool { return len(counts(t, v.texts())) == seq && len(counts(t, d.texts())) == seq }
		eventually(t, "all messages at both receivers", both)
		daemon.term()
		if daemon.err != nil {
			t.Errorf("the daemon ended with %v\n%s", daemon.err, daemon.said())
		}
	}
	d.term()
	v.term()
	v.run()
	b.wantAll(t, counts(t, v.texts()), 2*len(b.messages)/3)
	b.wantAll(t, counts(t, d.texts()), 2*len(b.messages)/3)
}

// send sends messages as datagrams.
func send(t testing.TB, path, to string, messages []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "messages")
	if err := os.WriteFile(file, []byte(strings.Join(messages, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := command(".", "sh", "-c", path+" send --to "+to+" < "+file); err != nil {
		t.Fatal(err)
	}
}
