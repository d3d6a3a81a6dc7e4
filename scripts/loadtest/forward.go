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

// forwarding is hbjournal with all outputs down, and if copies is set, with one that works beside them.
func forwarding(program string, copies bool, settings ...string) contender {
	return contender{"hbjournal, outputs down", func(dir string, port int) (*exec.Cmd, error) {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte("none\n"), 0o600); err != nil {
			return nil, err
		}
		urls := down(dir)
		if copies {
			urls = append(urls, "file://"+filepath.Join(dir, "copies")+"/")
		}
		return hbjournal(program, append(settings, "FORWARD_TO="+strings.Join(urls, " "))...).start(dir, port)
	}}
}

// forwards is what outputs cost those who receive: with all of them down, with one that ships meanwhile, and in latency.
func forwards(ctx context.Context, b *bench) error {
	fast, long := load{rate: 200_000, count: 1_000_000}, load{rate: 100_000, count: 6_000_000}
	if b.short {
		fast, long = load{rate: 2_000, count: 2_000}, load{rate: 1_000, count: 1_000}
	}
	plain, with := hbjournal(b.program), forwarding(b.program, false)
	results, err := b.compare(ctx, fast, []contender{plain, with})
	if err != nil {
		return err
	}
	var rows table
	add := func(l load, name string, r result) {
		rows.add(l.String(), name, count(r.offered), count(r.rate)+"/s", count(r.lost), micros(r.each()), mebibytes(r.rss))
	}
	add(fast, plain.name, results[plain.name])
	add(fast, with.name, results[with.name])
	shipping, err := b.run(ctx, forwarding(b.program, true), long, nil)
	if err != nil {
		return err
	}
	add(long, "the same, and a file that is shipped to", shipping)
	rows.print(os.Stdout, "load", "program", "offered", "sent at", "lost", "CPU µs each", "peak RSS")

	lost := results[with.name].lost
	b.goal("lost at 200,000/s with all outputs down", "0", count(lost), lost == 0)
	b.goal("lost in a minute of 100,000/s beside an output that works", "0", count(shipping.lost), shipping.lost == 0)
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
	d, err := b.delaysOf(ctx, forwarding(b.program, false, rotations(l)), l)
	if err != nil {
		return err
	}
	b.goal("latency with all outputs down, median", "2 ms", millis(d.median()), d.median() < 2*time.Millisecond)
	b.goal("latency with all outputs down, 99.9 %", "15 ms", millis(d.most()), d.most() < 15*time.Millisecond)
	return nil
}

// rotations is the setting with which a load makes ten rotations.
func rotations(l load) string { return fmt.Sprintf("JOURNAL_MAX_SIZE=%d", l.count*lineSize/10) }
