package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// A line is one entry of a journal that a test makes.
type line struct {
	at      time.Time
	source  string
	message string
}

func (l line) append(dst []byte) []byte {
	return fmt.Appendf(dst, `{"timestamp":%d.%03d,"datetime":"%s","source_ip":"%s","source_port":50003,"message":%s}`+"\n",
		l.at.Unix(), l.at.UnixMilli()%1000, l.at.UTC().Format(journal.DatetimeLayout), l.source, l.message)
}

// writeJournal makes a journal of the lines in dir.
func writeJournal(tb testing.TB, dir string, lines []line) {
	tb.Helper()
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var text []byte
	for _, l := range lines {
		text = l.append(text)
	}
	appendTo(tb, filepath.Join(dir, base), text)
}

const base = "messages.journal"

func appendTo(tb testing.TB, path string, text []byte) {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err == nil {
		_, err = f.Write(text)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

// outage says that a host was silent from so many minutes ago until so many minutes ago, and booted afterwards.
type outage struct{ from, until float64 }

// sampleHours are six hours of thirty hosts up to now: some are silent, one is late, one never said when it beats, some booted.
func sampleHours(now time.Time) []line {
	rng := rand.New(rand.NewPCG(3, 28))
	down := map[string][]outage{
		"db03": {{165, 1}, {14.4, -1}}, "edge02": {{131, -1}}, "web07": {{300, 276}, {200, 196}, {61, 55}},
		"cache01": {{240, 236}}, "build05": {{330, 190}}, "vpn02": {{3.7, -1}}, "mail01": {{22, 12}},
	}
	down["db03"][0].until = 92
	var lines []line
	for i, host := range sampleHosts() {
		source := fmt.Sprintf("10.0.1.%d", i+10)
		phase := time.Duration(rng.IntN(30_000)) * time.Millisecond
		for at := now.Add(-6 * time.Hour).Add(phase); at.Before(now); at = at.Add(30 * time.Second) {
			ago := now.Sub(at).Minutes()
			if host == "build04" && ago > 95 || host == "edge04" && ago > 40 && ago < 120 && rng.IntN(4) == 0 {
				continue
			}
			lines = append(lines, sampleMessages(at, host, source, ago, down[host], rng)...)
		}
	}
	for range 3 {
		at := now.Add(-time.Duration(rng.IntN(300)) * time.Minute)
		lines = append(lines, line{at, "0.0.0.0", fmt.Sprintf(`{"ID":"JRN","event":"gap","reason":"kernel","lost":%d,"first":%d,"last":%d}`, 100+rng.IntN(900), at.Unix()-1, at.Unix())})
	}
	return lines
}

func sampleHosts() []string {
	var hosts []string
	for _, group := range []struct {
		name string
		n    int
	}{{"web", 8}, {"db", 4}, {"cache", 3}, {"edge", 5}, {"build", 5}, {"mail", 2}, {"vpn", 3}} {
		for i := range group.n {
			hosts = append(hosts, fmt.Sprintf("%s%02d", group.name, i+1))
		}
	}
	return hosts
}

func sampleMessages(at time.Time, host, source string, ago float64, down []outage, rng *rand.Rand) []line {
	boot := ""
	for _, o := range down {
		if ago <= o.from && ago > o.until {
			return nil
		}
		if ago <= o.until && ago > o.until-0.5 {
			boot = `,"boot":1`
		}
	}
	at = at.Add(time.Duration(rng.IntN(200)) * time.Millisecond)
	lines := []line{{at, source, fmt.Sprintf(`{"ID":"HTB","name":%q,"interval":30,"ver":1%s}`, host, boot)}}
	load := 1 + 0.5*rng.ExpFloat64()
	if rng.IntN(2) == 0 {
		lines = append(lines, line{at.Add(time.Second), source, fmt.Sprintf(
			`{"ID":"PLG","plugin":"cpu_monitor","name":%q,"cpu_percent":%.1f,"load_1min":%.2f,"cores":8,"governor":"performance"}`, host, 20*load, load,
		)})
	}
	if rng.IntN(8) == 0 {
		lines = append(lines, line{at.Add(2 * time.Second), source, fmt.Sprintf(
			`{"ID":"PLG","plugin":"disk_monitor","name":%q,"disk":[{"path":"/","used_percent":%.1f},{"path":"/var","used_percent":%.1f}],"temp":%d}`,
			host, 40+rng.Float64(), 60+rng.Float64()*8, 30+rng.IntN(15),
		)})
	}
	if rng.IntN(150) == 0 {
		lines = append(lines, line{at.Add(3 * time.Second), source, fmt.Sprintf(`{"ID":"EVT","name":%q,"text":"login of deploy from 10.0.0.7"}`, host)})
	}
	return lines
}

// served starts a server of the journals, and returns it and its address. It ends with the test.
func served(tb testing.TB, opt Options) (*Server, string) {
	tb.Helper()
	if opt.Addr == "" {
		opt.Addr = "127.0.0.1:0"
	}
	if opt.Title == "" {
		opt.Title = "rx1: /var/log/heartbeat/messages.journal"
	}
	opt.Version = "v1.2.3"
	if opt.Report == nil {
		opt.Report = func(context.Context, io.Writer, string, string) error { return nil }
	}
	s, err := Listen(opt)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	return s, "http://" + s.Addr().String()
}

// settled waits until all that there is was read.
func settled(tb testing.TB, s *Server) {
	tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if g, whole, _ := s.watch.current(); g != nil && whole == nil && !g.part {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatal("the journal is still being read after 30 s")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// oneJournal are the options of a page of the journal in dir.
func oneJournal(dir string) Options { return Options{Read: read.Options{Dir: dir, Base: base}} }

// get asks for an address, and returns the code, the header and the text of the answer.
func get(tb testing.TB, address string) (int, http.Header, string) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(bytes.TrimSpace(text))
}

// healthy is a daemon that has a warning.
func healthy(_ context.Context, path string) (int, string, error) {
	if path == "/readyz" {
		return http.StatusOK, "ready\nwarning: compress messages.journal.20261125-120000: no space left on device", nil
	}
	return http.StatusOK, `{"ledger":{"received":123456,"kernel":812,"dropped":{"queue":0,"shutdown":3},"limited":{"rate":45,"source":0}}}`, nil
}
