package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hbjournal/ingest/fleet"
	"hbjournal/sink/forward/durable"
	receivers "hbjournal/sink/forward/output"
	"hbjournal/sink/journal/read"
)

// verifyFleetFlags are the flags of `verify` for the journals of a fleet.
type verifyFleetFlags struct {
	url  string // of the stream beside which the bucket is
	file string // of what a bucket held
	save string
}

func (f *verifyFleetFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "fleet", "", "also compare each receiver's journal with what it has shipped, by the bucket beside the stream at this `URL`")
	flags.StringVar(&f.file, "figures", "", "the same by this `file`, which --save has written; - for standard input")
	flags.StringVar(&f.save, "save", "", "write what the bucket says to this `file`, for --figures later or elsewhere")
	cmd.MarkFlagsMutuallyExclusive("fleet", "figures")
}

// check prepares the comparison; nil: none is asked for.
func (f *verifyFleetFlags) check(ctx context.Context, r *reading) (*fleetCheck, error) {
	if f.url == "" && f.file == "" {
		if f.save != "" {
			return nil, &usageError{errors.New("--save: what?"), "give --fleet URL"}
		}
		return nil, nil
	}
	for _, j := range r.options.Each() {
		if len(j.Paths) > 0 {
			return nil, &usageError{
				errors.New("the journals of a fleet are compared by their directories, not by files"), "give the directory of the fleet, or of a receiver",
			}
		}
	}
	reported, err := f.reported(ctx, r.env)
	if err != nil {
		return nil, err
	}
	return &fleetCheck{
		selection: r.selection, reported: reported, archiver: archiverName(r.cfg.Config),
		whole: len(r.fleets) > 0 || len(r.options.Journals) > 1,
	}, nil
}

// reported reads what is known of the receivers. It is read before their journals, which may go on meanwhile.
func (f *verifyFleetFlags) reported(ctx context.Context, env Env) (map[string]*fleet.Reported, error) {
	changes, err := f.changes(ctx, env)
	if err != nil {
		return nil, err
	}
	if f.save != "" {
		var text bytes.Buffer
		err := fleet.WriteChanges(&text, changes)
		if err == nil {
			err = writeWhole(f.save, text.Bytes())
		}
		if err != nil {
			return nil, fmt.Errorf("save what the bucket says: %w", err)
		}
	}
	all, err := fleet.ReportedIn(changes)
	if err != nil {
		fmt.Fprintf(env.Stderr, "hbjournal: warning: %s\n", visible(err.Error()))
	}
	return all, nil
}

func (f *verifyFleetFlags) changes(ctx context.Context, env Env) ([]fleet.Change, error) {
	if f.url != "" {
		source, err := receivers.ParseSource(f.url)
		if err != nil {
			return nil, &usageError{err, "give the URL that 'hbjournal archive' reads from"}
		}
		changes, err := fleet.ReadBucket(ctx, source.Servers, source.Bucket)
		if err != nil {
			return nil, &hintedError{
				fmt.Errorf("%s: %w", source.Address(), err),
				"what a bucket held can be kept with --save FILE, and be used later with --figures FILE",
			}
		}
		return changes, nil
	}
	file := env.Stdin
	if f.file != read.Stdin {
		opened, err := os.Open(f.file)
		if err != nil {
			return nil, &usageError{err, "'hbjournal verify --fleet URL --save FILE' writes such a file"}
		}
		defer opened.Close()
		file = opened
	}
	changes, err := fleet.ReadChanges(file)
	if err != nil {
		return nil, &usageError{fmt.Errorf("--figures %s: %w", f.file, err), "'hbjournal verify --fleet URL --save FILE' writes such a file"}
	}
	return changes, nil
}

// fleetCheck is the comparison of a fleet.
type fleetCheck struct {
	*selection
	reported map[string]*fleet.Reported
	archiver string
	whole    bool // the journals of all receivers are to be there
	counts   map[fleet.State]int64
	faults   int64
}

// settleWithin is how long lines that were shipped may be on their way.
const settleWithin = 3 * time.Second

// run compares all receivers, and tells show of each.
func (c *fleetCheck) run(ctx context.Context, show func(fleet.Comparison)) error {
	c.counts = map[fleet.State]int64{}
	journals := map[string]read.Journal{}
	for _, j := range c.options.Each() {
		journals[receiverOfJournal(j)] = j
	}
	all := slices.Collect(maps.Keys(journals))
	for name := range c.reported {
		if _, here := journals[name]; !here && c.whole && c.wants(name) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	deadline := time.Now().Add(settleWithin)
	for _, name := range all {
		result, err := c.compare(ctx, name, journals[name], deadline)
		if err != nil {
			return err
		}
		c.counts[result.State]++
		if result.State.IsFault() {
			c.faults++
		}
		show(result)
	}
	return nil
}

// compare compares one receiver; again, as long as what is missing may still come.
func (c *fleetCheck) compare(ctx context.Context, name string, j read.Journal, deadline time.Time) (fleet.Comparison, error) {
	reported := c.reported[name]
	if reported == nil {
		reported = &fleet.Reported{}
	}
	if j.Dir == "" {
		if f := reported.Figures; f == nil || f.Number == 0 {
			return fleet.Comparison{Receiver: name, State: fleet.Complete, Detail: "nothing was shipped"}, nil
		}
		return fleet.Comparison{
			Receiver: name, State: fleet.Missing, Shipped: reported.Figures.Number, At: reported.Figures.At, Detail: "there is no journal of it here",
		}, nil
	}
	opt := c.options
	opt.Dir, opt.Base, opt.Journals = j.Dir, j.Base, nil
	for {
		result, err := fleet.Compare(ctx, opt, name, c.archiver, reported)
		if err != nil || result.State != fleet.Behind || time.Now().After(deadline) {
			return result, err
		}
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// comparison prints what a receiver's journal was found to be.
func (p verifyPrinter) comparison(c fleet.Comparison) {
	if p.json != nil {
		_ = p.json.Encode(map[string]any{"receiver": c})
		return
	}
	kind := "fleet "
	if c.State.IsFault() {
		kind = "fault "
	}
	text := fmt.Sprintf("%s %s: %s", kind, c.Receiver, c.State)
	switch {
	case c.At.IsZero() && c.Shipped == 0: // There are no figures to hold the lines against.
		if c.Here > 0 {
			text += fmt.Sprintf(", %s here", plural(c.Here, "line"))
		}
	case c.Shipped > 0 || c.Here > 0:
		text += fmt.Sprintf(", %d of %d lines", min(c.Here, c.Shipped), c.Shipped)
		if c.Here > c.Shipped {
			text += fmt.Sprintf(" and %d since", c.Here-c.Shipped)
		}
	}
	if c.Detail != "" {
		text += ": " + c.Detail
	}
	fmt.Fprintln(p.w, visible(text))
}

// fleetResult prints what all were found to be.
func (p verifyPrinter) fleetResult(c *fleetCheck) {
	if p.json != nil {
		_ = p.json.Encode(map[string]any{"fleet": c.counts})
		return
	}
	var parts []string
	var all int64
	for _, state := range slices.Sorted(maps.Keys(c.counts)) {
		all += c.counts[state]
		parts = append(parts, fmt.Sprintf("%d %s", c.counts[state], strings.ReplaceAll(string(state), "_", " ")))
	}
	text := plural(all, "receiver") + ": " + strings.Join(parts, ", ")
	if unknown := c.counts[fleet.Unknown]; unknown > 0 {
		text += fmt.Sprintf("; there were no figures to compare %d with", unknown)
	}
	fmt.Fprintln(p.w, text)
}

// writeWhole puts a file in the place of what has its name, whole or not at all.
func writeWhole(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
	}
	file, err := durable.Replace(path, text)
	if err != nil {
		return err
	}
	return file.Close()
}
