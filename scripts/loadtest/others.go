//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

// others tells how busy the machine was with what the benchmark did not start.
type others struct {
	start time.Time
	busy  time.Duration
}

func startOthers() (others, error) {
	busy, err := machineBusy()
	return others{time.Now(), busy}, err
}

// cores is how many cores were busy since the start, without the time given, which is the benchmark's own.
func (o others) cores(own time.Duration) (float64, error) {
	busy, err := machineBusy()
	return max(0, (busy-o.busy-own).Seconds()/time.Since(o.start).Seconds()), err
}

// quietCores is how much of the machine others may have while something is measured.
const quietCores = 0.1

// awaitQuiet waits for a second in which others have no more of the machine than that, or for half a minute.
func awaitQuiet(ctx context.Context) error {
	for range 30 {
		seen, err := startOthers()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		if cores, err := seen.cores(0); err != nil || cores <= quietCores {
			return err
		}
	}
	return nil
}

// machineBusy is the time that all cores together have not been idle, since the machine started: proc_stat(5).
func machineBusy() (time.Duration, error) {
	const tick = time.Second / 100 // USER_HZ, which no Linux of today changes
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal …
	if len(fields) < 9 {
		return 0, errors.New("/proc/stat does not start with the times of all cores")
	}
	var busy time.Duration
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 { // idle and iowait
			busy += time.Duration(ticks) * tick
		}
	}
	return busy, nil
}
