package summary

import (
	"fmt"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

// mixed returns entries as a busy journal holds them: heartbeats and plugin messages of many hosts in turn.
func mixed(tb testing.TB, hosts, count int) []journal.Entry {
	tb.Helper()
	start := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	entries := make([]journal.Entry, count)
	for i := range entries {
		host := i / 2 % hosts
		message := fmt.Sprintf(`{"ID":"HTB","name":"web%04d","interval":30,"ver":1}`, host)
		if i%2 == 1 {
			message = fmt.Sprintf(`{"ID":"PLG","plugin":"cpu_monitor","name":"web%04d","cpu_percent":%d.%d,"load_1min":%d.5,`+
				`"load_5min":1.25,"load_15min":0.75,"cores":8,"governor":"performance","temperature":%d.25,"throttled":false,`+
				`"note":"a plugin message of the usual length"}`, host, i%100, i%10, i%7, 40+i%30)
		}
		entries[i] = parse(tb, start.Add(time.Duration(i)*30*time.Second/time.Duration(2*hosts)), host, message)
	}
	return entries
}

// parse returns the entry that the journal makes of message from host number n.
func parse(tb testing.TB, at time.Time, n int, message string) journal.Entry {
	tb.Helper()
	line := fmt.Sprintf(`{"timestamp":%d.%03d,"datetime":"%s","source_ip":"10.0.%d.%d","source_port":50003,"message":%s}`,
		at.Unix(), at.UnixMilli()%1000, at.Format("2006-01-02T15:04:05"), n/256, n%256, message)
	e, err := journal.ParseLine([]byte(line))
	if err != nil {
		tb.Fatalf("parse %s: %v", line, err)
	}
	return e
}

func BenchmarkAdd(b *testing.B) {
	for _, hosts := range []int{30, 1000} {
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			entries := mixed(b, hosts, 10_000)
			bytes := 0
			for _, e := range entries {
				bytes += len(e.Line) + 1
			}
			s := New()
			b.SetBytes(int64(bytes / len(entries)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.Add(&entries[i])
				i = (i + 1) % len(entries)
			}
		})
	}
}

func TestAddAllocatesNothingForKnownNames(t *testing.T) {
	entries := mixed(t, 30, 3000)
	s := New()
	for i := range entries {
		s.Add(&entries[i])
	}
	i := 0
	got := testing.AllocsPerRun(len(entries), func() {
		s.Add(&entries[i%len(entries)])
		i++
	})
	if got != 0 {
		t.Errorf("allocations per entry: got %v, want 0", got)
	}
}
