//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// sources is the cost of a datagram as the senders become many. Rounds with each number of them follow one another, and
// the costs are compared within a round, since over the minutes that all take a machine becomes faster and slower.
func sources(ctx context.Context, b *bench) error {
	l, numbers, rounds := load{rate: 100_000, count: 100_000}, []int{1, 10, 100, 1_000, 10_000, 100_000}, 17
	if b.short {
		l, numbers, rounds = load{rate: 5_000, count: 5_000}, []int{1, 1_000}, 1
	}
	runs := make([][]result, len(numbers)) // by number of sources, then by round
	for range rounds {
		for i, n := range numbers {
			l.sources = n
			r, err := b.undisturbed(ctx, hbjournal(b.program), l)
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], r)
		}
	}
	costs := relativeCosts(runs)
	var rows table
	for i, n := range numbers {
		r := middle(runs[i])
		rows.add(count(n), count(r.lost), micros(r.each()), fmt.Sprintf("%.2f", costs[i]), mebibytes(r.rss))
	}
	rows.print(os.Stdout, "sources at "+l.String(), "lost", "CPU µs each", "of the round's mean", "peak RSS")
	spread := slices.Max(costs)/slices.Min(costs) - 1
	b.goal("CPU a datagram, 1 to 100,000 sources", "within 10 %", fmt.Sprintf("%.0f %%", spread*100), spread <= 0.1)
	return nil
}

// relativeCosts returns, of runs by case and round, each case's cost as a share of the round's mean: what it is on average
// in the middle half of the rounds, so that a few disturbed ones do not count.
func relativeCosts(runs [][]result) []float64 {
	rounds := len(runs[0])
	shares := make([][]float64, len(runs))
	for round := range rounds {
		var sum float64
		for _, all := range runs {
			sum += float64(all[round].each())
		}
		for i, all := range runs {
			shares[i] = append(shares[i], float64(all[round].each())*float64(len(runs))/sum)
		}
	}
	costs := make([]float64, len(runs))
	for i, all := range shares {
		slices.Sort(all)
		half := all[len(all)/4 : len(all)-len(all)/4]
		for _, share := range half {
			costs[i] += share / float64(len(half))
		}
	}
	return costs
}
