package receivers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestACommandOfTheREADMEIsAllThatItTakes runs the commands of README.md's part about forwarding that are for receivers here, as
// they are written there, but for the port.
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
	v, d := newVictoria(t), newRsyslog(t, "tcp")
	listen, environ := freeUDP(t), []string{"JOURNAL_DIR=" + t.TempDir(), "HTTP_ADDR=off"}
	serving := start(t, append(environ, "LISTEN_ADDR="+listen), path, "serve")
	eventually(t, "the daemon", func() bool { return strings.Contains(serving.said(), "listening") || serving.hasEnded() })
	b := newBook(t, 0)
	for seq := range 100 {
		b.messages = append(b.messages, fmt.Sprintf(`{"seq":%d,"ID":"HTB","name":"web1"}`, seq))
	}
	send(t, path, listen, b.messages)
	for written, receiver := range map[string]daemon{
		"hbjournal forward victorialogs://127.0.0.1:9428": v,
		"hbjournal forward syslog+tcp://127.0.0.1:601":    d,
	} {
		if !strings.Contains(part, "\n"+written+"\n") {
			t.Errorf("README.md does not say %q", written)
		}
		words := strings.Fields(written)
		url := words[2][:strings.Index(words[2], "//")+2] + receiver.addr()
		p := start(t, environ, path, append(words[1:2:2], url)...)
		eventually(t, "all messages", func() bool { return len(receiver.texts()) >= len(b.messages) })
		p.term()
		if p.err != nil {
			t.Errorf("%s: %v\n%s", written, p.err, p.said())
		}
		b.wantAll(t, counts(t, receiver.texts()), 0)
	}
}
