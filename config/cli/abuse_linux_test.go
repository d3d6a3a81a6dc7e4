package cli

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// abuses make datagrams that are meant to hurt. Each is made once; the storm sends them over and over.
func abuses(t *testing.T) [][]byte {
	t.Helper()
	random := rand.NewChaCha8([32]byte{})
	all := [][]byte{
		{},
		{0},
		[]byte("{"), []byte("\x1f\x8b"), []byte("\x78\x9c"), []byte(`{"a":1e400}`), []byte("{\"a\":\"\n\"}"),
		bytes.Repeat([]byte("["), 60_000), []byte(strings.Repeat(`{"a":`, 10_000)), bytes.Repeat([]byte("{}"), 30_000),
		bomb(t, []byte(`{"a":"`), 50<<20), bomb(t, nil, 50<<20), bomb(t, bytes.Repeat([]byte("["), 1<<20), 0),
		bytes.Repeat([]byte{0xff}, 65_507), bytes.Repeat([]byte{1}, 65_507), bytes.Repeat([]byte(`"`), 65_507),
	}
	for size := 1; size <= 60_000; size *= 3 {
		garbage := make([]byte, size)
		_, _ = random.Read(garbage)
		all = append(all, garbage)
	}
	return all
}

// bomb compresses head and then zeros.
func bomb(t *testing.T, head []byte, zeros int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	for _, part := range [][]byte{head, make([]byte, zeros)} {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestStormOfAbuseHidesNoGoodMessage(t *testing.T) {
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"),
		"JOURNAL_MAX_SIZE=10MB", "JOURNAL_MAX_BACKUPS=0", "JOURNAL_FSYNC=never", "LISTEN_BUFFER=16MiB", "JOURNAL_BUFFER_SIZE=8MiB")
	storm, err := net.Dial("udp", v.udp)
	if err != nil {
		t.Fatal(err)
	}
	defer storm.Close()
	l, bad := loadFor(t, v.udp), 0
	datagrams := abuses(t)
	end := time.After(5 * time.Second)
	burst, pause := 20, 40*time.Millisecond // As much as a busy machine takes without the kernel dropping most of it.
	if raceDetector {
		burst, pause = 5, 160*time.Millisecond
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for storming := true; storming; {
		select {
		case <-end:
			storming = false
		default:
		}
		for range burst {
			if _, err := storm.Write(datagrams[rand.IntN(len(datagrams))]); err == nil {
				bad++
			}
		}
		l.send(10)
		<-tick.C
		if bad%(25*burst) == 0 {
			if ready, why := v.ready(t); !ready {
				t.Errorf("not ready in the storm: %s", why)
			}
		}
	}
	eventually(t, "all are accounted for", func() bool {
		ledger := v.ledgerOK(t)
		return ledger.Received+ledger.Kernel == uint64(bad+len(l.sent))
	})
	kernel := v.ledgerOK(t).Kernel
	peak := peakMemory(t, v.cmd.Process.Pid)
	if peak > 64<<20 && !raceDetector {
		t.Errorf("memory: got a peak of %d MiB, want 64 at most", peak>>20)
	}
	v.terminate(t)
	w := readJournal(t, v.dir)
	w.wantInOrder(t)
	if missing := len(l.sent) - len(w.numbers); missing < 0 || uint64(missing) > kernel {
		t.Errorf("good messages: got %d in the journal of %d sent, with %d lost in the kernel", len(w.numbers), len(l.sent), kernel)
	}
	t.Logf("%d bad and %d good datagrams, %d lost in the kernel, peak memory %d MiB", bad, len(l.sent), kernel, peak>>20)
}

// peakMemory is the most memory that a process has had of its own: what is resident without the pages of its file, of
// which that of a test has many.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	return statusField(t, string(text), "VmHWM:") - statusField(t, string(text), "RssFile:")
}

// statusField is a field of /proc/PID/status, in bytes.
func statusField(t *testing.T, status, name string) int64 {
	t.Helper()
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in %s", name, status)
	return 0
}
