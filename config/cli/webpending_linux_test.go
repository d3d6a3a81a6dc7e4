package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
)

// entryOf is an entry of a host, of now.
func entryOf(host string) string {
	now := time.Now()
	return fmt.Sprintf(`{"timestamp":%d.%03d,"datetime":"%s","source_ip":"10.0.0.1","source_port":50003,"message":{"ID":"HTB","name":%q,"interval":30}}`+"\n",
		now.Unix(), now.UnixMilli()%1000, now.UTC().Format("2006-01-02T15:04:05"), host)
}

// writeEntry adds an entry of a host to a journal, whose directory is made if it is not there.
func writeEntry(t *testing.T, dir, host string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "messages.journal"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(entryOf(host)); err != nil {
		t.Fatal(err)
	}
}

// serveWeb starts `hbjournal web` with these arguments, and returns its address. It ends with the test.
func serveWeb(t *testing.T, args ...string) string {
	t.Helper()
	addr := freeport.Must(t).Addr()
	cmd := command(t, append([]string{"web", "--web-addr", addr}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("web: %v\n%s", err, &stderr)
		}
	})
	return addr
}

// A receiver that joins a fleet while it is shown is in the page, in its stream and in its reports.
func TestWebShowsTheReceiversThatJoin(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"north", "south"} {
		writeEntry(t, filepath.Join(dir, name), "of-"+name)
	}
	other := filepath.Join(t.TempDir(), "other")
	writeEntry(t, other, "of-other")
	addr := serveWeb(t, dir, other) // A fleet, and a journal beside it.
	pageHas(t, "http://"+addr+"/", `name=of-north"`, `name=of-south"`, `name=of-other"`)
	pageHas(t, "http://"+addr+"/report?since=1h", "of-north", "of-south", "of-other")
	live := streamOf(t, "http://"+addr+"/events")
	writeEntry(t, filepath.Join(dir, "west"), "of-west")
	pageHas(t, "http://"+addr+"/", `name=of-west"`)
	live.wait("of-west")
	pageHas(t, "http://"+addr+"/report?since=1h", "of-north", "of-other", "of-west")
}

// pageHas waits until a page holds all of the texts.
func pageHas(t *testing.T, address string, texts ...string) {
	t.Helper()
	err := poll(func() error {
		text, err := pageAt(t, address)
		if err != nil {
			return err
		}
		for _, want := range texts {
			if !strings.Contains(text, want) {
				return fmt.Errorf("%s: got no %q", address, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func pageAt(t *testing.T, address string) (string, error) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// stream is what a stream of events has brought.
type stream struct {
	t    *testing.T
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (s *stream) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

// wait waits until a text has come.
func (s *stream) wait(want string) {
	s.t.Helper()
	err := poll(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !strings.Contains(s.text.String(), want) {
			return fmt.Errorf("got no %q in the stream:\n%s", want, s.text.String())
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// streamOf opens a stream of events, which is open until the test ends.
func streamOf(t *testing.T, address string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s: got %s", address, answer.Status)
	}
	s := &stream{t: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(s, answer.Body) // It ends with the test.
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = answer.Body.Close()
	})
	return s
}

// A directory that is missing, or empty, may come to hold one journal or those of a fleet: the page finds out which.
func TestWebShowsTheJournalsThatAppearWhereThereWereNone(t *testing.T) {
	for name, c := range map[string]struct {
		exists bool
		dirs   []string // below the one that is named, in which journals appear
		later  string   // in which one appears after these
	}{
		"one journal in a directory that was missing": {false, []string{"."}, ""},
		"one journal in a directory that was empty":   {true, []string{"."}, ""},
		"a fleet in a directory that was missing":     {false, []string{"north", "south"}, "west"},
		"a fleet in a directory that was empty":       {true, []string{"north"}, "east"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "hb")
			if c.exists {
				if err := os.Mkdir(dir, 0o750); err != nil {
					t.Fatal(err)
				}
			}
			addr := serveWeb(t, dir)
			pageHas(t, "http://"+addr+"/", "there is no journal at ")
			before, err := pageAt(t, "http://"+addr+"/")
			if err != nil {
				t.Fatal(err)
			}
			_, at, _ := strings.Cut(before, `data-at="`)
			at, _, _ = strings.Cut(at, `"`)
			stream := streamOf(t, "http://"+addr+"/events?from="+at)
			for _, sub := range c.dirs {
				writeEntry(t, filepath.Join(dir, sub), "of-"+filepath.Base(sub))
			}
			for _, sub := range c.dirs {
				pageHas(t, "http://"+addr+"/", `href="/host?name=of-`+filepath.Base(sub)+`"`)
				stream.wait(`of-` + filepath.Base(sub))
			}
			pageHas(t, "http://"+addr+"/report?since=1h", "of-"+filepath.Base(c.dirs[0]))
			if c.later != "" {
				writeEntry(t, filepath.Join(dir, c.later), "of-"+c.later)
				pageHas(t, "http://"+addr+"/", `href="/host?name=of-`+c.later+`"`)
				stream.wait(`of-` + c.later)
			}
			// A page that was loaded before there was a journal comes back with the position that it had then.
			again := streamOf(t, "http://"+addr+"/events?from="+at)
			again.wait(`of-` + filepath.Base(c.dirs[0]))
		})
	}
}
