// Package browser lets tests look at our pages in a real Chromium. Only tests import it.
//
// A Browser notes every request and every complaint of a page, tells which text has too little contrast, which elements that
// act have no name for a screen reader, and takes pictures. Tests are skipped where there is no Chromium.
package browser

import (
	"context"
	_ "embed" // for the script
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed contrast.js
var contrast string

// A Browser is a Chromium with one page.
type Browser struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	requests []string
	faults   []string
}

// New starts a Chromium that ends with the test, or after within.
func New(t testing.TB, within time.Duration) *Browser {
	t.Helper()
	binary := find()
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), within)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	b := &Browser{t: t, ctx: ctx}
	b.Do(chromedp.Navigate("about:blank"))
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatalf("listen to the browser: %v", err)
	}
	b.Do(
		Command(network.Enable, network.EnableParams{}),
		Command(log.Enable, cdp.Empty{}),
		Command(runtime.Enable, cdp.Empty{}),
	)
	return b
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// note is called for each event of the page.
func (b *Browser) note(event any) {
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
	case *page.EventJavascriptDialogOpening:
		b.faults = append(b.faults, "dialog "+e.Message)
	}
}

// Requests are the addresses that the pages have asked for.
func (b *Browser) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// Faults are the complaints about the pages.
func (b *Browser) Faults() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.faults)
}

// Do runs the actions in turn.
func (b *Browser) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("drive the browser: %v", err)
	}
}

// Command is the action of one call of the DevTools protocol.
func Command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// Get runs the action and returns its value.
func Get[T any](b *Browser, action chromedp.Action[T]) T {
	b.t.Helper()
	out, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatalf("ask the browser: %v", err)
	}
	return out
}

// Eval returns what the expression is in the page.
func Eval[T any](b *Browser, expression string) T {
	b.t.Helper()
	return Get(b, chromedp.Evaluate[T](expression))
}

// Show opens an address in a window of the given width, in the theme "light" or "dark".
func (b *Browser) Show(address string, width int64, theme string) {
	b.t.Helper()
	b.Do(
		Command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 500,
		}),
		Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		}),
		chromedp.Navigate(address),
	)
}

// Picture writes what the whole page shows to a file.
func (b *Browser) Picture(path string) {
	b.t.Helper()
	if err := os.WriteFile(path, Get(b, chromedp.FullScreenshot(100)), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Memory returns the bytes that the page's scripts hold, after what they have let go of was collected.
func (b *Browser) Memory() int64 {
	b.t.Helper()
	b.Do(Command(heapprofiler.CollectGarbage, cdp.Empty{}))
	usage := Get(b, func(ctx context.Context, t *chromedp.Target) (runtime.GetHeapUsageResult, error) {
		return cdp.Call(ctx, t, runtime.GetHeapUsage, cdp.Empty{})
	})
	return int64(usage.UsedSize)
}

// Pale returns a line for each text of too little contrast.
func (b *Browser) Pale() []string {
	b.t.Helper()
	return Eval[[]string](b, contrast)
}

// Until waits until the expression is true in the page, and fails the test if that takes too long.
func (b *Browser) Until(within time.Duration, expression string) time.Duration {
	b.t.Helper()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !Eval[bool](b, expression) {
		if time.Since(began) > within {
			b.t.Fatalf("after %v it is still not so in the page: %s", within, expression)
		}
		<-tick.C
	}
	return time.Since(began)
}

// Nameless returns a line for each node of the accessibility tree that can be acted on or reached by the keyboard, and has no
// name, or no role.
func (b *Browser) Nameless() []string {
	b.t.Helper()
	tree := Get(b, func(ctx context.Context, t *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	var faults []string
	for _, node := range tree.Nodes {
		if node.Ignored || !focusable(node) {
			continue
		}
		role, name := textOf(node.Role), textOf(node.Name)
		if name == "" || role == "" || role == "generic" || role == "none" {
			faults = append(faults, fmt.Sprintf("role %q, name %q", role, name))
		}
	}
	return faults
}

func focusable(node *accessibility.Node) bool {
	if textOf(node.Role) == "RootWebArea" {
		return false
	}
	return slices.ContainsFunc(node.Properties, func(p *accessibility.Property) bool {
		return p.Name == accessibility.PropertyNameFocusable && string(p.Value.Value) == "true"
	})
}

// textOf is the text of a value; "": it has none.
func textOf(v *accessibility.Value) string {
	var text string
	if v == nil || json.Unmarshal(v.Value, &text) != nil {
		return ""
	}
	return text
}
