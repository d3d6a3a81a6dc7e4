//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	rotationSize = 100 << 20 // journal_max_size of the rotation part, in bytes
	lineSize     = 252       // bytes of a journal line of the mix, roughly and at least
)

// parts are the sections of the benchmark, in their order. --only picks some.
var parts = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"rate 100,000", rate(load{rate: 100_000})},
	{"rate 200,000", rate(load{rate: 200_000})},
	{"rate 300,000", rate(load{rate: 300_000, segment: true})},
	{"rate 400,000", rate(load{rate: 400_000, segment: true})},
	{"burst", bursts},
	{"idle", idle},
	{"latency", latency},
	{"sources", sources},
	{"rotation", rotation},
	{"compression", compression},
	{"seal", seals},
	{"forward", forwards},
	{"write", writers},
}

// rate is the part that measures the cost of a datagram, and the loss, at one rate. All rates share a table, which is
// printed after the last.
func rate(l load) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		l := l
		l.count = l.rate * 5
		if b.short {
			l.rate, l.count = l.rate/100, l.rate/100
		}
		contenders := b.contenders()
		results, err := b.compare(ctx, l, contenders)
		if err != nil {
			return err
		}
		for _, c := range contenders {
			r := results[c.name]
			b.rates.add(l.String(), c.name, count(r.offered), count(r.rate)+"/s", count(r.lost), micros(r.each()), mebibytes(r.rss))
		}
		b.rss = max(b.rss, results["hbjournal"].rss)
		b.judgeRate(l, results)
		return nil
	}
}

// judgeRate holds the results of one rate against the goals that concern it.
func (b *bench) judgeRate(l load, results map[string]result) {
	own := results["hbjournal"]
	ratio := func(name string) (float64, bool) {
		other, ok := results[name]
		return float64(own.each()) / float64(max(other.each(), 1)), ok
	}
	if x, ok := ratio("rsyslog"); ok && l.rate == 100_000 {
		b.goal("CPU a datagram at 100,000/s, of rsyslog's", "0.60", fmt.Sprintf("%.2f", x), x <= 0.6)
	}
	if l.rate != 400_000 {
		return
	}
	b.goal("lost at 400,000/s", "0", fmt.Sprintf("%s, sent at %s/s", count(own.lost), count(own.rate)),
		own.lost == 0 && own.rate >= 390_000)
	if x, ok := ratio("bare C loop"); ok {
		b.goal("CPU a datagram at 400,000/s, of the bare C loop's", "2.00", fmt.Sprintf("%.2f", x), x <= 2)
	}
}

// bursts is as many datagrams at once as a machine can send.
func bursts(ctx context.Context, b *bench) error {
	l := load{count: 100_000}
	if b.short {
		l.count = 2_000
	}
	var rows table
	lost := 0
	for _, l.segment = range []bool{false, true} {
		contenders := b.contenders()
		results, err := b.compare(ctx, l, contenders)
		if err != nil {
			return err
		}
		for _, c := range contenders {
			r := results[c.name]
			rows.add(l.String(), c.name, count(r.rate)+"/s", count(r.lost), micros(r.each()), mebibytes(r.rss))
		}
		lost = max(lost, results["hbjournal"].lost)
	}
	rows.print(os.Stdout, "load", "program", "sent at", "lost", "CPU µs each", "peak RSS")
	b.goal("lost of a burst of 100,000", "0", count(lost), lost == 0)
	return nil
}

// idle is what a contender costs while nothing comes in.
func idle(ctx context.Context, b *bench) error {
	length := 10 * time.Second
	if b.short {
		length = time.Second
	}
	var rows table
	for _, c := range b.contenders() {
		share, err := b.idleShare(ctx, c, length)
		if err != nil {
			return err
		}
		rows.add(c.name, fmt.Sprintf("%.3f %%", share*100))
		if c.name == "hbjournal" {
			b.goal("idle, of a core", "0.100 %", fmt.Sprintf("%.3f %%", share*100), share <= 0.001)
		}
	}
	rows.print(os.Stdout, "program", "idle CPU, of a core")
	return nil
}

func (b *bench) idleShare(ctx context.Context, c contender, length time.Duration) (share float64, err error) {
	p, err := launch(ctx, c, b.dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.stop(), os.RemoveAll(p.dir)) }()
	if err := p.settle(ctx, time.Second); err != nil {
		return 0, err
	}
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(length):
	}
	after, err := p.cpu()
	return (after - before).Seconds() / time.Since(start).Seconds(), err
}

// latency is from the sending of a message to its line in the file, over some rotations. Of three runs, the one counts
// whose 99.9 % is in the middle.
func latency(ctx context.Context, b *bench) error {
	l, rounds := load{rate: 1_000, count: 20_000}, 3
	if b.short {
		l.count, rounds = 500, 1
	}
	var runs []delays
	for range rounds {
		d, err := b.delays(ctx, l)
		if err != nil {
			return err
		}
		runs = append(runs, d)
	}
	slices.SortFunc(runs, func(a, b delays) int { return cmp.Compare(a.most(), b.most()) })
	d := runs[len(runs)/2]
	var rows table
	rows.add(l.String(), count(d.rotations), millis(d.median()), millis(percentile(d.ages, 0.99)), millis(d.most()),
		millis(percentile(d.ages, 1)))
	rows.print(os.Stdout, "load", "rotations", "median", "99 %", "99.9 %", "max")
	b.goal("latency at 1,000/s, median", "2 ms", millis(d.median()), d.median() < 2*time.Millisecond)
	b.goal("latency at 1,000/s, 99.9 %", "15 ms", millis(d.most()), d.most() < 15*time.Millisecond)
	return nil
}

// rotating is a load that makes files of this size rotate so many times; in the short form, small ones a few times.
func (b *bench) rotating(times int) (l load, size int) {
	l, size = load{rate: 200_000}, rotationSize
	if b.short {
		times, l, size = 3, load{rate: 5_000}, 100_000
	}
	l.count = (times + 1) * size / lineSize
	return l, size
}

// rotation is twenty rotations under load.
func rotation(ctx context.Context, b *bench) error {
	const times = 20
	l, size := b.rotating(times)
	c := hbjournal(b.program, fmt.Sprintf("JOURNAL_MAX_SIZE=%d", size), "JOURNAL_FSYNC=1s")
	r, err := b.run(ctx, c, l, nil)
	if err != nil {
		return err
	}
	var rows table
	rows.add(l.String(), count(r.files-1), count(r.offered), count(r.lost), micros(r.each()), mebibytes(r.rss))
	rows.print(os.Stdout, "load", "rotations", "offered", "lost", "CPU µs each", "peak RSS")
	b.goal("lost at 200,000/s over 20 rotations of 100 MB", "0", fmt.Sprintf("%s over %d", count(r.lost), r.files-1),
		r.lost == 0 && r.files > times)
	return nil
}

// compression is some rotations under load, whose backups are compressed meanwhile.
func compression(ctx context.Context, b *bench) error {
	l, size := b.rotating(5)
	var rows table
	for _, how := range []string{"none", "gzip", "zstd"} {
		c := hbjournal(b.program, fmt.Sprintf("JOURNAL_MAX_SIZE=%d", size), "JOURNAL_COMPRESS="+how)
		r, err := b.run(ctx, c, l, nil)
		if err != nil {
			return err
		}
		saved := 100 * float64(r.bytes-r.disk) / float64(max(r.bytes, 1))
		rows.add(l.String(), how, fmt.Sprintf("%d of %d", r.packed, r.files-1), fmt.Sprintf("%.0f %%", saved),
			count(r.offered), count(r.lost), micros(r.each()), mebibytes(r.rss))
		if how != "none" {
			b.goal("lost at 200,000/s while 100 MB are compressed, "+how, "0", fmt.Sprintf("%s over %d", count(r.lost), r.packed),
				r.lost == 0 && r.packed > 0)
		}
	}
	rows.print(os.Stdout, "load", "compression", "backups compressed", "saved", "offered", "lost", "CPU µs each", "peak RSS")
	return nil
}
