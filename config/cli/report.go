package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hbjournal/config/cli/report"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/journal/summary"
)

const reportExample = `  # how yesterday went
  hbjournal report --since yesterday --until today
  # the last 24 hours, as a page for the browser
  hbjournal report --since 1d -o html > report.html
  hbjournal report --plugin cpu_monitor -o json | jq '.plugins[0].fields'
  # a table of all figures, for a spreadsheet
  hbjournal report --name 'web*' -o csv
  # files given by name, and standard input
  hbjournal report /backup/messages.journal.*
  zcat old.gz | hbjournal report -`

// reportFlags are the flags of `report`, beside those of its selection.
type reportFlags struct {
	printFlags
	title string
}

func newReport(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report [FILE|DIR...]",
		Short: "Sum up a range of the journal: traffic, hosts, missed beats, boots, losses, plugin figures",
		Long: "Sum up the entries of the journal and all its backups, or of the FILEs and DIRs if given, - for standard input.\n\n" +
			"A host's heartbeat (ID HTB) promises the next after its interval; one that is later by more than half an\n" +
			"interval is missed, and so are those that should have come between the last and the end of the range. The range\n" +
			"begins with the first entry in it. It ends where --until says, but now at the latest, and without --until with the\n" +
			"last entry: 'report --until now' sees that nothing comes any more.\n\n" +
			"Median and 95th percentile of plugin fields are within 1 %, all other figures are exact. In memory are hosts and\n" +
			"plugins, never entries; of more than 16384 hosts or sources the rest are counted together.",
		Example: reportExample,
	}
	var f reportFlags
	selection := addSelection(cmd, env)
	f.add(cmd, report.Formats(), "text is")
	cmd.Flags().Var(&oneText{&f.title}, "title", "`text` above the report, in place of the host and path of the journal")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return runReport(cmd.Context(), f, selection, args)
	}
	return cmd
}

func (f *reportFlags) check() error {
	if err := f.invalid(); err != nil {
		return &usageError{err, "see 'hbjournal report --help'"}
	}
	return nil
}

func runReport(ctx context.Context, f reportFlags, s *selection, args []string) error {
	r, err := s.reading(args, f.check())
	if err != nil {
		return err
	}
	r.quiet, r.sayNone, r.failEmpty = true, true, f.failEmpty
	var figures summary.Report
	sumUp := func(ctx context.Context) (err error) {
		figures, err = summarize(ctx, r)
		r.entries = figures.Total.Messages
		return err
	}
	return r.run(ctx, sumUp, func(interrupted bool) error {
		opt := f.options(r, args)
		if interrupted {
			opt.Notes = append(opt.Notes, "Interrupted: this is only what was read until then.")
		}
		if note := lastBefore(ctx, r, &figures); note != "" {
			opt.Notes = append(opt.Notes, note)
		}
		if n := r.faults.count; n > 0 {
			opt.Notes = append(opt.Notes, fmt.Sprintf("Faults in the files: %d. The rest was read; 'hbjournal verify' lists them.", n))
		}
		if err := report.Write(r.out.w, f.output, &figures, opt); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
		return nil
	})
}

// options are how the report is printed.
func (f *reportFlags) options(r *reading, args []string) report.Options {
	title := f.title
	if title == "" {
		title = reportTitle(r.selection, args)
	}
	return report.Options{Title: title, Zone: r.zone(), Color: f.colored(r.env), Width: reportWidth(r.env)}
}

// reportTitle names what is read, so that it can be told from the journals of other hosts.
func reportTitle(s *selection, args []string) string {
	switch {
	case len(s.receivers) > 0 && len(s.options.Journals) == 0:
		return "receiver " + receiverOfJournal(s.options.Each()[0])
	case len(args) == 0 && len(s.options.Journals) == 0:
		return onThisHost(absolute(s.place()))
	case len(args) == 0:
		return onThisHost(journalsTitle(s.options.Journals))
	case slices.Contains(args, read.Stdin):
		return "standard input"
	case len(args) == 1 && len(s.options.Journals) == 0:
		return absolute(args[0])
	case len(s.options.Journals) > 0:
		return journalsTitle(s.options.Journals)
	}
	dir := filepath.Dir(absolute(args[0]))
	for _, path := range args {
		if filepath.Dir(absolute(path)) != dir {
			return fmt.Sprintf("%d journal files", len(args))
		}
	}
	return fmt.Sprintf("%d journal files in %s", len(args), dir)
}

// onThisHost is text behind the name of this host.
func onThisHost(text string) string {
	if host, err := os.Hostname(); err == nil {
		return host + ": " + text
	}
	return text
}

// journalsTitle names where several journals are, if they are in one place.
func journalsTitle(journals []read.Journal) string {
	above := func(j read.Journal) string {
		if len(j.Paths) > 0 {
			return filepath.Dir(absolute(j.Paths[0]))
		}
		return filepath.Dir(absolute(j.Dir))
	}
	dir := above(journals[0])
	if slices.ContainsFunc(journals, func(j read.Journal) bool { return above(j) != dir }) {
		return fmt.Sprintf("%d journals", len(journals))
	}
	return fmt.Sprintf("%d journals in %s", len(journals), dir)
}

// absolute returns path from the root on, if that can be found out.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// reportWidth is the width of the text: that of COLUMNS or of the terminal; 0: neither is known.
func reportWidth(env Env) int {
	if columns, err := strconv.Atoi(env.environ()["COLUMNS"]); err == nil && columns > 0 {
		return columns
	}
	columns, _ := terminalWidth(env.Stdout)
	return columns
}

// lastBefore says when the last entry before a range came in which there is nothing at all; "" if there is any, or none
// is known.
func lastBefore(ctx context.Context, r *reading, figures *summary.Report) string {
	from := figures.From
	if len(figures.Timeline.Counts) > 0 || from == 0 || r.options.ReadsStdin() {
		return ""
	}
	before := r.options
	before.Since, before.Until = time.Time{}, from.Time()
	filter, err := journal.NewFilter(journal.FilterOptions{Until: before.Until})
	if err != nil {
		return ""
	}
	source := read.OpenBack(before)
	defer source.Close()
	newest := read.NewReader(ctx, source, filter, nil)
	if !newest.Next() {
		return ""
	}
	return "The last entry before came at " + time.UnixMilli(newest.Entry().Millis).In(r.zone()).Format("2006-01-02 15:04:05 MST") + "."
}

// stretch is what one block of a journal comes to.
type stretch struct {
	summary *summary.Summary
	faults  []*read.CorruptError
}

// summarize reads the selection to its end on all cores. Entries in the range that are
// not selected show that the journal went on. With an error, the report so far is returned as well.
func summarize(ctx context.Context, r *reading) (summary.Report, error) {
	total := summary.New()
	timely, err := journal.NewFilter(journal.FilterOptions{Since: r.options.Since, Until: r.options.Until})
	if err != nil {
		return total.Report(), err
	}
	source, err := read.Open(r.options)
	if err != nil {
		return total.Report(), err
	}
	defer source.Close()
	spare := sync.Pool{New: func() any { return summary.New() }}
	err = read.Ordered(ctx, source, func(b *read.Block) stretch {
		part := stretch{summary: spare.Get().(*summary.Summary)}
		part.read(b, timely, r.filter)
		return part
	}, func(part stretch) error {
		total.Merge(part.summary)
		part.summary.Reset()
		spare.Put(part.summary)
		for _, fault := range part.faults {
			r.faults.report(fault)
		}
		r.bar.show()
		return nil
	})
	if err == nil {
		total.Cover(r.options.Since, rangeEnd(r))
	}
	return total.Report(), err
}

// rangeEnd returns the end that --until gives the range: what has not been yet is no silence. It is the zero time without
// one, and for a range that has not begun.
func rangeEnd(r *reading) time.Time {
	now := r.clock()
	switch {
	case !r.options.Until.After(now):
		return r.options.Until
	case r.options.Since.After(now):
		return time.Time{}
	}
	return now
}

// read adds the entries of b. It runs on several goroutines.
func (s *stretch) read(b *read.Block, timely, filter *journal.Filter) {
	lines := read.Scanner{Filter: timely, OnFault: func(f *read.CorruptError) { s.faults = append(s.faults, f) }}
	for lines.Reset(b); lines.Next(); {
		if e := lines.Entry(); filter.Match(e) {
			s.summary.Add(e)
		} else {
			s.summary.Skip(e)
		}
	}
}
