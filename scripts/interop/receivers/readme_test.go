package receivers

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var hostAndPort = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// TestACommandOfTheREADMEIsAllThatItTakes runs the commands of README.md's part about forwarding that are for receivers, as they are
// written there, quotes and all, but for the port.
func TestACommandOfTheREADMEIsAllThatItTakes(t *testing.T) {
	t.Parallel()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(repoRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "## Forwarding")
	v, d, n := newVictoria(t), newRsyslog(t, "tcp"), newNATSServer(t)
	listen, environ := freeUDP(t), []string{"JOURNAL_DIR=" + t.TempDir(), "HTTP_ADDR=off"}
	serving := start(t, append(environ, "LISTEN_ADDR="+listen), path, "serve")
	eventually(t, "the daemon", func() bool { return strings.Contains(serving.said(), "listening") || serving.hasEnded() })
	b := newBook(t, 0)
	for seq := range 100 {
		b.messages = append(b.messages, fmt.Sprintf(`{"seq":%d,"ID":"HTB","name":"web1"}`, seq))
	}
	send(t, path, listen, b.messages)
	for written, receiver := range map[string]interface {
		addr() string
		texts() []string
	}{
		"hbjournal forward victorialogs://127.0.0.1:9428":       v,
		"hbjournal forward syslog+tcp://127.0.0.1:601":          d,
		"hbjournal forward 'nats://127.0.0.1:4222?create=true'": n,
	} {
		if !strings.Contains(part, "\n"+written+"\n") {
			t.Errorf("README.md does not say %q", written)
		}
		here := strings.ReplaceAll(hostAndPort.ReplaceAllString(written, receiver.addr()), "hbjournal ", path+" ")
		p := start(t, environ, "sh", "-c", "exec "+here)
		eventually(t, "all messages", func() bool { return len(receiver.texts()) >= len(b.messages) })
		p.term()
		if p.err != nil {
			t.Errorf("%s: %v\n%s", written, p.err, p.said())
		}
		b.wantAll(t, counts(t, receiver.texts()), 0)
	}
}
