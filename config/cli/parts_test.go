package cli

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// partFunc is a part that is a function.
type partFunc func(ctx context.Context) error

func (f partFunc) Serve(ctx context.Context) error { return f(ctx) }

func TestPartsStopFromTheLastToTheFirstEachWhenThoseBehindItHaveEnded(t *testing.T) {
	var mu sync.Mutex
	var events []string
	event := func(e string) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	var all parts
	for _, name := range []string{"status", "journal", "listener"} {
		all.add(name, partFunc(func(ctx context.Context) error {
			<-ctx.Done()
			event(name + " stops")
			event(name + " has ended")
			return errors.New(name + " could not stop cleanly")
		}))
	}
	err := all.start(zerolog.Nop())()
	want := []string{
		"listener stops", "listener has ended", "journal stops", "journal has ended", "status stops", "status has ended",
	}
	if !slices.Equal(events, want) {
		t.Errorf("events: got %q, want %q", events, want)
	}
	if want := "listener could not stop cleanly\njournal could not stop cleanly\nstatus could not stop cleanly"; err == nil || err.Error() != want {
		t.Errorf("error: got %v, want %s", err, want)
	}
}

func TestAPartThatADiskKeepsFromEndingKeepsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		defer close(answer)
		ended := false
		var all parts
		all.add("journal", partFunc(func(ctx context.Context) error {
			<-ctx.Done()
			ended = true
			return nil
		}))
		all.addFor(time.Second, "life", partFunc(func(context.Context) error {
			<-answer
			return nil
		}))
		began := time.Now()
		err := all.start(zerolog.Nop())()
		if took := time.Since(began); !ended || took != time.Second || err == nil || !strings.Contains(err.Error(), "stop life: no end within 1s") {
			t.Errorf("got %v after %v, the other one ended: %v", err, took, ended)
		}
	})
}

func TestPartThatFailsIsToldToTheLogAtOnceAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var all parts
		var others atomic.Int32
		goesOn := partFunc(func(ctx context.Context) error {
			others.Add(1)
			<-ctx.Done()
			others.Add(-1)
			return nil
		})
		all.add("before", goesOn)
		all.add("output", partFunc(func(context.Context) error { return errors.New("no such host") }))
		all.add("after", goesOn)
		stop := all.start(zerolog.New(zerolog.SyncWriter(&log)))
		synctest.Wait()
		if text := log.String(); !strings.Contains(text, `"error":"no such host","part":"output"`) {
			t.Errorf("log: got %q, want the error and the name of the part", text)
		}
		if err := stop(); err != nil || others.Load() != 0 {
			t.Errorf("stop: got %v with %d of the others running, want neither", err, others.Load())
		}
	})
}
