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

// writers holds the benchmarks of sink/rotate, which scripts/bench has run, against their goals.
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
	median := map[string]float64{}
	for _, name := range []string{"File", "bufio", "lumberjack", "lumberjack_gathered"} {
		if len(all[name]) == 0 {
			return fmt.Errorf("%s holds no BenchmarkLines/%s:\n%s", b.rotate, name, out)
		}
		median[name] = slices.Sorted(slices.Values(all[name]))[len(all[name])/2]
		rows.add(strings.ReplaceAll(name, "_", " "), fmt.Sprintf("%.0f ns", median[name]), count(int(1e9/median[name])))
	}
	rows.print(os.Stdout, "writer of 200-byte lines", "a line", "lines a second")
	faster, slower := median["lumberjack"]/median["File"], median["File"]/median["bufio"]
	b.goal("sink/rotate: lines a second, of lumberjack's", "10.0", fmt.Sprintf("%.1f", faster), faster >= 10)
	b.goal("sink/rotate: time a line, of bufio.Writer's", "1.30", fmt.Sprintf("%.2f", slower), slower <= 1.3)
	return nil
}
