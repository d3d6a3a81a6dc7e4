//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// benchLine is a line of `go test -bench Lines ./sink/rotate`: the writer and its nanoseconds.
var benchLine = regexp.MustCompile(`(?m)^BenchmarkLines/(\w+)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op`)

// writers holds the benchmarks of sink/rotate, which scripts/bench has run, against their goals: the best run of each.
func writers(_ context.Context, b *bench) error {
	if b.rotate == "" {
		return nil
	}
	out, err := os.ReadFile(b.rotate)
	if err != nil {
		return err
	}
	all := map[string][]float64{}
	for _, match := range benchLine.FindAllSubmatch(out, -1) {
		ns, err := strconv.ParseFloat(string(match[2]), 64)
		if err != nil {
			return err
		}
		all[string(match[1])] = append(all[string(match[1])], ns)
	}
	var rows table
	best := map[string]float64{}
	for _, name := range []string{"File", "bufio", "lumberjack", "lumberjack_gathered"} {
		if len(all[name]) == 0 {
			return fmt.Errorf("%s holds no BenchmarkLines/%s:\n%s", b.rotate, name, out)
		}
		best[name] = slices.Min(all[name])
		rows.add(strings.ReplaceAll(name, "_", " "), fmt.Sprintf("%.0f ns", best[name]), count(int(1e9/best[name])))
	}
	rows.print(os.Stdout, "writer of 200-byte lines", "a line", "lines a second")
	faster, slower := best["lumberjack"]/best["File"], best["File"]/best["bufio"]
	b.goal("sink/rotate: lines a second, of lumberjack's", "10.0", fmt.Sprintf("%.1f", faster), faster >= 10)
	b.goal("sink/rotate: time a line, of bufio.Writer's", "1.30", fmt.Sprintf("%.2f", slower), slower <= 1.3)
	return nil
}
