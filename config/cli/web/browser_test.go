package web

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/config/cli/browser"
)

// go test ./config/cli/web -run TestBrowserShows -screenshots DIR keeps what the browser showed.
var screenshots = flag.String("screenshots", "", "directory to keep screenshots of the pages in")

func TestBrowserShowsThePagesAtEveryWidthAndInBothThemes(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	writeJournal(t, dir, sampleHours(now))
	opt := commanded(dir)
	opt.Ask, opt.Now = healthy, func() time.Time { return now }
	s, address := served(t, opt)
	settled(t, s)
	b := browser.New(t, 4*time.Minute)
	pages := map[string]string{"home": "/", "host": "/host?name=web07", "silent": "/host?name=edge02", "sorry": "/host", "filter": "/?name=%5B"}
	pages["range"] = fmt.Sprintf("/messages?from=%d&to=%d&name=web*", now.Add(-time.Minute).UnixMilli(), now.UnixMilli())
	for name, path := range pages {
		for _, width := range []int64{360, 768, 1280} {
			for _, theme := range []string{"light", "dark"} {
				b.Show(address+path, width, theme)
				where := fmt.Sprintf("%s, %d pixels, %s", name, width, theme)
				if strings.HasPrefix(path, "/host?") || path == "/" {
					b.Until(10*time.Second, `document.getElementById("link").textContent === "Live"`)
				}
				if path == "/" {
					b.Until(10*time.Second, `document.querySelector(".tile .word").textContent === "degraded"`)
				}
				if *screenshots != "" {
					b.Picture(filepath.Join(*screenshots, fmt.Sprintf("%s-%d-%s.png", name, width, theme)))
				}
				if got := browser.Eval[int64](b, "document.documentElement.scrollWidth"); got > width {
					t.Errorf("%s: got a page %d pixels wide: it scrolls sideways", where, got)
				}
				if got := b.Pale(); len(got) > 0 {
					t.Errorf("%s: text of too little contrast:\n%s", where, strings.Join(got, "\n"))
				}
				if got := b.Nameless(); len(got) > 0 {
					t.Errorf("%s: what acts has no name or role:\n%s", where, strings.Join(got, "\n"))
				}
			}
		}
	}
	for _, url := range b.Requests() {
		if !strings.HasPrefix(url, address+"/") {
			t.Errorf("request to %s: want none elsewhere", url)
		}
	}
	for _, fault := range b.Faults() {
		if !strings.Contains(fault, "status of 400") { // The pages that say so are among these.
			t.Errorf("the browser complains: %s", fault)
		}
	}
}
