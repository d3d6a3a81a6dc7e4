//go:build linux

// Command loadtest measures hbjournal beside other programs of its kind, on this machine, over loopback. scripts/bench
// builds what it needs and calls it.
//
// Each run starts one contender in a directory of its own, loads it through `hbjournal send --mix`, whose messages carry
// running numbers, and afterwards reads what the contender wrote and accounts for every number. CPU time is the
// process's own CPU clock, in nanoseconds; on loopback the kernel's work of delivering a datagram falls to the sender,
// for every contender alike. Contenders take turns, and the cheapest of the repetitions counts, since whatever else a
// machine does can only make a run dearer.
//
// Everything is bounded in count and time; only processes that it started are ended.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

// options are the command line.
type options struct {
	program string // the hbjournal binary
	bare    string // the binary of bareloop.c; empty: leave it out
	rsyslog string // rsyslogd; empty: leave it out
	nats    string // nats-server; empty: leave it out
	dir     string // where the contenders' directories are made
	rotate  string // output of the benchmarks of sink/rotate; empty: leave them out
	encrypt string // output of the benchmark of encrypting; empty: leave it out
	short   bool   // a smoke test: small loads, no repetition, no goals
	only    *regexp.Regexp
}

func parse(args []string) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	flags.StringVar(&o.program, "program", "", "the hbjournal `binary`")
	flags.StringVar(&o.bare, "bareloop", "", "the compiled bareloop.c")
	flags.StringVar(&o.rsyslog, "rsyslog", "", "rsyslogd, to compare with")
	flags.StringVar(&o.nats, "nats", "", "nats-server, to ship to")
	flags.StringVar(&o.dir, "dir", "", "`directory` for journals")
	flags.StringVar(&o.rotate, "rotate", "", "`file` with the output of the benchmarks of sink/rotate")
	flags.StringVar(&o.encrypt, "encrypt", "", "`file` with the output of the benchmark of encrypting")
	flags.BoolVar(&o.short, "short", false, "seconds instead of minutes, and no goals")
	flags.StringVar(&only, "only", "", "run the parts whose name matches this `regexp`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("parse --only: %w", err)
	}
	if o.program == "" || o.dir == "" {
		return o, fmt.Errorf("--program and --dir are needed; scripts/bench gives them")
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b := newBench(o)
	for _, part := range parts {
		if !o.only.MatchString(part.name) {
			continue
		}
		if !strings.HasPrefix(part.name, "rate ") {
			b.printRates(os.Stdout)
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", part.name)
		if err := part.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.printRates(os.Stdout)
	b.printGoals(os.Stdout)
	return b.fault
}
