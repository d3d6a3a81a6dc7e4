//go:build linux

package main

import (
	"testing"
	"time"
)

func TestCheapestUndisturbedRunCountsWithTheWorstLossOfAll(t *testing.T) {
	run := func(cost time.Duration, lost int, disturbed string) result {
		return result{account: account{journaled: 1}, cpu: cost, lost: lost, disturbed: disturbed}
	}
	f := func(name string, want result, all ...result) {
		t.Helper()
		if got := merge(all); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	f("all quiet", run(2, 7, ""), run(3, 7, ""), run(2, 0, ""))
	f("the cheapest disturbed", run(3, 9, ""), run(2, 9, "other programs"), run(3, 0, ""), run(4, 0, ""))
	f("all disturbed", run(2, 1, "x"), run(3, 1, "y"), run(2, 0, "x"))
}
