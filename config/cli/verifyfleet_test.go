package cli

import (
	"bytes"
	"testing"
	"time"

	"hbjournal/ingest/fleet"
)

// A receiver of which nothing is known to be shipped must not be shown as one that has shipped nothing.
func TestAReceiverWithoutFiguresIsNotShownAsZeroLines(t *testing.T) {
	f := func(c fleet.Comparison, want string) {
		t.Helper()
		var printed bytes.Buffer
		verifyPrinter{w: &printed}.comparison(c)
		if got := printed.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	at := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	f(fleet.Comparison{Receiver: "one", State: fleet.Unknown, Here: 1200, Detail: "the receiver has said nothing of what it shipped"},
		"fleet  one: unknown, 1200 lines here: the receiver has said nothing of what it shipped\n")
	f(fleet.Comparison{Receiver: "one", State: fleet.Unknown, Here: 1}, "fleet  one: unknown, 1 line here\n")
	f(fleet.Comparison{Receiver: "one", State: fleet.Missing}, "fault  one: missing\n")
	f(fleet.Comparison{Receiver: "one", State: fleet.Complete, Shipped: 5, Here: 7, At: at}, "fleet  one: complete, 5 of 5 lines and 2 since\n")
	f(fleet.Comparison{Receiver: "one", State: fleet.Behind, Shipped: 5, Here: 3, At: at}, "fault  one: behind, 3 of 5 lines\n")
	f(fleet.Comparison{Receiver: "one", State: fleet.Complete, Here: 3, At: at}, "fleet  one: complete, 0 of 0 lines and 3 since\n")
}

func TestTheResultOfAFleetSaysForHowManyThereWereNoFigures(t *testing.T) {
	f := func(counts map[fleet.State]int64, want string) {
		t.Helper()
		var printed bytes.Buffer
		verifyPrinter{w: &printed}.fleetResult(&fleetCheck{counts: counts})
		if got := printed.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(map[fleet.State]int64{fleet.Complete: 2}, "2 receivers: 2 complete\n")
	f(map[fleet.State]int64{fleet.Unknown: 2}, "2 receivers: 2 unknown; there were no figures to compare 2 with\n")
	f(map[fleet.State]int64{fleet.Complete: 1, fleet.Unknown: 1, fleet.ByLastLine: 1}, "3 receivers: 1 by last line, 1 complete, 1 unknown; there were no figures to compare 1 with\n")
	if fleet.Unknown.IsFault() {
		t.Error("got a fault for what is not known, want none: nothing is known to be wrong")
	}
}
