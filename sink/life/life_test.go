package life

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// live keeps a life for so long, and ends it by itself or not.
func live(t *testing.T, opt Options, length time.Duration, ended bool) {
	t.Helper()
	k, err := Begin(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Serve(ctx) }()
	<-time.After(length) // In a bubble of synctest, where it takes none.
	synctest.Wait()
	text, _ := os.ReadFile(k.path)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !ended { // As kill -9 leaves it.
		if err := os.WriteFile(k.path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func spans(t *testing.T, dir string) []Span {
	t.Helper()
	spans, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return spans
}

func TestALifeIsKnownToTheSecondHoweverItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		start := time.Now().UTC()
		live(t, Options{StateDir: dir}, 90500*time.Millisecond, false)
		live(t, Options{StateDir: dir}, 1500*time.Millisecond, true)
		want := []Span{
			{From: start, To: start.Add(90 * time.Second)},
			{From: start.Add(90500 * time.Millisecond), To: start.Add(92 * time.Second), Ended: true},
		}
		if got := spans(t, dir); !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestALifeGoesOnOverARestartThatHandsTheSocketsOver(t *testing.T) {
	f := func(want int, handedOver, ended bool, pause time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			live(t, Options{StateDir: dir}, 10*time.Second, ended)
			<-time.After(pause)
			live(t, Options{StateDir: dir, HandedOver: handedOver}, 10*time.Second, true)
			got := spans(t, dir)
			if len(got) != want {
				t.Errorf("handed over %v, ended %v, %v between: got %d spans, want %d", handedOver, ended, pause, len(got), want)
			}
			if length := got[0].To.Sub(got[0].From); want == 1 && length != 20*time.Second+pause {
				t.Errorf("got one of %v, want %v", length, 20*time.Second+pause)
			}
		})
	}
	f(1, true, true, time.Second)
	f(2, true, true, time.Minute)
	f(2, true, false, time.Second)
	f(2, false, true, time.Second)
}

func TestAProcessThatSleptOrWhoseClockWasSetLivesAnew(t *testing.T) {
	f := func(want int, by time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			dir, start := t.TempDir(), time.Now()
			now := func() time.Time {
				if since := time.Since(start); since > 30*time.Second {
					return time.Now().Add(by)
				}
				return time.Now()
			}
			live(t, Options{StateDir: dir, Now: now}, time.Minute, true)
			if got := spans(t, dir); len(got) != want || got[len(got)-1].To != now().UTC().Round(0) {
				t.Errorf("by %v: got %v, want %d spans", by, got, want)
			}
		})
	}
	f(1, 0)
	f(1, 2*time.Second)
	f(2, time.Hour)
	f(2, -time.Hour)
}

func TestNoSignIsGivenWhileNothingIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, start := t.TempDir(), time.Now()
		writes := func() bool { return time.Since(start) < 20*time.Second }
		live(t, Options{StateDir: dir, Writes: writes}, time.Minute, false)
		if got := spans(t, dir); len(got) != 1 || got[0].To.Sub(got[0].From) != 19*time.Second {
			t.Errorf("got %v, want one of 19 s", got)
		}
	})
}

func TestWhatIsNotWholeIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		live(t, Options{StateDir: dir}, 10*time.Second, true)
		live(t, Options{StateDir: dir}, 10*time.Second, true)
		path := filepath.Join(dir, fileName)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range text {
			damaged := slices.Clone(text)
			damaged[i] ^= 1
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := spans(t, dir); len(got) > 1 || len(got) == 0 && damaged[i] != '\n'^1 {
				t.Fatalf("byte %d: got %v, want the other one", i, got)
			}
			if err := os.WriteFile(path, text[:i], 0o600); err != nil {
				t.Fatal(err)
			}
			if got := spans(t, dir); len(got) != strings.Count(string(text[:i]), "\n") {
				t.Fatalf("cut at %d: got %v", i, got)
			}
		}
	})
}

func TestSpansAreBounded(t *testing.T) {
	dir := t.TempDir()
	at := time.Unix(1774699200, 0)
	var text []byte
	for range mostSpans {
		text = appendLine(text, Span{From: at, To: at.Add(time.Second)})
		at = at.Add(time.Minute)
	}
	if err := os.WriteFile(filepath.Join(dir, fileName), text, 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := Begin(Options{StateDir: dir, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	k.Close()
	got := spans(t, dir)
	if len(got) != mostSpans || !got[len(got)-1].From.Equal(at) {
		t.Errorf("got %d spans up to %v, want %d up to %v", len(got), got[len(got)-1].From, mostSpans, at)
	}
}

func TestASignIsGivenAgainWhenItCan(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	k, err := Begin(Options{StateDir: dir, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	_ = k.file.Close() // As of a file system that takes no more.
	now = now.Add(time.Second)
	if k.tick(); k.failed == nil {
		t.Fatal("a sign that could not be given is taken for given")
	}
	now = now.Add(time.Second)
	if k.tick(); k.failed != nil {
		t.Fatal(k.failed)
	}
	if got := spans(t, dir); len(got) != 1 || !got[0].To.Equal(now) {
		t.Errorf("got %v, want a life until %v", got, now)
	}
}
