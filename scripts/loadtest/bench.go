//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// bench is what the parts share.
type bench struct {
	options
	repeat int // runs of each load, of which the cheapest counts
	rates  table
	rss    int64 // hbjournal's peak at all rates, in bytes
	goals  table
	noisy  int   // runs that were disturbed each time they were tried
	fault  error // what no load may ever lead to: doubled or foreign lines
}

func newBench(o options) *bench {
	b := &bench{options: o, repeat: 3}
	if o.short {
		b.repeat = 1
	}
	return b
}

// contenders are the programs to compare, hbjournal first.
func (b *bench) contenders() []contender {
	all := []contender{hbjournal(b.program)}
	if b.rsyslog != "" {
		all = append(all, rsyslog(b.rsyslog))
	}
	if b.bare != "" {
		all = append(all, bareloop(b.bare))
	}
	return all
}

// printRates prints the table that all rates share, once they are through.
func (b *bench) printRates(w io.Writer) {
	if len(b.rates) == 0 {
		return
	}
	b.rates.print(w, "load", "program", "offered", "sent at", "lost", "CPU µs each", "peak RSS")
	b.goal("peak RSS at every rate", "64 MiB", mebibytes(b.rss), b.rss <= 64<<20)
	b.rates = nil
}

// printGoals prints the goals, and whether the machine was quiet enough for the figures to mean anything.
func (b *bench) printGoals(w io.Writer) {
	b.goals.print(w, "goal", "limit", "figure", "")
	if b.noisy > 0 {
		fmt.Fprintf(w, "%d runs were disturbed by other programs at every try: measure again on a quiet machine.\n", b.noisy)
	}
}

// goal notes a figure beside its limit. The short form has no limits.
func (b *bench) goal(what, limit, figure string, ok bool) {
	if b.short {
		return
	}
	verdict := "ok"
	if !ok {
		verdict = "MISS"
	}
	b.goals.add(what, limit, figure, verdict)
}

// load is what `hbjournal send` is asked for.
type load struct {
	rate    int // datagrams a second; 0: as fast as it goes
	count   int
	sources int
	segment bool
}

// String names the load as the tables do.
func (l load) String() string {
	name := count(l.rate) + "/s"
	if l.rate == 0 {
		name = "burst of " + count(l.count)
	}
	if l.segment {
		name += ", UDP_SEGMENT"
	}
	return name
}

func (l load) args(port int) []string {
	args := []string{
		"send", "--mix", "--to", "127.0.0.1:" + strconv.Itoa(port), "--count", strconv.Itoa(l.count),
		"--rate", strconv.Itoa(l.rate), "--sources", strconv.Itoa(l.sources),
	}
	if l.segment {
		args = append(args, "--segment")
	}
	return args
}

// result is what one run came to.
type result struct {
	account
	offered int
	lost    int
	rate    int           // datagrams a second that the sender managed
	cpu     time.Duration // of the contender, for all datagrams
	rss     int64         // its peak, in bytes

	elsewhere float64 // cores that others had while it was loaded
	disturbed string  // why it says little; "": it does not
}

// disturbance is why the run under l says little: that other programs had so much of the machine, or that the sender did
// not keep its rate; "" if there is no reason.
func (r result) disturbance(l load) string {
	switch {
	case r.elsewhere > quietCores:
		return fmt.Sprintf("other programs had %.2f cores", r.elsewhere)
	case r.rate < l.rate/40*39:
		return fmt.Sprintf("the sender managed only %s/s", count(r.rate))
	}
	return ""
}

// each is the CPU time that one datagram cost.
func (r result) each() time.Duration { return r.cpu / time.Duration(max(r.journaled, 1)) }

// run starts c, sends it the load, stops it, and checks and removes what it wrote. The work in during, if any, is done
// while the load is sent.
func (b *bench) run(ctx context.Context, c contender, l load, during func(*process) error) (r result, err error) {
	p, err := launch(ctx, c, b.dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	r, err = b.measure(ctx, p, l, during)
	if err = errors.Join(err, p.stop()); err != nil {
		log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		return r, fmt.Errorf("%s under %v: %w\n%s", c.name, l, err, log)
	}
	files, err := journals(p.dir)
	if err != nil {
		return r, err
	}
	if r.account, err = check(files, l.count); err != nil {
		return r, err
	}
	r.lost = r.offered - r.journaled
	if r.doubled > 0 || r.foreign > 0 {
		b.fault = errors.Join(b.fault, fmt.Errorf("%s under %v: %d lines doubled, %d not as sent",
			c.name, l, r.doubled, r.foreign))
	}
	return r, nil
}

// measure loads a running process and takes its figures, except for what it wrote.
func (b *bench) measure(ctx context.Context, p *process, l load, during func(*process) error) (r result, err error) {
	if err := p.settle(ctx, 300*time.Millisecond); err != nil {
		return r, err
	}
	before, err := p.cpu()
	if err != nil {
		return r, err
	}
	others, err := startOthers()
	if err != nil {
		return r, err
	}
	side := make(chan error, 1)
	go func() {
		if during == nil {
			side <- nil
			return
		}
		side <- during(p)
	}()
	r.offered = l.count
	rate, sender, err := b.send(ctx, l, p.port)
	if err = errors.Join(err, <-side); err != nil {
		return r, err
	}
	if err := p.settle(ctx, 300*time.Millisecond); err != nil {
		return r, err
	}
	after, err := p.cpu()
	if err != nil {
		return r, err
	}
	r.rate, r.cpu = rate, after-before
	if r.elsewhere, err = others.cores(r.cpu + sender); err != nil {
		return r, err
	}
	r.rss, err = p.peakRSS()
	return r, err
}

// sentRate finds the rate in the summary of `hbjournal send`.
var sentRate = regexp.MustCompile(`, ([0-9]+)/s`)

// send runs `hbjournal send` and returns the rate that it managed, and the CPU time that it took.
func (b *bench) send(ctx context.Context, l load, port int) (int, time.Duration, error) {
	cmd := exec.CommandContext(ctx, b.program, l.args(port)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%v: %w: %s", cmd, err, out)
	}
	match := sentRate.FindSubmatch(out)
	if match == nil {
		return 0, 0, fmt.Errorf("%v: no rate in its summary: %s", cmd, out)
	}
	rate, err := strconv.Atoi(string(match[1]))
	return rate, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// compare lets the contenders take turns at l, and returns the run of each that took the least CPU time, since what else
// goes on in the machine can only add to it. Its loss and memory are the worst of all runs.
func (b *bench) compare(ctx context.Context, l load, contenders []contender) (map[string]result, error) {
	runs := map[string][]result{}
	for range b.repeat {
		for _, c := range contenders {
			r, err := b.undisturbed(ctx, c, l)
			if err != nil {
				return nil, err
			}
			runs[c.name] = append(runs[c.name], r)
		}
	}
	merged := map[string]result{}
	for name, all := range runs {
		merged[name] = merge(all)
	}
	return merged, nil
}

// undisturbed runs c, and again if other programs were busy meanwhile or held up the sender, but not without end.
func (b *bench) undisturbed(ctx context.Context, c contender, l load) (r result, err error) {
	for range 4 {
		if r, err = b.run(ctx, c, l, nil); err != nil || b.short {
			return r, err
		}
		if r.disturbed = r.disturbance(l); r.disturbed == "" {
			return r, nil
		}
		fmt.Fprintf(os.Stderr, "bench: %s while %s was loaded; trying again\n", r.disturbed, c.name)
		if err = awaitQuiet(ctx); err != nil {
			return r, err
		}
	}
	b.noisy++
	return r, nil
}

// merge is the cheapest of the runs that nothing disturbed, or of all if there is none, with the worst loss and memory of
// all.
func merge(all []result) result {
	quiet := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.disturbed != "" })
	if len(quiet) == 0 {
		quiet = all
	}
	return worst(slices.MinFunc(quiet, cheaper), all)
}

// middle is the run of middle cost of all, with the worst loss and memory of them. Among many alike it says more than the
// cheapest, which may have met a moment when the machine was faster.
func middle(all []result) result {
	sorted := slices.SortedFunc(slices.Values(all), cheaper)
	return worst(sorted[len(sorted)/2], all)
}

func cheaper(a, b result) int { return cmp.Compare(a.each(), b.each()) }

// worst is r with the worst loss and memory of all runs.
func worst(r result, all []result) result {
	for _, other := range all {
		r.rss, r.lost = max(r.rss, other.rss), max(r.lost, other.lost)
	}
	return r
}
