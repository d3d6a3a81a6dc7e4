//go:build unix

package cli

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// probe runs health against a server whose address is the setting, with a journal that nobody writes.
func probe(t *testing.T, addr string) outcome {
	t.Helper()
	return run(t, []string{"JOURNAL_DIR=" + t.TempDir(), "HTTP_ADDR=" + addr, "HTTP_PROXY=http://192.0.2.1:1"}, "health")
}

// answering serves one answer to whatever is asked, and returns its address.
func answering(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestHealthSaysWhyTheDaemonIsNotReady(t *testing.T) {
	addr := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "not ready\nwrite: no space left on device \x1b[31m\n")
	})
	got := probe(t, addr)
	got.want(t, 1, "hbjournal: error: not ready\n", `hbjournal: error: write: no space left on device \u001b[31m`)
	if got.stdout != "" {
		t.Errorf("got %q on standard output, want nothing", got.stdout)
	}
}

func TestHealthKnowsAStrangerByItsAnswer(t *testing.T) {
	elsewhere := answering(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ready") })
	for name, answer := range map[string]http.HandlerFunc{
		"404": http.NotFound,
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+elsewhere, http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) { probe(t, answering(t, answer)).want(t, 1, "got status", "hint: something else") })
	}
}

func TestHealthAnswersWithinASecondWhateverTheOtherSideDoes(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	endless := answering(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, "ready "); err != nil {
				return
			}
		}
	})
	for name, addr := range map[string]string{"silent": silent.Addr().String(), "endless": endless, "far away": "192.0.2.1:9503"} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			probe(t, addr)
			if took := time.Since(began); took > time.Second {
				t.Errorf("got an answer after %v, want it within a second", took)
			}
		})
	}
	t.Run("disk", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.MkdirAll(dir+"/.messages.journal.d", 0o755); err != nil {
			t.Fatal(err)
		}
		fifo := dir + "/.messages.journal.d/serving" // is read for ever, as a file on a disk that does not answer
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		addr := answering(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ready") })
		run(t, []string{"JOURNAL_DIR=" + dir, "HTTP_ADDR=" + addr}, "health").want(t, 0, "ready\n")
		if w, err := os.OpenFile(fifo, os.O_WRONLY, 0); err != nil || w.Close() != nil {
			t.Fatal(err) // else the reader would be left behind
		}
	})
	probe(t, silent.Addr().String()).want(t, 1, "no answer within")
}

// A daemon whose note cannot be read is asked by the settings, as is one that left none.
func TestHealthGoesByTheSettingsWhereItSeesNoNote(t *testing.T) {
	addr := answering(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ready") })
	probe(t, addr).want(t, 0, "ready\n")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, wildcard := range []string{":" + port, "0.0.0.0:" + port, "[::]:" + port} {
		probe(t, wildcard).want(t, 0, "ready\n")
	}
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/.messages.journal.d/serving", 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, []string{"JOURNAL_DIR=" + dir, "HTTP_ADDR=" + addr}, "health").want(t, 0, "ready\n")
}
