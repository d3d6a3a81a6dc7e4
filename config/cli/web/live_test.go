package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"hbjournal/config/cli/browser"
	"hbjournal/sink"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/life"
	"hbjournal/sink/rotate"

	"hbjournal/scripts/freeport"
)

// beat writes one heartbeat.
func beat(tb testing.TB, j *sink.Journal, host, more string) {
	tb.Helper()
	message := fmt.Sprintf(`{"ID":"HTB","name":%q,"interval":1%s}`, host, more)
	if err := j.LogMessage([]byte(message), from10, time.Now()); err != nil {
		tb.Error(err)
	}
}

// beating lets a host beat until the returned function is called, which returns when it beat last.
func beating(tb testing.TB, j *sink.Journal, host string) (stop func() time.Time) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	last := make(chan time.Time, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			beat(tb, j, host, "")
			at := time.Now()
			select {
			case <-ctx.Done():
				last <- at
				return
			case <-tick.C:
			}
		}
	})
	var once sync.Once
	stop = func() (at time.Time) {
		once.Do(func() {
			cancel()
			wg.Wait()
			at = <-last
		})
		return at
	}
	tb.Cleanup(func() { stop() })
	return stop
}

// stands is the condition that a host stands so in the page.
func stands(host, state string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#hosts tr")].some((row) => row.dataset.key === %q && row.className === "is-%s")`, host, state)
}

func TestBrowserSaysWithinTwoSecondsThatAHostIsSilentAndThatItIsBack(t *testing.T) {
	dir := t.TempDir()
	j := writer(t, sink.Options{Dir: dir})
	t.Cleanup(func() { j.Close() }) // Behind the hosts' last beats.
	s, address := served(t, oneJournal(dir))
	settled(t, s)
	beating(t, j, "steady")
	stop := beating(t, j, "quiet")
	b := browser.New(t, 2*time.Minute)
	b.Show(address, 1280, "light")
	b.Until(20*time.Second, stands("quiet", "ok"))
	b.Until(20*time.Second, stands("steady", "ok"))
	due := stop().Add(1500 * time.Millisecond)
	b.Until(20*time.Second, stands("quiet", "silent"))
	if late := time.Since(due); late > 2*time.Second {
		t.Errorf("the page said so %v after the beat was missed, want 2 s at most", late)
	}
	first := browser.Eval[string](b, `document.querySelector("#hosts tr").dataset.key`)
	if counts := browser.Eval[string](b, `document.getElementById("counts").textContent`); first != "quiet" || !strings.HasPrefix(counts, "1 silent") {
		t.Errorf("got %q first and %q above, want the one that is silent", first, counts)
	}
	beating(t, j, "quiet")
	b.Until(20*time.Second, stands("quiet", "ok"))
	if faults := b.Faults(); len(faults) > 0 {
		t.Errorf("the browser complains: %q", faults)
	}
}

func TestBrowserSaysThatHostsAreUnknownWhileTheDaemonIsStopped(t *testing.T) {
	dir := t.TempDir()
	j := writer(t, sink.Options{Dir: dir})
	state := rotate.StateDir(dir, base)
	keeper, err := life.Begin(life.Options{StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	alive := make(chan error, 1)
	go func() { alive <- keeper.Serve(ctx) }()
	opt := oneJournal(dir)
	opt.Lives = func([]read.Journal) map[string][]presence.Span {
		var lives []presence.Span
		spans, err := life.Read(state)
		for _, s := range spans {
			lives = append(lives, presence.Span{From: s.From, To: s.To})
		}
		if err != nil {
			t.Error(err)
		}
		return map[string][]presence.Span{dir: lives}
	}
	s, address := served(t, opt)
	settled(t, s)
	one, two := beating(t, j, "one"), beating(t, j, "two")
	b := browser.New(t, 2*time.Minute)
	b.Show(address, 1280, "light")
	b.Until(20*time.Second, stands("one", "ok"))
	one()
	two()
	cancel()
	if err := errors.Join(<-alive, j.Close()); err != nil {
		t.Fatal(err)
	}
	b.Until(20*time.Second, stands("one", "unknown"))
	b.Until(20*time.Second, stands("two", "unknown"))
	wait(t, 3*time.Second)
	if got := browser.Eval[string](b, `document.getElementById("counts").textContent`); !strings.HasPrefix(got, "0 silent") {
		t.Errorf("got %q, want no host to blame", got)
	}
}

// numbers are those of the rows in the page, in their order.
const numbers = `[...document.querySelectorAll("#lines code")].map((code) => Number((code.textContent.match(/"n":(\d+)/) || [])[1]))`

func TestBrowserNeitherMissesNorRepeatsALineOverRotationsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	opt := sink.Options{Dir: dir, MaxBytes: 6000, MaxBackups: 5, Compress: "gzip"}
	j := writer(t, opt)
	page := oneJournal(dir)
	page.Addr = freeport.Must(t).Addr()
	stop := serveOnce(t, page)
	b := browser.New(t, 2*time.Minute)
	b.Show("http://"+page.Addr, 1280, "light")
	b.Until(20*time.Second, `document.getElementById("link").textContent === "Live"`)
	n := 0
	write := func(count int) {
		log(t, j, n, n+count)
		n += count
		b.Until(30*time.Second, fmt.Sprintf(`%s.at(-1) === %d`, numbers, n-1))
	}
	for range 14 { // It rotates, compresses and prunes.
		write(10)
		wait(t, 100*time.Millisecond) // More than 50 a second are not shown.
	}
	if err := j.Close(); err != nil { // The daemon's restart.
		t.Fatal(err)
	}
	j = writer(t, opt)
	write(10)
	stop() // That of the page's own process, and what is written meanwhile.
	log(t, j, n, n+25)
	n += 25
	stop = serveOnce(t, page)
	write(15)
	stop()
	got := browser.Eval[[]float64](b, numbers)
	for i, number := range got {
		if int(number) != i {
			t.Fatalf("row %d: got number %v, want every line once: %v", i, number, got)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// serveOnce starts a server, which ends with the returned function or the test.
func serveOnce(tb testing.TB, opt Options) (stop func()) {
	tb.Helper()
	opt.Report = func(context.Context, io.Writer, string, string) error { return nil }
	s, err := Listen(opt)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				tb.Errorf("serve: %v", err)
			}
		})
	}
	tb.Cleanup(stop)
	return stop
}

// TestBrowserStaysSmallUnderLoad takes 10 seconds, or HBJOURNAL_SOAK: .ci/run and scripts/soak --web say how long.
func TestBrowserStaysSmallUnderLoad(t *testing.T) {
	long := 10 * time.Second
	if soak, err := time.ParseDuration(os.Getenv("HBJOURNAL_SOAK")); err == nil {
		long = soak
	}
	dir := t.TempDir()
	j := writer(t, sink.Options{Dir: dir, MaxBytes: 20 << 20, MaxBackups: 3})
	defer j.Close()
	_, address := served(t, oneJournal(dir))
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer cancel()
	load.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n += 50 {
			log(t, j, n, n+50)
			<-tick.C
		}
	})
	b := browser.New(t, long+2*time.Minute)
	b.Show(address, 1280, "light")
	const full = `document.querySelectorAll("#lines li").length >= 50 && document.querySelector("#lines .skipped") !== null`
	b.Until(30*time.Second, full)
	small := b.Memory()
	wait(t, long/3)
	before := b.Memory()
	wait(t, long*2/3)
	after := b.Memory()
	if rows := browser.Eval[int](b, `document.querySelectorAll("#lines li").length`); rows > 1000 {
		t.Errorf("got %d rows, want 1000 at most", rows)
	}
	t.Logf("JavaScript's heap: %d KiB at first, %d KiB after a third, %d KiB at the end", small>>10, before>>10, after>>10)
	if after > before+before/2+4<<20 {
		t.Errorf("the tab grew from %d to %d bytes", before, after)
	}
}

// wait lets a load go on for a time.
func wait(tb testing.TB, d time.Duration) {
	tb.Helper()
	select {
	case <-time.After(d):
	case <-tb.Context().Done():
	}
}

func TestAFleetIsShownAsOneAndWhatIsEncryptedIsLeftOutAndSaid(t *testing.T) {
	top, now := t.TempDir(), time.Now()
	opt := Options{Title: "200 journals"}
	const journals = 200
	for i := range journals {
		dir := filepath.Join(top, fmt.Sprintf("rx%03d", i))
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		opt.Read.Journals = append(opt.Read.Journals, read.Journal{Dir: dir, Base: base})
		at := now.Add(-2 * time.Second)
		writeJournal(t, dir, []line{{at, "10.0.0.1", fmt.Sprintf(`{"ID":"HTB","name":"host%03d","interval":600}`, i)}})
		if i == 0 {
			encrypted(t, filepath.Join(dir, base+"."+now.Add(-time.Hour).UTC().Format("20060102-150405")+".age"))
		}
	}
	s, address := served(t, opt)
	settled(t, s)
	_, _, page := get(t, address)
	for _, want := range []string{"1 file is encrypted and left out", `<b>200</b> ok`, "host199"} {
		if !strings.Contains(page, want) {
			t.Errorf("got no %q in the page", want)
		}
	}
	from := attribute(t, page, "data-at")
	for _, i := range []int{7, 199, 0} {
		l := line{time.Now(), "10.0.0.1", fmt.Sprintf(`{"ID":"EVT","name":"host%03d","n":%d}`, i, i)}
		appendTo(t, filepath.Join(top, fmt.Sprintf("rx%03d", i), base), l.append(nil))
		events(t, address+"/events", from, func(name, id, data string) bool {
			got := name == "lines" && len(items(t, data)) > 0
			if got {
				if all := items(t, data); len(all) != 1 || !strings.Contains(all[0].Text, fmt.Sprintf(`"n":%d}`, i)) {
					t.Errorf("got %v, want the one new line of host%03d", all, i)
				}
				from = id
			}
			return !got
		})
	}
}

// attribute is the value of an attribute in a page.
func attribute(tb testing.TB, page, name string) string {
	tb.Helper()
	_, rest, ok := strings.Cut(page, name+`="`)
	value, _, ends := strings.Cut(rest, `"`)
	if !ok || !ends {
		tb.Fatalf("got no attribute %s", name)
	}
	return value
}

func encrypted(tb testing.TB, path string) {
	tb.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		tb.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	w, err := age.Encrypt(f, key.Recipient())
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(line{time.Now().Add(-90 * time.Minute), "10.0.0.1", `{"ID":"HTB","name":"secret"}`}.append(nil)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
}

// hostileNames try to be more than names.
func hostileNames() []string {
	return []string{
		`<script>alert(1)</script>`, `\"><img src=http://127.0.0.1:1/x onerror=alert(1)>`, `</title></svg><script>alert(2)</script>`, `\u202egnp.exe`,
		`\u001b[31mred`, `\u0000nul`, `a\r\ndata: x\n\nevent: figures`, `{{.Title}}`, `__proto__`, `constructor`, strings.Repeat("W", 199), strings.Repeat("long-", 13000),
		`naïve-ホスト名-🙂`, `\u200b`, `javascript:alert(1)`, `?name=x&y=z#frag`, `../../etc/passwd`, `*`, `[`, `\\`, `'`,
	}
}

func TestBrowserShowsHostileNamesAsNamesAndNoMore(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	var lines []line
	for i, name := range hostileNames() {
		for beats := range 4 {
			at := now.Add(-time.Duration(beats)*30*time.Second - time.Duration(i)*100*time.Millisecond)
			lines = append(lines, line{at, "10.0.0.1", `{"ID":"` + name + `","name":"` + name + `","plugin":"` + name + `","interval":30,"` + name + `":1.5,"boot":1}`})
			lines = append(lines, line{at, "10.0.0.1", `{"ID":"HTB","name":"` + name + `","interval":30}`})
		}
	}
	lines = append(lines, line{now, "0.0.0.0", `{"ID":"JRN","event":"gap","reason":"<script>alert(3)</script>","lost":1e300}`})
	writeJournal(t, dir, lines)
	s, address := served(t, oneJournal(dir))
	settled(t, s)
	b := browser.New(t, 3*time.Minute)
	paths := []string{"/"}
	b.Show(address, 360, "light")
	paths = append(paths, browser.Eval[[]string](b, `[...document.querySelectorAll("#hosts a")].map((a) => a.getAttribute("href"))`)...)
	if len(paths) < len(hostileNames()) {
		t.Fatalf("got %d pages, want one for each name", len(paths))
	}
	for _, path := range paths {
		b.Show(address+path, 360, "light")
		b.Until(20*time.Second, `document.getElementById("link").textContent === "Live"`)
		if got := browser.Eval[int](b, `document.querySelectorAll("main script, img, iframe, [onerror]").length`); got != 0 {
			t.Errorf("%.80s: got %d elements that names brought in", path, got)
		}
		if got := browser.Eval[int64](b, "document.documentElement.scrollWidth"); got > 360 {
			t.Errorf("%.80s: got a page %d pixels wide", path, got)
		}
		if strings.Contains(path, "?") && browser.Eval[int](b, `document.querySelectorAll("#lines li").length`) == 0 {
			t.Errorf("%.80s: the page of the host has none of its messages", path)
		}
	}
	for _, url := range b.Requests() {
		if !strings.HasPrefix(url, address+"/") {
			t.Errorf("request to %s: want none elsewhere", url)
		}
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Errorf("the browser complains: %q", slices.Compact(faults))
	}
}

func TestMetricsHaveTheHosts(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	var lines []line
	for i := range maxHostMetrics + 5 {
		lines = append(lines, line{now.Add(-time.Minute), "10.0.0.1", fmt.Sprintf(`{"ID":"HTB","name":"h%d","interval":%d}`, i, 10+590*min(1, i/3))})
	}
	for ago := range 60 { // The daemon hears others meanwhile.
		lines = append(lines, line{now.Add(-time.Duration(ago) * time.Second), "10.0.0.1", `{"ID":"EVT","name":"h9"}`})
	}
	writeJournal(t, dir, lines)
	opt := oneJournal(dir)
	opt.HostMetrics = true
	s, address := served(t, opt)
	settled(t, s)
	code, _, text := get(t, address+"/metrics")
	if code != http.StatusOK {
		t.Fatalf("got %d", code)
	}
	for _, want := range []string{
		`journal_hosts{state="silent"} 3`, `journal_hosts{state="ok"} 1002`, `journal_hosts{state="unknown"} 0`, "journal_hosts_without_metric 5",
		`journal_host_last_seen_timestamp_seconds{name="h0"} 1.`, "journal_web_complete 1", "journal_web_streams 0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %q in the metrics", want)
		}
	}
	if got := strings.Count(text, "journal_host_last_seen_timestamp_seconds{"); got != maxHostMetrics {
		t.Errorf("got %d hosts, want %d", got, maxHostMetrics)
	}
}

func TestAJournalThatIsAheadOfTheClockIsShownAndSaid(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	var lines []line
	for n := range 60 {
		lines = append(lines, line{now.Add(2*time.Hour + time.Duration(n)*time.Second), "10.0.0.1", `{"ID":"HTB","name":"early","interval":1}`})
	}
	writeJournal(t, dir, lines)
	s, address := served(t, oneJournal(dir))
	settled(t, s)
	code, _, page := get(t, address)
	if code != http.StatusOK || !strings.Contains(page, "ahead of this machine") || !strings.Contains(page, "early") {
		t.Errorf("got %d, want the page with the host, and a note that the journal is ahead", code)
	}
}
