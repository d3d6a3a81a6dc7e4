//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// seals is what it costs to seal and to encrypt the journal, and to verify it.
func seals(ctx context.Context, b *bench) error {
	if err := sealCost(ctx, b); err != nil {
		return err
	}
	length := 10 * time.Second
	if b.short {
		length = time.Second
	}
	share, err := b.idleShare(ctx, sealed(b.program), length)
	if err != nil {
		return err
	}
	b.goal("idle and sealed, of a core", "0.100 %", fmt.Sprintf("%.3f %%", share*100), share <= 0.001)
	if err := sealVerify(ctx, b); err != nil {
		return err
	}
	return encryptions(b)
}

// sealCost is the difference of runs that take turns.
func sealCost(ctx context.Context, b *bench) error {
	l := load{rate: 400_000, count: 2_000_000, segment: true}
	if b.short {
		l.rate, l.count = 4_000, 4_000
	}
	plain, with := hbjournal(b.program), sealed(b.program)
	results, err := b.compare(ctx, l, []contender{plain, with})
	if err != nil {
		return err
	}
	var rows table
	for _, c := range []contender{plain, with} {
		r := results[c.name]
		rows.add(l.String(), c.name, count(r.offered), count(r.rate)+"/s", count(r.lost), micros(r.each()), mebibytes(r.rss))
	}
	rows.print(os.Stdout, "load", "program", "offered", "sent at", "lost", "CPU µs each", "peak RSS")
	more := results[with.name].each() - results[plain.name].each()
	b.goal("CPU that the seal adds to a datagram at 400,000/s", "0.35 µs", micros(more), more <= 350*time.Nanosecond)
	b.goal("lost at 400,000/s, sealed", "0", count(results[with.name].lost), results[with.name].lost == 0)
	return nil
}

// sealVerify makes a sealed journal of 1 GB, looks at how large its seal is, and verifies it with and without the key by turns.
func sealVerify(ctx context.Context, b *bench) (err error) {
	l := load{rate: 200_000, count: 4_000_000, segment: true}
	if b.short {
		l.rate, l.count = 4_000, 4_000
	}
	p, err := launch(ctx, sealed(b.program), b.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	_, err = b.measure(ctx, p, l, nil)
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	lines, bytes, err := journalSize(p.dir)
	if err != nil {
		return err
	}
	leaves, rest, err := sealSize(filepath.Join(p.dir, ".messages.journal.d", "seal"))
	if err != nil {
		return err
	}
	perLine, forever := float64(leaves)/float64(lines), float64(rest)/float64(lines)
	b.goal("state of the seal, of a line of plain files", "33.0 bytes", fmt.Sprintf("%.1f bytes", perLine), perLine <= 33)
	b.goal("state of the seal that stays, of a line", "1.0 bytes", fmt.Sprintf("%.1f bytes", forever), forever <= 1)
	without, with, err := b.verifyTimes(ctx, p.dir)
	if err != nil {
		return err
	}
	var rows table
	rows.add(mebibytes(bytes), count(int(lines)), without.Round(time.Millisecond).String(), with.Round(time.Millisecond).String())
	rows.print(os.Stdout, "journal", "lines", "verify", "verify --key")
	more := time.Duration(float64(with-without) * 1e9 / float64(bytes))
	b.goal("time that --key adds to verify, for 1 GB", "2 s", more.Round(time.Millisecond).String(), more <= 2*time.Second)
	return nil
}

// verifyTimes are the shortest times of verify without and with the key.
func (b *bench) verifyTimes(ctx context.Context, dir string) (without, with time.Duration, err error) {
	vkey, err := vkeyOf(dir)
	if err != nil {
		return 0, 0, err
	}
	times := map[bool][]time.Duration{}
	for range b.repeat {
		for _, keyed := range []bool{false, true} {
			cmd := exec.CommandContext(ctx, b.program, "verify", "--journal-dir", dir)
			if keyed {
				cmd.Args = append(cmd.Args, "--key", vkey)
			}
			start := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				return 0, 0, fmt.Errorf("%v: %w: %s", cmd, err, out)
			}
			times[keyed] = append(times[keyed], time.Since(start))
		}
	}
	return slices.Min(times[false]), slices.Min(times[true]), nil
}

// keptKey finds the vkey among the kept checkpoints.
var keptKey = regexp.MustCompile(`(?m)^\S+\+[0-9a-f]{8}\+\S+$`)

func vkeyOf(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, ".messages.journal.d", "seal", "checkpoints"))
	if err != nil {
		return "", err
	}
	key := keptKey.Find(text)
	if key == nil {
		return "", errors.New("the seal has kept no key")
	}
	return string(key), nil
}

func journalSize(dir string) (lines, bytes int64, err error) {
	files, err := journals(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, 0, err
		}
		bytes += int64(len(text))
		for _, c := range text {
			if c == '\n' {
				lines++
			}
		}
	}
	return max(lines, 1), max(bytes, 1), nil
}

// sealSize is how large the leaves are, and what stays for ever; the reserve, which is of one size, is not a part of that.
func sealSize(dir string) (leaves, rest int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "reserve" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if filepath.Base(filepath.Dir(path)) == "leaves" {
			leaves += info.Size()
		} else {
			rest += info.Size()
		}
		return nil
	})
	return leaves, rest, err
}

// encryptLine is a line of `go test -bench EncryptBackup ./sink/rotate`.
var encryptLine = regexp.MustCompile(`(?m)^BenchmarkEncryptBackup/alone(?:-\d+)?\s.*\s([0-9.]+) MB/s`)

// encryptions holds the benchmark of encrypting, which scripts/bench has run, against its goal: the best run.
func encryptions(b *bench) error {
	if b.encrypt == "" {
		return nil
	}
	out, err := os.ReadFile(b.encrypt)
	if err != nil {
		return err
	}
	best := 0.0
	for _, match := range encryptLine.FindAllSubmatch(out, -1) {
		rate, err := strconv.ParseFloat(string(match[1]), 64)
		if err != nil {
			return err
		}
		best = max(best, rate)
	}
	if best == 0 {
		return fmt.Errorf("%s holds no BenchmarkEncryptBackup/alone:\n%s", b.encrypt, out)
	}
	b.goal("encryption of backups on one core, at least", "300 MB/s", fmt.Sprintf("%.0f MB/s", best), best >= 300)
	return nil
}
