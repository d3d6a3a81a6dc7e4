package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// What reading a fleet may take, however many receivers it has.
const (
	fleetReceivers = 1000
	fleetFiles     = 256
	fleetMemory    = 512 << 20
)

// makeFleet writes the journals of a thousand receivers, half of the backups compressed, and of one more whose lines are an
// hour old, and returns all lines.
func makeFleet(t *testing.T) (dir string, lines []string) {
	t.Helper()
	dir = t.TempDir()
	generate := func(args ...string) {
		t.Helper()
		cmd := exec.Command("go", append([]string{"run", "hbjournal/scripts/journalgen", "--files", "3", "--hosts", "3"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, out)
		}
	}
	generate("--dir", dir, "--bytes", "60000", "--receivers", strconv.Itoa(fleetReceivers))
	late := filepath.Join(dir, "late")
	if err := os.Mkdir(late, 0o750); err != nil {
		t.Fatal(err)
	}
	generate("--dir", late, "--bytes", "600000", "--ago", "1h")
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")...)
		if i%2 == 0 && !strings.HasSuffix(path, ".journal") {
			compressFile(t, path, text)
		}
	}
	return dir, lines
}

func compressFile(t *testing.T, path string, text []byte) {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write(text)
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = os.WriteFile(path+".gz", packed.Bytes(), 0o600)
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// watched runs a command, and sees how many files it has open, and that it stays within what a fleet may take.
type watched struct {
	cmd   *exec.Cmd
	out   bytes.Buffer
	err   lockedBuffer // Tests look at it while it runs.
	ended chan error

	files  int   // open at once
	memory int64 // bytes at most, as far as was seen
}

func watch(t *testing.T, args ...string) *watched {
	t.Helper()
	w := &watched{cmd: command(t, args...), ended: make(chan error, 1)}
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.err
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.ended <- w.cmd.Wait() }()
	return w
}

// look counts the open files and the memory. What the kernel says of it at the end would be no less than that of the test, of
// which the process was begun as a copy.
func (w *watched) look(t *testing.T) {
	t.Helper()
	process := fmt.Sprintf("/proc/%d/", w.cmd.Process.Pid)
	open, _ := os.ReadDir(process + "fd") // It may have ended.
	w.files = max(w.files, len(open))
	if text, err := os.ReadFile(process + "status"); err == nil && bytes.Contains(text, []byte("VmHWM:")) {
		w.memory = max(w.memory, statusField(t, string(text), "VmHWM:"))
	}
}

// end waits for the end, and returns what was printed.
func (w *watched) end(t *testing.T) string {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-w.ended:
			t.Logf("%v: %d files open at once, %d MiB", w.cmd.Args[1:], w.files, w.memory>>20)
			if err != nil || w.err.String() != "" {
				t.Errorf("%v: got %v and %s", w.cmd.Args, err, w.err.String())
			}
			if w.files > fleetFiles || w.memory == 0 || w.memory > fleetMemory && !raceDetector {
				t.Errorf("%v: got %d files open at once and %d bytes of memory, want %d and %d at most",
					w.cmd.Args, w.files, w.memory, fleetFiles, fleetMemory)
			}
			return w.out.String()
		case <-tick.C:
			w.look(t)
		}
	}
}

func TestAFleetOfAThousandReceiversIsReadWithFewFilesAndLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads 3,000 files")
	}
	dir, lines := makeFleet(t)
	since, until := time.Now().Add(-3*time.Hour), time.Now().Add(-90*time.Minute)
	within := 0
	for _, line := range lines {
		if millis, _ := journal.LineTime([]byte(line)); millis >= since.UnixMilli() && millis < until.UnixMilli() {
			within++
		}
	}
	f := func(want string, args ...string) {
		t.Helper()
		if got := watch(t, append(args, dir)...).end(t); !strings.Contains(got, want) {
			t.Errorf("%v: got %.300s, want %s", args, got, want)
		}
	}
	f(fmt.Sprintf("%d\n", len(lines)), "query", "--count")
	f(fmt.Sprintf("%d\n", within), "query", "--count", "--since", since.Format(time.RFC3339Nano), "--until", until.Format(time.RFC3339Nano))
	f(fmt.Sprintf(`"messages": %d,`, len(lines)), "report", "-o", "json")
	f(fmt.Sprintf("%d entries in 3003 files of %d journals", len(lines), fleetReceivers+1), "verify")
	for _, order := range [][]string{nil, {"--reverse"}} {
		out := watch(t, append(append([]string{"query"}, order...), dir)...).end(t)
		if got := strings.Count(out, "\n"); got != len(lines) || steps(out, order != nil) > 0 {
			t.Errorf("query %v: got %d lines, %d of them out of order, want %d in order", order, got, steps(out, order != nil), len(lines))
		}
	}
}

// steps is how many lines come before one that is older; or newer, in reverse.
func steps(out string, reverse bool) (n int) {
	last := int64(0)
	for line := range strings.Lines(out) {
		millis, _ := journal.LineTime([]byte(line))
		if last != 0 && (millis < last) != reverse && millis != last {
			n++
		}
		last = millis
	}
	return n
}

func TestAFleetOfAThousandReceiversIsFollowedWithFewFilesAndLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 3,000 files and follows them")
	}
	dir, _ := makeFleet(t)
	lives, err := filepath.Glob(filepath.Join(dir, "*", "messages.journal"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := &watched{cmd: command(t, "tail", "-n", "1", dir), ended: make(chan error, 1)}
	w.cmd.Stdout, w.cmd.Stderr = out, &w.err
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.ended <- w.cmd.Wait() }()
	came := func(want int) {
		t.Helper()
		err := poll(func() error {
			w.look(t)
			text, err := os.ReadFile(path)
			if got := bytes.Count(text, []byte{'\n'}); got < want || err != nil {
				return fmt.Errorf("got %d lines and error %w, want %d; %s", got, err, want, w.err.String())
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	came(1)
	for round := range 3 {
		for _, live := range lives {
			appendEntry(t, live, round)
		}
		came(1 + (round+1)*len(lives))
		for _, live := range lives {
			if err := os.Rename(live, live+time.Now().UTC().Add(time.Duration(round)*time.Second).Format(".20060102-150405")); err != nil {
				t.Fatal(err)
			}
			appendEntry(t, live, 100+round)
		}
		came(1 + (round+1)*len(lives) + len(lives)*round)
	}
	came(1 + 6*len(lives))
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	w.end(t)
	text, err := os.ReadFile(path)
	if got, want := bytes.Count(text, []byte{'\n'}), 1+6*len(lives); got != want || err != nil {
		t.Errorf("got %d lines and error %v, want %d", got, err, want)
	}
}

func appendEntry(t *testing.T, live string, n int) {
	t.Helper()
	file, err := os.OpenFile(live, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	now := time.Now().UTC()
	if _, err := fmt.Fprintf(file, `{"timestamp":%d.%03d,"datetime":"%s","source_ip":"10.0.0.1","source_port":5000,"message":{"ID":"X","n":%d}}`+"\n",
		now.Unix(), now.UnixMilli()%1000, now.Format(journal.DatetimeLayout), n); err != nil {
		t.Fatal(err)
	}
}
