package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

const queryExample = `  hbjournal query --since 2h --id PLG --plugin cpu_monitor     what a plugin said in the last two hours
  hbjournal query --name 'web*' --match 'cpu_percent=9?' -o table
  hbjournal query --jq 'select(.message.cpu_percent > 90) | .message.name' -r
  hbjournal query -n 100 -o pretty                             the last 100 entries
  hbjournal query -f --id HTB                                  all heartbeats, and those that come
  hbjournal query --count /backup/messages.journal.*           files given by name
  zcat old.gz | hbjournal query --since 2026-03-28 -           standard input`

// queryFlags are the flags of `query`, beside those of its selection.
type queryFlags struct {
	printFlags
	last    int // -n; -1: all
	follow  bool
	reverse bool
	count   bool
	jq      string
	raw     bool
}

func newQuery(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "query [FILE...]",
		Short: "Filter, follow and print the journal's entries",
		Long: "Print the entries of the journal and all its backups, compressed or not, oldest first, each as the line that\n" +
			"stands in the journal. FILEs are read instead if given, - for standard input.\n\n" +
			"Lines that are no whole entries are reported with file and offset, and reading goes on; the exit code is then 1.",
		Example: queryExample,
	}
	var f queryFlags
	selection := addSelection(cmd, env)
	flags := cmd.Flags()
	flags.IntVarP(&f.last, "lines", "n", -1, "only the last `N` entries")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with the entries that come, until interrupted")
	f.addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return runQuery(cmd.Context(), f, selection, args)
	}
	return cmd
}

func newTail(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "tail [FILE]",
		Short:   "Print the last entries and those that come: query -n 10 -f",
		Example: "  hbjournal tail --name webserver1 -o table",
	}
	f := queryFlags{follow: true}
	selection := addSelection(cmd, env)
	cmd.Flags().IntVarP(&f.last, "lines", "n", 10, "start with the last `N` entries")
	f.addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return runQuery(cmd.Context(), f, selection, args)
	}
	return cmd
}

func (f *queryFlags) addOutput(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.reverse, "reverse", false, "newest entries first")
	flags.BoolVar(&f.count, "count", false, "print only how many entries there are")
	flags.StringVar(&f.jq, "jq", "", "print the values that this jq `expression` gives for each entry")
	flags.BoolVarP(&f.raw, "raw", "r", false, "print strings that --jq gives without quotes")
	f.add(cmd, outputs, "pretty and table are")
}

// query is one run of the command.
type query struct {
	queryFlags
	*reading
	program *jqProgram // nil: none
	render  renderer
	buffers buffers
}

func runQuery(ctx context.Context, f queryFlags, s *selection, args []string) error {
	r, err := s.reading(args, f.check(args))
	if err != nil {
		return err
	}
	q := &query{queryFlags: f, reading: r}
	r.quiet, r.endless, r.failEmpty = f.count, f.follow, f.failEmpty
	if err := q.compile(); err != nil {
		return err
	}
	return r.run(ctx, q.read, q.conclude)
}

// check reports what cannot go together.
func (f *queryFlags) check(args []string) error {
	var faults []error
	fault := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New(text))
		}
	}
	fault(f.follow && f.reverse, "-f and --reverse: what comes cannot be printed before what was")
	fault(f.follow && f.count, "-f and --count: following has no end to count to")
	fault(f.follow && (len(args) > 1 || slices.Contains(args, read.Stdin)), "-f follows one journal: name its live file, or none")
	fault(f.last < -1, "-n: must not be negative")
	if err := errors.Join(append(faults, f.invalid())...); err != nil {
		return &usageError{err, "see 'hbjournal query --help'"}
	}
	return nil
}

func (q *query) compile() (err error) {
	if q.program, err = compileJQ(q.jq); err != nil {
		return err
	}
	width, _ := terminalWidth(q.env.Stdout)
	o := rendering{color: q.colored(q.env), width: width, zone: q.zone()}
	q.render = o.renderer(q.output)
	q.out.header = q.render.header
	if q.follow && len(q.options.Paths) == 1 {
		live := q.options.Paths[0]
		q.options.Dir, q.options.Base, q.options.Paths = filepath.Dir(live), filepath.Base(live), nil
	}
	return nil
}

func (q *query) read(ctx context.Context) error {
	switch {
	case q.follow:
		return q.readOn(ctx)
	case q.last >= 0 && !q.reverse:
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
	return read.Ordered(ctx, source, q.work, func(r result) error {
		q.bar.show()
		return q.emit(r)
	})
}

// result is what one block comes to.
type result struct {
	text   []byte // to be printed
	ends   []int  // of each entry's text in it, if the results may have to be cut
	count  int
	faults []*read.CorruptError
	err    error
}

// mark notes where the text of an entry ends, if the results may have to be cut behind one.
func (r *result) mark(cuts bool) {
	if r.count++; cuts {
		r.ends = append(r.ends, len(r.text))
	}
}

// work makes the output of a block. It runs on several goroutines.
func (q *query) work(b *read.Block) (r result) {
	scanner := read.Scanner{
		Filter:  q.filter,
		OnFault: func(f *read.CorruptError) { r.faults = append(r.faults, f) },
	}
	r.text = q.buffers.get()
	scanner.Reset(b)
	for r.err == nil && scanner.Next() {
		q.add(&r, scanner.Entry())
	}
	return r
}

// add adds what is to be printed for an entry.
func (q *query) add(r *result, e *journal.Entry) {
	if q.program == nil {
		if !q.count {
			r.text = q.render.entry(r.text, e)
		}
		r.mark(q.last >= 0)
		return
	}
	values, err := q.program.run(e)
	r.err = err
	for _, v := range values {
		if !q.count && r.err == nil {
			r.text, r.err = q.appendValue(r.text, e, v)
		}
		r.mark(q.last >= 0)
	}
}

func (q *query) appendValue(dst []byte, e *journal.Entry, v jqResult) ([]byte, error) {
	if v.entry {
		return q.render.entry(dst, e), nil
	}
	if q.render.value == nil {
		return dst, &usageError{
			fmt.Errorf("-o %s takes whole entries, and --jq gave another value", q.output),
			"use select(...) in --jq, or -o json or pretty",
		}
	}
	text, err := v.appendTo(nil, q.raw)
	if err != nil || q.output == "json" || q.raw {
		return append(dst, text...), err
	}
	return q.render.value(dst, text[:len(text)-1]), nil
}

// emit prints what one block came to.
func (q *query) emit(r result) error {
	for _, f := range r.faults {
		q.faults.report(f)
	}
	enough := q.last >= 0 && q.reverse && int(q.entries)+r.count >= q.last
	if enough {
		r.count = q.last - int(q.entries)
		if !q.count && r.count < len(r.ends) {
			r.text = r.text[:endOf(r.ends, r.count)]
		}
	}
	q.entries += int64(r.count)
	if err := q.out.write(r.text); err != nil {
		return err
	}
	q.buffers.put(r.text)
	if enough && r.err == nil {
		return errEnough
	}
	return r.err
}

func endOf(ends []int, count int) int {
	if count == 0 {
		return 0
	}
	return ends[count-1]
}

// readLast prints the last entries, and returns where the journal goes on after them.
func (q *query) readLast(ctx context.Context) (read.Cursor, error) {
	entries, at, err := read.Tail(ctx, q.options, q.last, q.filter, q.faults.report)
	if err != nil {
		return at, err
	}
	var r result
	for i := range entries {
		if q.add(&r, &entries[i]); r.err != nil {
			break
		}
	}
	return at, q.emit(r)
}

// readOn prints what there is, or the last of it, and then what comes.
func (q *query) readOn(ctx context.Context) error {
	var at read.Cursor
	if q.last >= 0 {
		var err error
		if at, err = q.readLast(ctx); err == nil {
			err = q.out.flush()
		}
		if err != nil {
			return err
		}
	}
	source, err := read.Follow(q.options, at)
	if err != nil {
		return err
	}
	defer source.Close()
	var block read.Block
	for err == nil {
		if err = source.Read(ctx, &block); err == nil {
			err = q.emit(q.work(&block))
		}
		if err == nil {
			err = q.out.flush()
		}
	}
	return err
}

// conclude prints how many entries there were, if that was asked for.
func (q *query) conclude(interrupted bool) error {
	if !q.count || interrupted {
		return nil
	}
	return q.out.write(fmt.Appendf(nil, "%d\n", q.entries))
}
