package web

import (
	"fmt"
	"testing"
	"time"

	"hbjournal/config/cli/browser"
	"hbjournal/sink"
)

const (
	rowsNow = `document.querySelectorAll("#lines li").length`
	isLive  = `document.getElementById("link").textContent === "Live"`
)

// tenLines shows the first page of a journal of ten lines. What follows is written by more, which returns when the page has it, as rows or
// as the number of those that are held back.
func tenLines(t *testing.T) (s *Server, b *browser.Browser, more func(count int)) {
	t.Helper()
	dir := t.TempDir()
	j := writer(t, sink.Options{Dir: dir})
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	log(t, j, 0, 10)
	s, address := served(t, oneJournal(dir))
	settled(t, s)
	b = browser.New(t, 2*time.Minute)
	b.Show(address, 1280, "light")
	b.Until(20*time.Second, isLive)
	b.Until(20*time.Second, rowsNow+" === 10")
	n, held := 10, 0
	more = func(count int) {
		had := browser.Eval[int](b, rowsNow)
		held = browser.Eval[int](b, `document.getElementById("more").hidden ? 0 : parseInt(document.getElementById("more").textContent)`)
		log(t, j, n, n+count)
		n += count
		b.Until(20*time.Second, fmt.Sprintf(`%s === %d || document.getElementById("more").textContent === "%d new"`, rowsNow, had+count, held+count))
	}
	return s, b, more
}

// inOrder wants the numbered lines up to n in the page, each once.
func inOrder(t *testing.T, b *browser.Browser, n int) {
	t.Helper()
	b.Until(20*time.Second, fmt.Sprintf("%s === %d", rowsNow, n))
	for i, number := range browser.Eval[[]float64](b, numbers) {
		if int(number) != i {
			t.Fatalf("row %d: got number %v, want every line once", i, number)
		}
	}
}

func TestBrowserHoldsTheListWhileItIsPaused(t *testing.T) {
	_, b, more := tenLines(t)
	browser.Eval[bool](b, `document.getElementById("pause").click() === undefined`)
	more(5)
	more(4)
	if got := browser.Eval[string](b, `document.getElementById("pause").textContent + "|" + document.getElementById("pause").getAttribute("aria-pressed") + "|" +
		document.getElementById("more").textContent + "|" + `+rowsNow); got != "Go on|true|9 new|10" {
		t.Errorf("got %q while paused, want 9 held back and the 10 rows as they were", got)
	}
	browser.Eval[bool](b, `document.getElementById("pause").click() === undefined`)
	inOrder(t, b, 19)
	more(3)
	inOrder(t, b, 22)
	if faults := b.Faults(); len(faults) > 0 {
		t.Errorf("the browser complains: %q", faults)
	}
}

func TestBrowserHoldsTheListWhileAMessageIsUnfolded(t *testing.T) {
	_, b, more := tenLines(t)
	browser.Eval[bool](b, `document.querySelectorAll("#lines summary")[6].click() === undefined`)
	b.Until(10*time.Second, `document.querySelector("#lines details[open] pre") !== null`)
	const where = `document.querySelector("#lines details[open]").getBoundingClientRect().top`
	before := browser.Eval[float64](b, where)
	more(7)
	if got := browser.Eval[float64](b, where); got != before || browser.Eval[int](b, rowsNow) != 10 {
		t.Errorf("what is read moved from %v to %v", before, got)
	}
	if got := browser.Eval[string](b, `document.querySelector("#lines details[open] pre").textContent`); len(got) < 20 {
		t.Errorf("got %q unfolded, want the message", got)
	}
	browser.Eval[bool](b, `document.querySelector("#lines details[open] summary").click() === undefined`)
	inOrder(t, b, 17)
}

func TestBrowserIsNotConnectedWhileNobodySeesThePage(t *testing.T) {
	s, b, more := tenLines(t)
	seen := func(state string) {
		browser.Eval[bool](b, fmt.Sprintf(`(() => {
			Object.defineProperty(document, "hidden", { configurable: true, get: () => %t });
			return document.dispatchEvent(new Event("visibilitychange"));
		})()`, state == "hidden"))
	}
	seen("hidden")
	until(t, func() bool { return s.streams.used() == 0 }, "the stream ends")
	asked := len(b.Requests())
	wait(t, 3*time.Second) // Longer than anything in the page takes to begin again.
	if got := len(b.Requests()); got != asked || s.streams.used() != 0 {
		t.Errorf("got %d requests and %d streams while hidden, want none", got-asked, s.streams.used())
	}
	seen("visible")
	until(t, func() bool { return s.streams.used() == 1 }, "the stream goes on")
	b.Until(20*time.Second, isLive)
	more(5)
	inOrder(t, b, 15)
}

// until waits for a condition of the server.
func until(tb testing.TB, condition func() bool, what string) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			tb.Fatalf("waited 20 s in vain: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}
