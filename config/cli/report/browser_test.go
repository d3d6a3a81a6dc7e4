package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/config/cli/browser"
	"hbjournal/sink/journal/summary"
)

// go test ./config/cli/report -run Browser -screenshots DIR keeps what the browser showed.
var screenshots = flag.String("screenshots", "", "directory to keep screenshots of the page in")

// open shows the page of r in a window of the given width, in the theme "light" or "dark".
func open(t *testing.T, b *browser.Browser, r *summary.Report, name string, width int64, theme string) {
	t.Helper()
	var html bytes.Buffer
	if err := Write(&html, "html", r, Options{Title: name}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, html.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Show("file://"+file, width, theme)
	if *screenshots != "" {
		b.Picture(filepath.Join(*screenshots, fmt.Sprintf("%s-%d-%s.png", name, width, theme)))
	}
}

func TestBrowserShowsThePageAtEveryWidthAndInBothThemes(t *testing.T) {
	b := browser.New(t, 2*time.Minute)
	for name, r := range map[string]summary.Report{"day": sampleDay(t), "hostile": hostile(t), "empty": {}} {
		for _, width := range []int64{320, 390, 768, 1280, 1920} {
			for _, theme := range []string{"light", "dark"} {
				open(t, b, &r, name, width, theme)
				where := fmt.Sprintf("%s, %d pixels, %s", name, width, theme)
				if got := browser.Eval[int64](b, "document.documentElement.scrollWidth"); got > width {
					t.Errorf("%s: got a page %d pixels wide: it scrolls sideways", where, got)
				}
				if got := b.Pale(); len(got) > 0 {
					t.Errorf("%s: text of too little contrast:\n%s", where, strings.Join(got, "\n"))
				}
				if got := browser.Eval[int](b, "document.querySelectorAll('script, img, link, iframe, [onerror]').length"); got != 0 {
					t.Errorf("%s: got %d elements that names brought in", where, got)
				}
			}
		}
	}
	for _, url := range b.Requests() {
		if !strings.HasPrefix(url, "file://") || !strings.HasSuffix(url, "/report.html") {
			t.Errorf("request to %s: want none but for the page itself", url)
		}
	}
	for _, fault := range b.Faults() {
		t.Errorf("the browser complains: %s", fault)
	}
}

func TestBrowserShowsSilenceAtAGlance(t *testing.T) {
	b := browser.New(t, 2*time.Minute)
	r := sampleDay(t)
	open(t, b, &r, "glance", 1280, "light")
	widths := browser.Eval[map[string]float64](b, `Object.fromEntries([...document.querySelectorAll('.beat')].map(row =>
		[row.querySelector('.name').textContent, [...row.querySelectorAll('rect.silent')].reduce((sum, rect) =>
		sum + rect.getBoundingClientRect().width / row.querySelector('svg').getBoundingClientRect().width, 0)]))`)
	f := func(host string, wantHours float64) {
		t.Helper()
		if got := widths[host] * 24; got < wantHours-0.2 || got > wantHours+0.2 {
			t.Errorf("%s: got %.2f hours of silence drawn, want %.2f", host, got, wantHours)
		}
	}
	f("edge02", 24-18.3)
	f("build05", 4.3)
	f("db03", 2.7)
	f("web01", 0)
	if got := browser.Eval[string](b, "document.querySelector('.tip.alert title').textContent"); !strings.Contains(got, "1,234 lost") {
		t.Errorf("got %q, want the gap's 1,234 lost", got)
	}
}
