//go:build linux

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// delays are the ages of the messages of one run when their lines were in the file.
type delays struct {
	ages      []time.Duration
	rotations int
}

func (d delays) median() time.Duration { return percentile(d.ages, 0.5) }

func (d delays) most() time.Duration { return percentile(d.ages, 0.999) }

// delays runs the load, with ten rotations.
func (b *bench) delays(ctx context.Context, l load) (delays, error) {
	return b.delaysOf(ctx, hbjournal(b.program, rotations(l)), l)
}

// delaysOf runs the load against a contender.
func (b *bench) delaysOf(ctx context.Context, c contender, l load) (d delays, err error) {
	r, err := b.run(ctx, c, l, func(p *process) error {
		path := filepath.Join(p.dir, "messages.journal")
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		d.ages, err = follow(f, path, l.count, time.Minute)
		return err
	})
	d.rotations = r.files - 1
	return d, err
}

// follow reads the journal at path, opened as f, as it grows, over rotations, until it has seen count messages or limit
// is over, and returns how old each was, by the time of sending that it carries, when its line could be read. It looks
// for new lines every 100 µs, so that the ages are too high by as much. It closes f.
func follow(f *os.File, path string, count int, limit time.Duration) (ages []time.Duration, err error) {
	defer func() { f.Close() }()
	r, end := bufio.NewReader(f), time.Now().Add(limit)
	var part []byte
	rotated := false
	for len(ages) < count && time.Now().Before(end) {
		line, err := r.ReadBytes('\n')
		part = append(part, line...)
		switch {
		case err == nil:
			if at, ok := number(part, `"at":`); ok {
				ages = append(ages, time.Since(time.UnixMicro(at)))
			}
			part = part[:0]
		case err != io.EOF:
			return nil, err
		case rotated: // and read to its end since: nothing more comes in the old file.
			f.Close()
			if f, err = os.Open(path); err != nil {
				return nil, err
			}
			r.Reset(f)
			rotated = false
		default:
			_ = unix.Nanosleep(&unix.Timespec{Nsec: 100_000}, nil) // Waking up too soon does no harm.
			if rotated, err = replaced(f, path); err != nil {
				return nil, err
			}
		}
	}
	return ages, nil
}

// replaced reports whether another file than f is at path now.
func replaced(f *os.File, path string) (bool, error) {
	old, err := f.Stat()
	if err != nil {
		return false, err
	}
	live, err := os.Stat(path)
	return err == nil && !os.SameFile(old, live), err
}

// percentile returns the value below which the share p of the ages lies.
func percentile(ages []time.Duration, p float64) time.Duration {
	if len(ages) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(ages))
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}
