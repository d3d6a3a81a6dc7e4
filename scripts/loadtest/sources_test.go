//go:build linux

package main

import (
	"math"
	"testing"
	"time"
)

func TestCostsAreComparedWithinARound(t *testing.T) {
	run := func(cost time.Duration) result { return result{account: account{journaled: 1}, cpu: cost} }
	// The machine halves its speed from round to round, and once disturbs the second case.
	got := relativeCosts([][]result{
		{run(100), run(200), run(400), run(800), run(1600)},
		{run(300), run(600), run(9000), run(2400), run(4800)},
	})
	for i, want := range []float64{0.5, 1.5} {
		if math.Abs(got[i]-want) > 1e-9 {
			t.Errorf("case %d: got %v of the mean, want %v", i, got[i], want)
		}
	}
}
