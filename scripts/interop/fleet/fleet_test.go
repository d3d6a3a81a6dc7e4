package fleet

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"hbjournal/scripts/freeport"
)

// A fleet is servers, receivers that ship to them, and archivers that write what they hold.
type fleet struct {
	dir       string
	cluster   *cluster
	receivers []*receiver
	archivers []*archiver
}

// A receiver is a daemon with a journal.
type receiver struct {
	*process
	journal    string // directory
	addr, http string
}

// An archiver has a journal of each receiver.
type archiver struct {
	*process
	journals string // directory
	http     string
}

// plan is what a fleet is made of. The zero value is what most tests want: three servers, two receivers, two archivers.
type plan struct {
	servers   int
	environ   []string // of the receivers, before their defaults
	archive   []string // of the archivers, likewise
	archivers []string // where their journals lie, if not in the fleet's directory
}

func (p plan) orDefault() plan {
	if p.servers == 0 {
		p.servers = 3
	}
	return p
}

// newFleet starts all of it but the load.
func newFleet(t testing.TB, p plan) *fleet {
	t.Helper()
	p = p.orDefault()
	f := &fleet{dir: t.TempDir()}
	f.cluster = newCluster(t, f.dir, p.servers)
	f.init(t)
	for i, name := range []string{"one", "two"} {
		f.receivers = append(f.receivers, f.newReceiver(t, name, filepath.Join(f.dir, name), p.environ))
		a := f.newArchiver(t, []string{"a", "b"}[i], p)
		f.archivers = append(f.archivers, a)
		a.start(t)
		f.receivers[i].start(t)
	}
	f.wantReady(t)
	return f
}

// init makes what is missing of stream and bucket.
func (f *fleet) init(t testing.TB) {
	t.Helper()
	options := fmt.Sprintf("replicas=%d&max_bytes=3GiB", len(f.cluster.servers))
	run(t, nil, program("hbjournal"), "archive", "--init", f.url(options))
}

func (f *fleet) url(options string) string {
	return "nats://" + f.cluster.hosts() + "?timeout=3s&" + options
}

// newReceiver makes a daemon whose journal has small files, of which none is ever pruned.
func (f *fleet) newReceiver(t testing.TB, name, journal string, environ []string) *receiver {
	t.Helper()
	r := &receiver{journal: journal, addr: freeport.Must(t).Addr(), http: freeport.Must(t).Addr()}
	r.process = newProcess(t, f.dir, name, program("hbjournal"), "serve")
	r.environ = append([]string{
		"RECEIVER_NAME=" + name, "JOURNAL_DIR=" + journal, "LISTEN_ADDR=" + r.addr, "HTTP_ADDR=" + r.http, "JOURNAL_MAX_SIZE=2MB",
		"JOURNAL_MAX_BACKUPS=0", "JOURNAL_COMPRESS=zstd", "FORWARD_HOLD=1GiB", "FORWARD_TO=" + f.url("archivers=a,b"), "LISTEN_BUFFER=8MiB",
		"HOME=" + f.dir,
	}, environ...)
	return r
}

// newArchiver makes one whose files end elsewhere than those of the receivers and of the other.
func (f *fleet) newArchiver(t testing.TB, name string, p plan) *archiver {
	t.Helper()
	i := len(f.archivers)
	a := &archiver{journals: filepath.Join(f.dir, "archive-"+name), http: freeport.Must(t).Addr()}
	if i < len(p.archivers) {
		a.journals = p.archivers[i]
	}
	a.process = newProcess(t, f.dir, "archiver-"+name, program("hbjournal"), "archive", f.url(""))
	size := fmt.Sprintf("JOURNAL_MAX_SIZE=%dKB", 3000+1700*i)
	a.environ = append([]string{
		"ARCHIVER_NAME=" + name, "JOURNAL_DIR=" + a.journals, "HTTP_ADDR=" + a.http, size, "JOURNAL_MAX_BACKUPS=0",
		"JOURNAL_COMPRESS=" + []string{"gzip", "none"}[i%2], "HOME=" + f.dir,
	}, p.archive...)
	return a
}

// isReady says why a daemon is not.
func isReady(addr string) error {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get("http://" + addr + "/readyz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", addr, answer.Status)
	}
	return nil
}

// wantReady waits until all that runs is ready.
func (f *fleet) wantReady(t testing.TB) {
	t.Helper()
	eventually(t, time.Minute, "all are ready", func() error {
		for _, r := range f.receivers {
			if r.runs() {
				if err := isReady(r.http); err != nil {
					return fmt.Errorf("receiver %s: %w", r.name, err)
				}
			}
		}
		for _, a := range f.archivers {
			if a.runs() {
				if err := isReady(a.http); err != nil {
					return fmt.Errorf("%s: %w", a.name, err)
				}
			}
		}
		return nil
	})
}

// send begins to send datagrams to every receiver, so many a second to each, until stop is called.
func (f *fleet) send(t testing.TB, rate int) (stop func()) {
	t.Helper()
	var loads []*process
	for _, r := range f.receivers {
		load := newProcess(t, f.dir, "load-"+r.name, program("hbjournal"), "send", "--to", r.addr, "--mix",
			"--rate", strconv.Itoa(rate), "--keep-going", "--sources", "10")
		load.start(t)
		loads = append(loads, load)
	}
	return func() {
		for _, load := range loads {
			load.kill()
		}
	}
}

// sub is an archiver's journal of a receiver.
func (a *archiver) sub(r *receiver) string { return filepath.Join(a.journals, r.name) }

// wantSame waits until every archive has exactly what the receivers have, and checks it once more when all have ended.
func (f *fleet) wantSame(t testing.TB) {
	t.Helper()
	f.settle(t)
	for _, p := range f.processes() {
		p.end(t)
	}
	lines := 0
	for _, r := range f.receivers {
		lines += linesOf(t, r.journal)
		for _, a := range f.archivers {
			if err := differ(r.journal, a.sub(r)); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d lines, the same in all archives", lines)
}

// settle waits until every archive has what the receivers have.
func (f *fleet) settle(t testing.TB) {
	t.Helper()
	for _, r := range f.receivers {
		for _, a := range f.archivers {
			eventually(t, 2*time.Minute, a.name+" has all of "+r.name, func() error { return differ(r.journal, a.sub(r)) })
		}
	}
}

func (f *fleet) processes() (all []*process) {
	for _, r := range f.receivers {
		all = append(all, r.process)
	}
	for _, a := range f.archivers {
		all = append(all, a.process)
	}
	return all
}

// wantLines fails if a receiver has fewer lines: then the test showed nothing.
func (f *fleet) wantLines(t testing.TB, least int) {
	t.Helper()
	for _, r := range f.receivers {
		if n := linesOf(t, r.journal); n < least {
			t.Errorf("%s has %d lines, want %d at least", r.name, n, least)
		}
	}
}

// copyDir copies a directory as it is now, also while others write to it.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "cp", "-a", from, to)
}
