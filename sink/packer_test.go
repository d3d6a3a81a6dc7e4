package sink

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hbjournal/sink/crypt"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
)

// numbersOf reads the journal in dir as every command does, and returns the "n" of its entries in their order. The last
// line may be torn, of a process that was killed in the middle of a write; the next start mends that.
func numbersOf(t *testing.T, dir string) (numbers []int) {
	t.Helper()
	return numbersBy(t, dir, nil)
}

// numbersBy is numbersOf for a journal with encrypted backups.
func numbersBy(t *testing.T, dir string, by read.Decrypter) (numbers []int) {
	t.Helper()
	source, err := read.Open(read.Options{Dir: dir, Base: "messages.journal", Decrypter: by})
	if err != nil {
		t.Fatal(err)
	}
	var torn *read.CorruptError
	r := read.NewReader(t.Context(), source, nil, func(err *read.CorruptError) { torn = err })
	for r.Next() {
		if torn != nil {
			t.Fatalf("before the last line: %v", torn)
		}
		var n int
		if _, err := fmt.Sscanf(string(r.Entry().Message), `{"n":%d`, &n); err != nil {
			t.Fatalf("%s: %v", r.Entry().Message, err)
		}
		numbers = append(numbers, n)
	}
	if r.Err() != nil || torn != nil && torn.Path != filepath.Join(dir, "messages.journal") {
		t.Errorf("got error %v and fault %v", r.Err(), torn)
	}
	if err := source.Close(); err != nil {
		t.Error(err)
	}
	return numbers
}

// checkRow checks that numbers are 0, 1, 2 and so on: each is there exactly once, and in order.
func checkRow(t *testing.T, numbers []int) {
	t.Helper()
	for i, n := range numbers {
		if n != i {
			t.Fatalf("entry %d is number %d: some are missing or doubled", i, n)
		}
	}
}

// victimOptions are those of the process that is killed: it rotates every few milliseconds and is always compressing, or also
// encrypting to the recipient VICTIM_ENCRYPTS_TO.
func victimOptions(dir string) Options {
	o := Options{Dir: dir, MaxBytes: 40_000, Compress: "gzip", Fsync: FsyncNever}
	if to := os.Getenv(encryptsTo); to != "" {
		recipients, err := crypt.ParseRecipients([]string{to})
		if err != nil {
			panic(err)
		}
		o.Encrypter = recipients
	}
	return o
}

// victim is the process that TestKillWhileCompressing kills. It writes numbered messages to the journal in dir.
func victim(dir string, n int) error {
	j, err := Open(victimOptions(dir))
	if err != nil {
		return err
	}
	filler := strings.Repeat("abcdefgh ", 20)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(10 * time.Second); ; {
		select {
		case <-deadline:
			return errors.New("nobody has killed the victim")
		case <-ticker.C:
		}
		for range 25 {
			message := fmt.Sprintf(`{"n":%d,"filler":"%s%x"}`, n, filler, n*7919)
			if err := j.LogMessage([]byte(message), host, noon); err != nil {
				return err
			}
			n++
		}
	}
}

// TestKillWhileCompressing kills a process 250 times while it rotates and compresses, and reads the journal each time.
func TestKillWhileCompressing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	var dir string
	for i := range 250 {
		if i%10 == 0 { // Not all lives share one journal, which would grow too long to be read each time.
			dir = filepath.Join(t.TempDir(), "journal")
		}
		var numbers []int
		if i%10 > 0 {
			numbers = numbersOf(t, dir)
		}
		killed(t, self, dir, len(numbers))
		after := numbersOf(t, dir)
		checkRow(t, after)
		if len(after) < len(numbers) {
			t.Fatalf("kill %d: %d entries of %d are left", i, len(after), len(numbers))
		}
		states[stateOf(t, dir)]++
	}
	t.Logf("what the kills left: %v", states)
	for _, state := range []string{"compressing", "all compressed or plain"} {
		if states[state] == 0 {
			t.Errorf("no kill left the journal %s", state)
		}
	}
	finish(t, dir)
}

// killed starts a process that writes to the journal, and kills it after a moment.
func killed(t *testing.T, self, dir string, next int) {
	t.Helper()
	victim := exec.Command(self)
	victim.Env = append(os.Environ(), "VICTIM_DIR="+dir, fmt.Sprintf("VICTIM_NEXT=%d", next))
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(dir, "messages.journal")
	size := sizeOf(live)
	eventually(t, "the process writes", func() bool { return sizeOf(live) != size })
	<-time.After(time.Duration(rand.IntN(25_000)) * time.Microsecond)
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // It was killed.
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}

// stateOf is how far the compression had come.
func stateOf(t *testing.T, dir string) string {
	t.Helper()
	backups, err := names.Backups(dir, "messages.journal")
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(backups); i++ {
		if backups[i].Stamp.Equal(backups[i-1].Stamp) {
			return "renamed, and not yet removed"
		}
	}
	if _, err := os.Stat(filepath.Join(rotate.StateDir(dir, "messages.journal"), "compressing")); err == nil {
		return "compressing"
	}
	return "all compressed or plain"
}

// finish opens the journal once more, and wants it to end what was left half done.
func finish(t *testing.T, dir string) {
	t.Helper()
	before := numbersOf(t, dir)
	j := open(t, victimOptions(dir))
	eventually(t, "all backups are compressed", func() bool {
		backups, err := names.Backups(dir, "messages.journal")
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range backups {
			if b.Ending != ".gz" {
				return false
			}
		}
		return true
	})
	closeJournal(t, j)
	after := numbersOf(t, dir)
	checkRow(t, after)
	check(t, "entries", len(after), len(before))
	if got := stateOf(t, dir); got != "all compressed or plain" {
		t.Errorf("after the start the journal is %s", got)
	}
}

func TestBackupsAreCompressedInTheBackgroundAndAllIsCounted(t *testing.T) {
	for _, how := range []string{"gzip", "zstd"} {
		t.Run(how, func(t *testing.T) {
			j := open(t, Options{MaxBytes: 50_000, Compress: how})
			for n := range 3000 {
				logMessage(t, j, fmt.Sprintf(`{"n":%d,"text":"%s"}`, n, strings.Repeat("x", n%100)))
			}
			eventually(t, "all is written and compressed", func() bool {
				s := j.Stats()
				return s.Queued == 0 && s.Backups > 5 && s.Compressed == s.Rotations["size"]
			})
			checkRow(t, numbersOf(t, j.opts.Dir))
			check(t, "entries", len(numbersOf(t, j.opts.Dir)), 3000)
			if s := j.Stats(); s.CompressedFrom <= s.CompressedTo || s.CompressedTo == 0 {
				t.Errorf("got %d bytes made to %d", s.CompressedFrom, s.CompressedTo)
			}
		})
	}
}

func TestCloseDoesNotWaitForACompression(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	closeJournal(t, open(t, Options{Dir: dir}))
	big := filepath.Join(dir, "messages.journal.20260328-120000")
	line := `{"n":0,"text":"` + strings.Repeat("some text ", 1000) + `"}` + "\n"
	if err := os.WriteFile(big, []byte(strings.Repeat(line, 5000)), 0o640); err != nil {
		t.Fatal(err)
	}
	j := open(t, Options{Dir: dir, Compress: "gzip"})
	temp := filepath.Join(rotate.StateDir(dir, "messages.journal"), "compressing")
	eventually(t, "the compression begins", func() bool { return sizeOf(temp) > 0 })
	start := time.Now()
	closeJournal(t, j)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	if _, err := os.Stat(big); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(temp); err == nil {
		t.Error("the half-made copy is left")
	}
}

// TestReopenAndRotateWhileCompressing does what SIGHUP and SIGUSR1 do, over and over, while backups are compressed.
func TestReopenAndRotateWhileCompressing(t *testing.T) {
	j := open(t, Options{Compress: "zstd"})
	n := 0
	for range 50 {
		for range 100 {
			logMessage(t, j, fmt.Sprintf(`{"n":%d}`, n))
			n++
		}
		if err := j.Reopen(); err != nil {
			t.Fatal(err)
		}
		if err := j.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all is written", func() bool { return j.Stats().Queued == 0 })
	checkRow(t, numbersOf(t, j.opts.Dir))
	check(t, "entries", len(numbersOf(t, j.opts.Dir)), n)
}

// TestClockRotatesAndPrunesWithoutTraffic lets three days go by in a bubble.
func TestClockRotatesAndPrunesWithoutTraffic(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Options{Dir: dir, Every: time.Hour, MaxAge: 36 * time.Hour, Fsync: FsyncNever})
		defer closeJournal(t, j)
		pass(30 * time.Minute)
		logMessage(t, j, `{"n":0}`)
		pass(31 * time.Minute)
		check(t, "backups after the hour", backupsIn(t, dir), 1)
		pass(30 * time.Hour)
		check(t, "backups after a quiet day", backupsIn(t, dir), 1)
		check(t, "rotations", j.Stats().Rotations["time"], 1)
		pass(6 * time.Hour)
		check(t, "backups when their age is over", backupsIn(t, dir), 0)
		check(t, "removed", j.Stats().Removed, 1)
	})
}

// pass lets time go by in a synctest bubble.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // In fake time.
}

func backupsIn(t *testing.T, dir string) int {
	t.Helper()
	synctest.Wait()
	backups, err := names.Backups(dir, "messages.journal")
	if err != nil {
		t.Fatal(err)
	}
	return len(backups)
}

func TestLimitsAreKeptFromTheStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	closeJournal(t, open(t, Options{Dir: dir}))
	for i := range 5 {
		path := filepath.Join(dir, fmt.Sprintf("messages.journal.20260328-12000%d", i))
		if err := os.WriteFile(path, []byte(strings.Repeat("x", 999)+"\n"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	j := open(t, Options{Dir: dir, MaxTotalBytes: 2500})
	eventually(t, "three backups are removed", func() bool { return j.Stats().Removed == 3 })
	for i := range 5 {
		_, err := os.Stat(filepath.Join(dir, fmt.Sprintf("messages.journal.20260328-12000%d", i)))
		if (err == nil) != (i > 2) {
			t.Errorf("backup %d: got %v, want only the two newest", i, err)
		}
	}
}
