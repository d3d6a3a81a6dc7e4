package cli

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/forward/killtest"
	"hbjournal/sink/names"
)

// wholeJournal is the text of all files of a journal, in their order.
func wholeJournal(t *testing.T, dir string) []byte {
	t.Helper()
	files, err := names.Files(dir, "messages.journal")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(file.Path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

func TestADaemonThatIsKilledForwardsEachLineOnce(t *testing.T) {
	work := t.TempDir()
	dir, copied := filepath.Join(work, "journal"), filepath.Join(work, "copy")
	v := startVictim(t, dir, "JOURNAL_MAX_SIZE=20000", "JOURNAL_MAX_BACKUPS=0", "FORWARD_TO=file://"+copied+"?"+killtest.Batch)
	v.launch.environ = append(v.launch.environ, "LISTEN_ADDR="+v.udp)
	l := loadFor(t, v.udp)
	for range 10 {
		l.send(200)
		<-time.After(time.Duration(rand.IntN(30)) * time.Millisecond)
		v.kill()
		v.restart(t)
	}
	l.send(100)
	v.untilReceived(t, 100)
	v.untilWritten(t)
	eventually(t, "the copy is as long as the journal", func() bool {
		got, err := os.ReadFile(copied)
		return err == nil && len(got) >= len(wholeJournal(t, dir))
	})
	v.terminate(t)
	got, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if want := wholeJournal(t, dir); !bytes.Equal(got, want) {
		t.Errorf("the copy has %d bytes and %d lines, the journal %d and %d, or others", len(got), bytes.Count(got, []byte("\n")),
			len(want), bytes.Count(want, []byte("\n")))
	}
}

func TestOutputsThatAreDownDisturbNeitherReceivingNorThoseThatWork(t *testing.T) {
	work := t.TempDir()
	dir := filepath.Join(work, "journal")
	urls := []string{"file://" + filepath.Join(work, "copy") + "?" + killtest.Batch, "file:///dev/null/x"}
	for _, scheme := range []string{
		"http", "https", "syslog+tcp", "syslog+tls", "gelf+tcp", "gelf+http", "cef+tcp", "elasticsearch", "loki", "otlp", "victorialogs",
	} {
		urls = append(urls, scheme+"://127.0.0.1:1/?batch_wait=1ms")
	}
	for i, raw := range urls {
		if strings.HasPrefix(raw, "syslog") || strings.HasPrefix(raw, "cef") || strings.HasPrefix(raw, "gelf+tcp") {
			urls[i] = strings.Replace(raw, "/?", "?", 1)
		}
	}
	v := startVictim(t, dir, "JOURNAL_MAX_SIZE=50000", "JOURNAL_MAX_BACKUPS=0", "FORWARD_TO="+strings.Join(urls, " "))
	l := loadFor(t, v.udp)
	l.send(5000)
	v.untilReceived(t, 5000)
	v.untilWritten(t)
	v.untilReady(t)
	_, ready := v.ready(t)
	if got := strings.Count(ready, "warning: output"); got != len(urls)-1 {
		t.Errorf("/readyz warns of %d outputs, want %d:\n%s", got, len(urls)-1, ready)
	}
	eventually(t, "the output that works has all", func() bool {
		text, err := os.ReadFile(filepath.Join(work, "copy"))
		return err == nil && bytes.Count(text, []byte("\n")) == 5000
	})
	if got := v.logCount(t, "does not take lines"); got > 2*len(urls) {
		t.Errorf("the log speaks of outputs that are down %d times", got)
	}
	v.terminate(t)
	readJournal(t, dir).wantAll(t, 5000)
	if text := v.logText(t); slices.ContainsFunc([]string{"panic", "DATA RACE"}, func(s string) bool { return strings.Contains(text, s) }) {
		t.Error(text)
	}
}
