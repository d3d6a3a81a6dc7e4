package fleet

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestFigures measures; scripts/bench-fleet runs it and takes the rows of its tables. FLEET_BYTES is the size of each
// receiver's journal.
func TestFigures(t *testing.T) {
	if os.Getenv("FLEET_FIGURES") == "" {
		t.Skip("scripts/bench-fleet runs this")
	}
	fmt.Println("row | what | figure | bounded by |")
	fmt.Println("row |---|---:|---|")
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprintf("throughput R%d", servers), func(t *testing.T) { measureThroughput(t, servers) })
	}
	t.Run("latency", measureLatency)
}

// measureLatency sends a thousand datagrams a second, and looks how old each is when its line is in the archive.
func measureLatency(t *testing.T) {
	f := newFleet(t, plan{archive: []string{"JOURNAL_MAX_SIZE=1GiB"}, environ: []string{"JOURNAL_MAX_SIZE=1GiB"}})
	r := f.receivers[0]
	f.receivers = f.receivers[:1]
	stop := f.send(t, 1000)
	live := filepath.Join(f.archivers[0].sub(r), base)
	eventually(t, time.Minute, "the archive has a file", func() error {
		_, err := os.Stat(live)
		return err
	})
	ages := follow(t, live, fromEnv(t, "FLEET_SECONDS", 20)*1000)
	stop()
	slices.Sort(ages)
	fmt.Printf("row | from send to line in the archive at 1,000/s, R3: median | %d ms | the 200 ms that a batch waits, and a sync in three places |\n",
		ages[len(ages)/2].Milliseconds())
	fmt.Printf("row | the same: 99 %% | %d ms | |\n", ages[len(ages)*99/100].Milliseconds())
}

// follow reads a file as it grows, until it has seen so many lines of the load that came since it began, and returns how
// old each was when it could be read.
func follow(t *testing.T, path string, count int) (ages []time.Duration) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(file)
	var part []byte
	for end := time.Now().Add(2 * time.Minute); len(ages) < count; {
		line, err := in.ReadBytes('\n')
		part = append(part, line...)
		if err != nil {
			if time.Now().After(end) {
				t.Fatalf("%d lines came, want %d", len(ages), count)
			}
			goOn(t, time.Millisecond)
			continue
		}
		if _, text, ok := bytes.Cut(part, []byte(`"at":`)); ok {
			digits, _, _ := bytes.Cut(text, []byte(","))
			if at, err := strconv.ParseInt(string(bytes.TrimRight(digits, "}\n")), 10, 64); err == nil {
				ages = append(ages, time.Since(time.UnixMicro(at)))
			}
		}
		part = part[:0]
	}
	return ages
}

// measureThroughput ships two journals that are there already into one archive.
func measureThroughput(t *testing.T, servers int) {
	f := &fleet{dir: t.TempDir()}
	f.cluster = newCluster(t, f.dir, servers)
	f.init(t)
	size := fromEnv(t, "FLEET_BYTES", 250_000_000)
	for _, name := range []string{"one", "two"} {
		f.receivers = append(f.receivers, f.madeUp(t, name, size))
	}
	a := f.newArchiver(t, "a", plan{archive: []string{"JOURNAL_MAX_SIZE=100MB", "JOURNAL_COMPRESS=none"}})
	f.archivers = append(f.archivers, a)
	a.start(t)
	f.wantReady(t)
	began := time.Now()
	var senders []*process
	for _, r := range f.receivers {
		p := newProcess(t, f.dir, "forward-"+r.name, program("hbjournal"), "forward", "--journal-id", r.name, f.url(""))
		p.environ = []string{"RECEIVER_NAME=" + r.name, "JOURNAL_DIR=" + r.journal}
		p.start(t)
		senders = append(senders, p)
	}
	want := sizeOf(t, f.receivers[0].journal) + sizeOf(t, f.receivers[1].journal)
	eventually(t, 10*time.Minute, "the archive has all", func() error {
		for _, p := range senders {
			if text := p.said(); strings.Contains(text, "error:") {
				t.Fatalf("%s: %s", p.name, text)
			}
		}
		if got := sizeOf(t, a.sub(f.receivers[0])) + sizeOf(t, a.sub(f.receivers[1])); got < want {
			return fmt.Errorf("%d of %d bytes", got, want)
		}
		return nil
	})
	took := time.Since(began).Seconds()
	var engine []*process
	for _, s := range f.cluster.servers {
		engine = append(engine, s.process)
	}
	used := fmt.Sprintf("CPU a GB of lines: senders %s, servers %s, archiver %s; %d cores", perGB(t, want, senders...), perGB(t, want, engine...),
		perGB(t, want, a.process), runtime.NumCPU())
	f.settle(t)
	lines := linesOf(t, f.receivers[0].journal) + linesOf(t, f.receivers[1].journal)
	fmt.Printf("row | two receivers into one archive, R%d, sync always | %.0f lines/s, %.0f MB/s | %s |\n", servers, float64(lines)/took,
		float64(want)/took/1e6, used)
}

// madeUp is a receiver with a journal of this size, and no daemon.
func (f *fleet) madeUp(t testing.TB, name string, size int) *receiver {
	t.Helper()
	r := &receiver{journal: filepath.Join(f.dir, name), process: &process{name: name}}
	if err := os.Mkdir(r.journal, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, nil, program("journalgen"), "--dir", r.journal, "--bytes", strconv.Itoa(size), "--files", "4")
	return r
}

// sizeOf is what the files of a journal take together; of one that is not there, nothing.
func sizeOf(t testing.TB, dir string) (size int64) {
	t.Helper()
	names, err := fileNames(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			size += info.Size()
		}
	}
	return size
}

// perGB is the CPU time that processes took until now for each GB.
func perGB(t testing.TB, size int64, all ...*process) string {
	t.Helper()
	ticks := 0
	for _, p := range all {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		_, behind, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(behind)
		for _, field := range fields[11:13] { // user and system time
			n, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			ticks += n
		}
	}
	const hertz = 100
	return fmt.Sprintf("%.1f s", float64(ticks)/hertz/(float64(size)/1e9))
}
