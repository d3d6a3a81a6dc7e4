//go:build unix

// Command forwardtest measures how fast a journal is forwarded, one output at a time and with all that the loop forces to
// the disk, and prints it beside the goals. scripts/bench-forward builds what it runs.
//
//	forwardtest --program hbjournal --journal DIR --dir DIR [--runs 5]
//	            [--nats nats-server] [--victorialogs victoria-logs] [--rsyslog rsyslogd] [--only REGEXP]
//
// What is compared takes turns, and the median counts. Speeds are bytes of the journal over wall time; CPU is that of
// the sender alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// bench is one run of the command.
type bench struct {
	program, journal, dir       string
	nats, victorialogs, rsyslog string
	runs                        int
	bytes                       int64 // of the journal
	rows                        []row
}

// row is what one output came to.
type row struct {
	name string
	runs []figures
	goal string
}

// figures are those of one sender, from its start to its end.
type figures struct {
	wall, cpu time.Duration
	memory    int64 // peak, bytes; 0: not measured
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("forwardtest: error: ")
	b := &bench{}
	flag.StringVar(&b.program, "program", "", "hbjournal")
	flag.StringVar(&b.journal, "journal", "", "directory of the journal to send")
	flag.StringVar(&b.dir, "dir", "", "directory for state, copies and receivers")
	flag.StringVar(&b.nats, "nats", "", "nats-server; none: left out")
	flag.StringVar(&b.victorialogs, "victorialogs", "", "victoria-logs; none: left out")
	flag.StringVar(&b.rsyslog, "rsyslog", "", "rsyslogd, to compare syslog with; none: left out")
	flag.IntVar(&b.runs, "runs", 5, "runs of each")
	only := flag.String("only", "", "regular expression of the outputs to measure")
	flag.Parse()
	chosen, err := regexp.Compile(*only)
	if err != nil || b.program == "" || b.journal == "" || b.dir == "" || b.runs < 1 {
		log.Fatal("want --program, --journal and --dir, at least one run, and a regular expression for --only")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, chosen); err != nil {
		log.Fatal(err)
	}
}

func (b *bench) run(ctx context.Context, chosen *regexp.Regexp) error {
	var err error
	if b.bytes, err = size(b.journal); err != nil {
		return err
	}
	parts := []struct {
		name    string
		needs   string
		measure func(context.Context) error
	}{
		{"file", b.program, b.file},
		{"http", b.program, b.http},
		{"nats", b.nats, b.natsStream},
		{"victorialogs", b.victorialogs, b.victoriaLogs},
		{"syslog", b.program, b.syslog},
	}
	for _, p := range parts {
		if p.needs == "" || !chosen.MatchString(p.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "bench-forward:", p.name)
		if err := p.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.print()
	return nil
}

// size is the bytes of all files of the journal.
func size(journal string) (total int64, err error) {
	paths, err := filepath.Glob(filepath.Join(journal, "messages.journal*"))
	if len(paths) == 0 {
		err = errors.Join(err, fmt.Errorf("no journal in %s", journal))
	}
	for _, path := range paths {
		info, errOf := os.Stat(path)
		if errOf != nil {
			return 0, errOf
		}
		total += info.Size()
	}
	return total, err
}

// print writes the table.
func (b *bench) print() {
	fmt.Fprintf(os.Stdout, "\n%d MB of journal, median of %d\n\n", b.bytes/1_000_000, b.runs)
	fmt.Fprintln(os.Stdout, "| what                                  |     MB/s | CPU s a GB | memory MiB | goal |")
	fmt.Fprintln(os.Stdout, "|---|---:|---:|---:|---|")
	for _, r := range b.rows {
		m := r.median()
		memory := "-"
		if m.memory > 0 {
			memory = fmt.Sprint(m.memory >> 20)
		}
		fmt.Fprintf(os.Stdout, "| %-37s | %8s | %10.2f | %10s | %s |\n", r.name, count(float64(b.bytes)/1e6/m.wall.Seconds()),
			m.cpu.Seconds()*1e9/float64(b.bytes), memory, r.goal)
	}
}

// count is a number without decimals, with a comma between thousands.
func count(n float64) string {
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// median takes the medians of the figures, each by itself.
func (r row) median() figures {
	of := func(value func(figures) int64) int64 {
		var all []int64
		for _, f := range r.runs {
			all = append(all, value(f))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return figures{
		wall:   time.Duration(of(func(f figures) int64 { return int64(f.wall) })),
		cpu:    time.Duration(of(func(f figures) int64 { return int64(f.cpu) })),
		memory: of(func(f figures) int64 { return f.memory }),
	}
}
