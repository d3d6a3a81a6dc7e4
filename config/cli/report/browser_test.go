package report

import (
	"bytes"
	"context"
	_ "embed" // for contrast.js
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"hbjournal/sink/journal/summary"
)

// go test ./config/cli/report -run Browser -screenshots DIR keeps what the browser showed.
var screenshots = flag.String("screenshots", "", "directory to keep screenshots of the page in")

//go:embed testdata/contrast.js
var contrastScript string

// browser is a Chromium that notes what goes wrong in it.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	faults   []string
}

// newBrowser starts a Chromium that ends with the test, which is skipped where there is none.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	binary := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil && binary == "" {
			binary = path
		}
	}
	if binary == "" {
		t.Skip("no Chromium here: Debian's package is chromium")
	}
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(binary), chromedp.UserDataDir(t.TempDir())}
	for _, name := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "hide-scrollbars",
	} {
		opts = append(opts, chromedp.Flag(name, true))
	}
	// The test's own context ends before its clean-up, in which the browser is to end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatalf("listen to the browser: %v", err)
	}
	b.do(
		command(network.Enable, network.EnableParams{}),
		command(log.Enable, cdp.Empty{}),
		command(runtime.Enable, cdp.Empty{}),
	)
	return b
}

// note is called for each event of the page.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *log.EventEntryAdded:
		b.faults = append(b.faults, e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console %s", e.Type))
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Text)
	case *cdppage.EventJavascriptDialogOpening:
		b.faults = append(b.faults, "dialog "+e.Message)
	}
}

// do runs the actions in turn.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("drive the browser: %v", err)
	}
}

// command is the action of one call of the DevTools protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// get runs the action and returns its value.
func get[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatalf("ask the browser: %v", err)
	}
	return out
}

// eval returns what the expression is in the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	return get(b, chromedp.Evaluate[T](expression))
}

// open shows the page of r in a window of the given width, in the theme "light" or "dark".
func (b *browser) open(r *summary.Report, name string, width int64, theme string) {
	b.t.Helper()
	var html bytes.Buffer
	if err := Write(&html, "html", r, Options{Title: name}); err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.t.TempDir(), "report.html")
	if err := os.WriteFile(file, html.Bytes(), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do(
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 500,
		}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		}),
		chromedp.Navigate("file://"+file),
	)
	b.keep(fmt.Sprintf("%s-%d-%s.png", name, width, theme))
}

// keep keeps a picture of the page, if asked for.
func (b *browser) keep(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	png := get(b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(*screenshots, name), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func TestBrowserShowsThePageAtEveryWidthAndInBothThemes(t *testing.T) {
	b := newBrowser(t)
	for name, r := range map[string]summary.Report{"day": sampleDay(t), "hostile": hostile(t), "empty": {}} {
		for _, width := range []int64{320, 390, 768, 1280, 1920} {
			for _, theme := range []string{"light", "dark"} {
				b.open(&r, name, width, theme)
				where := fmt.Sprintf("%s, %d pixels, %s", name, width, theme)
				if got := eval[int64](b, "document.documentElement.scrollWidth"); got > width {
					t.Errorf("%s: got a page %d pixels wide: it scrolls sideways", where, got)
				}
				if got := eval[[]string](b, contrastScript); len(got) > 0 {
					t.Errorf("%s: text of too little contrast:\n%s", where, strings.Join(got, "\n"))
				}
				if got := eval[int](b, "document.querySelectorAll('script, img, link, iframe, [onerror]').length"); got != 0 {
					t.Errorf("%s: got %d elements that names brought in", where, got)
				}
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, url := range b.requests {
		if !strings.HasPrefix(url, "file://") || !strings.HasSuffix(url, "/report.html") {
			t.Errorf("request to %s: want none but for the page itself", url)
		}
	}
	for _, fault := range b.faults {
		t.Errorf("the browser complains: %s", fault)
	}
}

func TestBrowserShowsSilenceAtAGlance(t *testing.T) {
	b := newBrowser(t)
	r := sampleDay(t)
	b.open(&r, "glance", 1280, "light")
	widths := eval[map[string]float64](b, `Object.fromEntries([...document.querySelectorAll('.beat')].map(row =>
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
	if got := eval[string](b, "document.querySelector('.tip.alert title').textContent"); !strings.Contains(got, "1,234 lost") {
		t.Errorf("got %q, want the gap's 1,234 lost", got)
	}
}
