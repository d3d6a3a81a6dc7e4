package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hbjournal/sink/forward"
	receivers "hbjournal/sink/forward/output"
	"hbjournal/sink/journal"
)

const forwardExample = `  # a copy on another disk, and batches of JSON lines to a receiver over HTTP
  hbjournal forward file:///srv/copy/ 'https://logs.example.com/?compress=zstd'
  # what would be sent, and whether the receiver takes the login
  hbjournal forward --dry-run https://logs.example.com/in
  # all that there is now, for a timer
  hbjournal forward --once http://127.0.0.1:8080/
  # a day of the past, also from compressed backups
  hbjournal forward --since 2026-03-27 --until 2026-03-28 http://127.0.0.1:8080/
  # how the outputs are, those of the daemon too
  hbjournal forward --status
  # the lines that a receiver refused, once more
  hbjournal forward --dead http://127.0.0.1:8080/`

const forwardLong = "Send the lines of the journal to other systems, each URL an output of its own, and go on with those that come until " +
	"interrupted. What was sent is remembered, so that a restart goes on where it ended. The daemon does the same by itself for the " +
	"URLs in forward_to (FORWARD_TO).\n\n" +
	"What the receiver or the way to it is to blame for is tried again for ever. A line that the receiver refused by name goes into " +
	"dead.jsonl in the output's state. Secrets are given as files (token_file=, password_file=), never in the URL.\n\n" +
	"With --since or --until those lines are sent once, apart from what is sent otherwise, and with --once all that there are. How far " +
	"that has come is forgotten when all is sent: the same part is sent anew the next time."

// forwardFlags are the flags of `forward`.
type forwardFlags struct {
	since, until string
	once         bool
	dryRun       bool
	status       bool
	dead         bool
	resetTo      string
	takeOver     bool
	forget       string
	output       string
	state        string
	givenID      string
	identities   []string // files of secret keys
	settings     *settings
}

func newForward(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "forward [URL...]",
		Short:   "Send the journal to other systems, and go on with what comes",
		Long:    forwardLong + "\n\nURLs begin with " + schemeList() + ".",
		Example: forwardExample,
	}
	f := &forwardFlags{}
	flags := cmd.Flags()
	flags.BoolVar(&f.once, "once", false, "end when everything that there is was sent")
	flags.Var(&oneText{&f.since}, "since", "only lines received at this `time` or later, once: "+timeForms)
	flags.Var(&oneText{&f.until}, "until", "only lines received before this `time`, once")
	flags.BoolVar(&f.dryRun, "dry-run", false, "send nothing; say what would be sent, and whether the receiver can be reached")
	flags.BoolVar(&f.status, "status", false, "print how each output is")
	flags.StringVarP(&f.output, "output", "o", "table", "form of --status: table or json")
	flags.BoolVar(&f.dead, "dead", false, "send the lines again that the receiver refused")
	flags.StringVar(&f.resetTo, "reset-to", "", "let the output go on from this `cursor`, oldest or now")
	flags.BoolVar(&f.takeOver, "take-over", false, "let this journal go on under a receiver's name that another one had, where archivers read")
	flags.StringVar(&f.forget, "forget", "", "remove the state of the output of this `name`")
	flags.StringVar(&f.state, "state", "", "`directory` for the outputs' state, where that of the journal cannot be written")
	flags.StringVar(&f.givenID, "journal-id", "", "the journal's `id`, of a copy that has none")
	cmd.MarkFlagsMutuallyExclusive("once", "dry-run", "status", "dead", "reset-to", "take-over", "forget")
	completeFixed(cmd, "output", "table", "json")
	addIdentity(cmd, &f.identities)
	f.settings = addSettings(cmd, "journal_dir", "journal_file", "journal_local_time", "journal_dir_mode", "forward_to", "receiver_name",
		"log_level", "log_format", "log_file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runForward(cmd.Context(), f, args, env) }
	return cmd
}

// schemeList names the kinds of URL.
func schemeList() string {
	var text string
	for i, name := range receivers.Schemes() {
		if i > 0 {
			text += ", "
		}
		text += name + ":"
		if name != "stdout" {
			text += "//"
		}
	}
	return text
}

// forwarder is one run of the command.
type forwarder struct {
	*forwardFlags
	forwarding
	env          Env
	outputs      []shipment
	since, until time.Time
}

func runForward(ctx context.Context, f *forwardFlags, args []string, env Env) error {
	loaded, err := f.settings.loadReading(env, nil)
	if err != nil {
		return err
	}
	run := &forwarder{forwardFlags: f, env: env}
	if err := run.prepare(loaded.Config, args); err != nil {
		return err
	}
	if run.decrypter, err = decrypterOf(f.identities, nil, env); err != nil {
		return err
	}
	log, err := openLog(loaded.Config, env)
	if err != nil {
		return err
	}
	defer log.Close()
	run.log, run.stdout = log.Logger, env.Stdout
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	return run.do(ctx)
}

// do does what was asked for.
func (f *forwarder) do(ctx context.Context) error {
	switch {
	case f.status:
		return f.showStatus(ctx)
	case f.forget != "":
		return f.forgetOne()
	case f.dryRun:
		return f.tryOutputs(ctx)
	case f.dead:
		return f.resend(ctx)
	case f.resetTo != "":
		return f.reset()
	case f.takeOver:
		return f.handOver(ctx)
	}
	return f.ship(ctx, f.once || f.backfill())
}

// backfill reports whether some lines are to be sent apart from what is sent otherwise.
func (f *forwarder) backfill() bool { return !f.since.IsZero() || !f.until.IsZero() }

// ship sends to all outputs at once, and returns when all have ended.
func (f *forwarder) ship(ctx context.Context, once bool) error {
	loops, err := f.openLoops(once)
	if err != nil {
		return err
	}
	errs, before := make([]error, len(loops)), make([]forward.Figures, len(loops))
	var all sync.WaitGroup
	for i, loop := range loops {
		before[i] = loop.Figures()
		all.Go(func() { errs[i] = loop.Run(ctx) })
	}
	all.Wait()
	for i, loop := range loops {
		figures := loop.Figures()
		if f.backfill() && errs[i] == nil && ctx.Err() == nil && figures.Refused == 0 {
			errs[i] = f.done(figures.Name)
		}
		figures.Lines, figures.Refused = figures.Lines-before[i].Lines, figures.Refused-before[i].Refused // Of this run.
		if once && errs[i] == nil && ctx.Err() == nil {
			fmt.Fprintf(f.env.Stderr, "hbjournal: %s: %s sent, %d refused\n", figures.Address, plural(figures.Lines, "line"), figures.Refused)
		}
		if errs[i] == nil && once && figures.Refused > 0 && ctx.Err() == nil {
			errs[i] = &hintedError{
				fmt.Errorf("output %s: refused %s", figures.Address, plural(figures.Refused, "line")),
				"they are in " + filepath.Join(statesDir(f.stateDir), figures.Name, "dead.jsonl") + " with the reasons; --dead sends them again",
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if once && ctx.Err() != nil {
		return errors.New("interrupted before all was sent; the next run goes on from there")
	}
	return nil
}

// done removes the state of a part of the past that was sent whole. Where lines were refused it stays, for dead.jsonl.
func (f *forwarder) done(name string) error {
	if err := forward.Forget(filepath.Join(statesDir(f.stateDir), name)); err != nil {
		return fmt.Errorf("remove the state of %s, of which all was sent: %w", name, err)
	}
	return nil
}

func (f *forwarder) openLoops(once bool) ([]*forward.Loop, error) {
	var loops []*forward.Loop
	for _, s := range f.outputs {
		opt, err := f.loopOptions(s)
		opt.Once = once
		var loop *forward.Loop
		if err == nil {
			loop, err = f.open(s, opt)
		}
		if err != nil {
			for _, open := range loops {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		loops = append(loops, loop)
	}
	return loops, nil
}

// loopOptions are those of an output in this run.
func (f *forwarder) loopOptions(s shipment) (forward.Options, error) {
	opt := f.options(s)
	if !f.backfill() {
		return opt, nil
	}
	fields, err := (&selection{matches: s.Filter}).fields()
	if err != nil {
		return opt, err
	}
	opt.Filter, err = journal.NewFilter(journal.FilterOptions{Since: f.since, Until: f.until, Fields: fields})
	opt.Journal.Since, opt.Journal.Until, opt.Start = f.since, f.until, forward.Start{Since: f.since}
	ending := "-" + spanOf(f.since, f.until) + forward.BackfillEnding
	opt.Name, opt.StateDir, opt.Apart = opt.Name+ending, opt.StateDir+ending, true
	return opt, err
}

// spanOf names a part of the past, so that each has a cursor of its own.
func spanOf(since, until time.Time) string {
	text := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format("20060102T150405.999999999Z")
	}
	return text(since) + "-" + text(until)
}

func (f *forwarder) urls(given, configured []string) ([]string, error) {
	if len(given) > 0 {
		return given, nil
	}
	if len(configured) == 0 && !f.status && f.forget == "" {
		return nil, &usageError{errors.New("no URL: where shall the journal go?"), "for example 'hbjournal forward file:///srv/copy/'; see 'hbjournal forward --help'"}
	}
	return configured, nil
}

// idOf returns the id of the journal: the one given, or its own.
func (f *forwarder) idOf() (string, error) {
	if f.givenID != "" {
		return f.givenID, forward.CheckID(f.givenID)
	}
	id, err := forward.ReadID(f.dir, f.ownState())
	if errors.Is(err, forward.ErrNoID) {
		if _, errStat := os.Stat(filepath.Join(f.dir, f.file)); errStat != nil {
			return "", &hintedError{fmt.Errorf("no journal at %s", filepath.Join(f.dir, f.file)), "set JOURNAL_DIR or --journal-dir"}
		}
		return "", &hintedError{err, "its daemon makes one when it starts; for a copy give --journal-id, the same each time, such as the name of its host"}
	}
	if err != nil {
		return "", err
	}
	if id.Doubt != "" {
		fmt.Fprintf(f.env.Stderr, "hbjournal: warning: the journal's id %s was made %s: if this is a copy, give --journal-id\n", id.Text, id.Doubt)
	}
	return id.Text, nil
}
