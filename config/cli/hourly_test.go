package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"hbjournal/config/cli/status"
)

func TestHourIsSummedUpInOneLineAlsoWhenNothingCameIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		ledger := status.Ledger{Received: 100, Kernel: 3, Dropped: map[string]uint64{"queue": 4, "disabled": 90}}
		hosts := 7
		s := summing{
			log: zerolog.New(&log), ledger: func() status.Ledger { return ledger },
			hosts: func() int { n := hosts; hosts = 0; return n },
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Serve(ctx) }()
		<-time.After(time.Hour - time.Second)
		synctest.Wait()
		if log.String() != "" {
			t.Errorf("log before the hour is over: got %q", log.String())
		}
		<-time.After(time.Hour)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		var got []struct{ Received, Hosts, Lost int }
		for line := range strings.Lines(log.String()) {
			var hour struct{ Received, Hosts, Lost int }
			if err := json.Unmarshal([]byte(line), &hour); err != nil {
				t.Fatal(err)
			}
			got = append(got, hour)
		}
		if len(got) != 1 || got[0].Received != 100 || got[0].Hosts != 7 || got[0].Lost != 7 {
			t.Errorf("got %+v, want one line with 100 received from 7 hosts and 7 lost", got)
		}
	})
}
