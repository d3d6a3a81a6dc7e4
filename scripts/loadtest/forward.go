//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// down are outputs of each kind whose receivers are not there: nothing listens on port 1.
func down(dir string) []string {
	urls := []string{"splunk://127.0.0.1:1?token_file=" + filepath.Join(dir, "token"), "kafka://127.0.0.1:1/topic"}
	for _, scheme := range strings.Fields(`http syslog+tcp syslog+tls cef+tcp cef+tls gelf+tcp gelf+http elasticsearch opensearch
		loki otlp victorialogs nats`) {
		urls = append(urls, scheme+"://127.0.0.1:1")
	}
	return urls
}

// forwarding is hbjournal with all outputs down, and those of working, if any, beside them.
func forwarding(program string, working func(dir string) []string, settings ...string) contender {
	return contender{"hbjournal, outputs down", func(dir string, port int) (*exec.Cmd, error) {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte("none\n"), 0o600); err != nil {
			return nil, err
		}
		urls := down(dir)
		if working != nil {
			urls = append(urls, working(dir)...)
		}
		return hbjournal(program, append(settings, "FORWARD_TO="+strings.Join(urls, " "))...).start(dir, port)
	}}
}

// forwards is what outputs cost those who receive: with all of them down, with others that ship meanwhile, and in latency.
func forwards(ctx context.Context, b *bench) error {
	fast, long := load{rate: 200_000, count: 1_000_000}, load{rate: 100_000, count: 6_000_000}
	if b.short {
		fast, long = load{rate: 2_000, count: 2_000}, load{rate: 10_000, count: 50_000}
	}
	plain, with := hbjournal(b.program), forwarding(b.program, nil)
	results, err := b.compare(ctx, fast, []contender{plain, with})
	if err != nil {
		return err
	}
	shipping, ships, err := b.besideOutputs(ctx, long)
	if err != nil {
		return err
	}
	var rows table
	add := func(l load, name string, r result, shipped string) {
		rows.add(l.String(), name, count(r.offered), count(r.rate)+"/s", count(r.lost), shipped, micros(r.each()), mebibytes(r.rss))
	}
	add(fast, plain.name, results[plain.name], "")
	add(fast, with.name, results[with.name], "")
	add(long, "the same, and "+ships.names()+" that are shipped to", shipping, ships.String())
	rows.print(os.Stdout, "load", "program", "offered", "sent at", "lost", "shipped", "CPU µs each", "peak RSS")

	lost := results[with.name].lost
	b.goal("lost at 200,000/s with all outputs down", "0", count(lost), lost == 0)
	b.goal("lost in a minute of 100,000/s beside "+ships.names()+" that work", "0", count(shipping.lost), shipping.lost == 0)
	b.goal("shipped of it to each", count(shipping.journaled), ships.String(), ships.least() >= shipping.journaled)
	each := (results[with.name].rss - results[plain.name].rss) / int64(len(down("")))
	b.goal("memory of each output that is down", "8 MiB", mebibytes(each), each <= 8<<20)
	return b.latencyBesideOutputs(ctx)
}

// latencyBesideOutputs is the latency with all outputs down.
func (b *bench) latencyBesideOutputs(ctx context.Context) error {
	l := load{rate: 1_000, count: 20_000}
	if b.short {
		l.count = 500
	}
	d, err := b.delaysOf(ctx, forwarding(b.program, nil, rotations(l)), l)
	if err != nil {
		return err
	}
	b.goal("latency with all outputs down, median", "2 ms", millis(d.median()), d.median() < 2*time.Millisecond)
	b.goal("latency with all outputs down, 99.9 %", "15 ms", millis(d.most()), d.most() < 15*time.Millisecond)
	return nil
}

// rotations is the setting with which a load makes ten rotations.
func rotations(l load) string { return fmt.Sprintf("JOURNAL_MAX_SIZE=%d", l.count*lineSize/10) }
