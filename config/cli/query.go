package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"hbjournal/sink/journal/read"
)

const queryExample = `  # what a plugin said in the last two hours
  hbjournal query --since 2h --id PLG --plugin cpu_monitor
  hbjournal query --name 'web*' --match 'cpu_percent=9?' -o table
  hbjournal query --jq 'select(.message.cpu_percent > 90) | .message.name' -r
  # what happened about the last 14:03, in columns
  hbjournal query --around 14:03 --within 2m --fields name,cpu_percent,mem.used
  # the last 100 entries
  hbjournal query -n 100 -o pretty
  # all heartbeats, and those that come
  hbjournal query -f --id HTB
  # of the receivers in the directory of a fleet, those of a site
  hbjournal query --receiver 'site1-*' --show-receiver --since 1h /var/lib/fleet
  # files given by name, and standard input
  hbjournal query --count /backup/messages.journal.*
  zcat old.gz | hbjournal query --since 2026-03-28 -`

// queryFlags are the flags of `query`, beside those of its selection.
type queryFlags struct {
	printFlags
	last    int // results, or everything
	follow  bool
	reverse bool
	count   bool
	jq      string
	raw     bool
	fields  []string
	from    bool // the receiver is shown with each entry
}

func newQuery(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "query [FILE|DIR...]",
		Short: "Filter, follow and print the journal's entries",
		Long: "Print the entries of the journal and all its backups, compressed or not, oldest first, each as the line that\n" +
			"stands in the journal. FILEs are read instead if given, - for standard input. A DIR is the journal in it, or if there\n" +
			"is none, those of all receivers in its subdirectories: several are merged by time.\n\n" +
			"Lines that are no whole entries are reported with file and offset, and reading goes on; the exit code is then 1.",
		Example: queryExample,
	}
	f := queryFlags{last: everything}
	selection := addSelection(cmd, env)
	flags := cmd.Flags()
	flags.VarP(&limit{&f.last}, "lines", "n", "only the last `N` entries; with --jq, the last N values that it gives")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with the entries that come, until interrupted")
	f.addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(f.fields) > 0 && !cmd.Flags().Changed("output") {
			f.output = "table"
		}
		return runQuery(cmd.Context(), f, selection, args)
	}
	return cmd
}

func newTail(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "tail [FILE|DIR...]",
		Short:   "Print the last entries and those that come: query -n 10 -f",
		Example: "  hbjournal tail --name webserver1 -o table",
	}
	f := queryFlags{follow: true, last: 10}
	selection := addSelection(cmd, env)
	cmd.Flags().VarP(&limit{&f.last}, "lines", "n", "start with the last `N` entries")
	f.addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(f.fields) > 0 && !cmd.Flags().Changed("output") {
			f.output = "table"
		}
		return runQuery(cmd.Context(), f, selection, args)
	}
	return cmd
}

func (f *queryFlags) addOutput(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.reverse, "reverse", false, "newest entries first")
	flags.BoolVar(&f.count, "count", false, "print only how many entries there are, or values of --jq")
	flags.Var(&oneText{&f.jq}, "jq", "print the values that this jq `expression` gives for each entry")
	flags.BoolVarP(&f.raw, "raw", "r", false, "print strings that --jq gives without quotes")
	f.add(cmd, outputs, "pretty and table are")
	flags.BoolVar(&f.from, "show-receiver", false, "show with each entry whose journal it is from: a field receiver behind the others, "+
		"or a column in front")
	flags.Var(&someTexts{&f.fields, true}, "fields", "the `columns` of table and csv: name,cpu_percent,mem.used are paths into the message, "+
		"and timestamp, datetime, source_ip and source_port the entry's own")
}

// query is one run of the command.
type query struct {
	queryFlags
	*reading
	program *jqProgram // nil: none
	render  renderer
	width   int // of the terminal that render is for
	buffers buffers
}

func runQuery(ctx context.Context, f queryFlags, s *selection, args []string) error {
	s.ahead = f.follow
	r, err := s.reading(args, f.check(s))
	if err != nil {
		return err
	}
	q := &query{queryFlags: f, reading: r}
	r.quiet, r.endless, r.failEmpty = f.count, f.follow, f.failEmpty
	r.sayNone = f.last != 0 && (!f.follow || !s.options.Until.IsZero())
	if err := q.compile(); err != nil {
		return err
	}
	return r.run(ctx, q.read, q.conclude)
}

// check reports what cannot go together.
func (f *queryFlags) check(s *selection) error {
	var faults []error
	fault := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New(text))
		}
	}
	fault(f.follow && f.reverse, "-f and --reverse: what comes cannot be printed before what was")
	fault(f.follow && f.count && s.until == "", "-f and --count: following has no end to count to")
	if err := errors.Join(append(faults, f.invalid(), checkFields(f.fields, f.output))...); err != nil {
		return &usageError{err, "see 'hbjournal query --help'"}
	}
	return nil
}

func (q *query) compile() (err error) {
	if q.program, err = compileJQ(q.jq, q.from); err != nil {
		return err
	}
	q.fit()
	if q.follow {
		return q.followed()
	}
	return nil
}

// fit makes the form of the output for the width that the terminal has now.
func (q *query) fit() {
	width, _ := terminalWidth(q.env.Stdout)
	if q.render.entry != nil && width == q.width {
		return
	}
	environ := q.env.environ()
	o := rendering{color: q.colored(q.env), width: width, zone: q.zone(), fields: q.fields, from: q.from}
	o.zoneName = zoneName(o.zone, environ, time.Now())
	before := q.render.header
	q.width, q.render = width, o.renderer(q.output)
	if q.render.header != before {
		q.out.header = q.render.header
	}
}

func (q *query) read(ctx context.Context) error {
	switch {
	case q.follow:
		return q.readOn(ctx)
	case q.last >= 0:
		_, err := q.readLast(ctx)
		return err
	}
	options := q.options
	options.Reverse = q.reverse
	source, err := read.Open(options)
	if err != nil {
		return err
	}
	defer source.Close()
	work := func(b *read.Block) *results { return q.start(ctx, b) }
	return read.Ordered(ctx, source, work, func(r *results) error {
		q.bar.show()
		return q.emit(r)
	})
}

// conclude prints how many entries there were, if that was asked for.
func (q *query) conclude(interrupted bool) error {
	if !q.count || interrupted {
		return nil
	}
	return q.out.write(fmt.Appendf(nil, "%d\n", q.entries))
}
