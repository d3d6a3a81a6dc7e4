package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hbjournal/config/cli/browser"
	"hbjournal/sink"
	"hbjournal/sink/journal/read"
)

// commanded are the options of a page that tells how to query the journal in dir.
func commanded(dir string) Options {
	opt := oneJournal(dir)
	opt.Command = func(arguments ...string) string { return "hbjournal query " + strings.Join(arguments, " ") + " " + dir }
	return opt
}

func TestBrowserLeadsFromWhatWasSkippedToWhereItCanBeRead(t *testing.T) {
	dir := t.TempDir()
	j := writer(t, sink.Options{Dir: dir})
	defer j.Close()
	s, address := served(t, commanded(dir))
	settled(t, s)
	b := browser.New(t, 2*time.Minute)
	b.Show(address+"/?name=web*", 360, "light")
	b.Until(20*time.Second, `document.getElementById("link").textContent === "Live"`)
	const all = 400
	log(t, j, 0, all)
	beat(t, j, "other", "")
	shown := `document.querySelectorAll("#lines code").length`
	skipped := `[...document.querySelectorAll("#lines .skipped")].reduce((n, p) => n + Number(p.textContent.replace(/\D/g, "")), 0)`
	b.Until(20*time.Second, fmt.Sprintf("%s + %s === %d", shown, skipped, all))
	if n := browser.Eval[int](b, skipped); n < all/2 {
		t.Fatalf("got %d skipped, want most of %d", n, all)
	}
	page := browser.Eval[string](b, `document.querySelector("#lines .skipped a").href`)
	_, _, text := get(t, page)
	inStream := browser.Eval[string](b, `[...document.querySelectorAll("#lines code")].map((code) => code.textContent).join("\n")`)
	for n := range all {
		if !strings.Contains(inStream, fmt.Sprintf(`"n":%d,`, n)) && !strings.Contains(text, fmt.Sprintf(`&#34;n&#34;:%d,`, n)) {
			t.Fatalf("line %d is neither in the stream nor at %s", n, page)
		}
	}
	if strings.Contains(text, `host"><bdi>other<`) {
		t.Error("the page of what was skipped has lines that the filter of the stream leaves out")
	}
	if !strings.Contains(text, "hbjournal query --since ") || !strings.Contains(text, " --name web* "+dir) {
		t.Errorf("got no command that prints the same: %s", text)
	}
	b.Show(page, 360, "dark")
	if got := browser.Eval[int64](b, "document.documentElement.scrollWidth"); got > 360 {
		t.Errorf("got a page %d pixels wide: it scrolls sideways", got)
	}
	if got := append(b.Pale(), b.Nameless()...); len(got) > 0 {
		t.Errorf("of too little contrast, or without a name: %q", got)
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Errorf("the browser complains: %q", faults)
	}
}

func TestARangeIsBoundedAndSaysSo(t *testing.T) {
	dir, at := t.TempDir(), time.UnixMilli(1_774_699_200_000)
	var lines []line
	for n := range 1500 {
		lines = append(lines, line{at.Add(time.Duration(n) * time.Millisecond), "10.0.0.1", fmt.Sprintf(`{"ID":"NUM","name":"web%d","n":%d}`, n%2, n)})
	}
	writeJournal(t, dir, lines)
	s, address := served(t, commanded(dir))
	settled(t, s)
	f := func(query string, code, rows int, texts ...string) {
		t.Helper()
		got, _, text := get(t, address+"/messages?"+query)
		if got != code || strings.Count(text, "<details>") != rows {
			t.Errorf("%s: got %d with %d rows, want %d with %d", query, got, strings.Count(text, "<details>"), code, rows)
		}
		for _, want := range texts {
			if !strings.Contains(text, want) {
				t.Errorf("%s: got no %q", query, want)
			}
		}
	}
	f("from=1774699200000&to=1774699200009", http.StatusOK, 10, "There are 10.", "--since 1774699200.000 --until 1774699200.010", "12:00:00.000 to 12:00:00.009")
	f("from=1774699200000&to=1774699200009&name=web1", http.StatusOK, 5, "--name web1")
	f("from=1774699200000&to=1774699200009&host=web1", http.StatusOK, 5, "--name web1")
	f("from=1774699200000&to=1774699999999", http.StatusOK, rangeLines, "The first 1,000 are shown; the command prints all.")
	f("from=1774690000000&to=1774690000009", http.StatusOK, 0, "There are none")
	f("from=x&to=1", http.StatusBadRequest, 0, "Unix milliseconds")
	f("from=1&to=2&match=x", http.StatusBadRequest, 0, "field=glob")
	f("", http.StatusBadRequest, 0)
}

func TestThePageOfAHostOfAFleetHasAStream(t *testing.T) {
	f := &fleet{top: t.TempDir()}
	opt := Options{Read: read.Options{Journals: []read.Journal{f.joins(t, "north", 1), f.joins(t, "south", 2)}}}
	s, address := served(t, opt)
	settled(t, s)
	_, _, text := get(t, address+"/host?name=of-south")
	_, rest, found := strings.Cut(text, `data-at="`)
	at, _, _ := strings.Cut(rest, `"`)
	if !found || at == "" {
		t.Fatalf("got no position in the page: %s", text)
	}
	events(t, address+"/events?host=of-south&from="+at, "", func(string, string, string) bool { return false })
}
