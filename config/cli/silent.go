package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"hbjournal/sink/journal/presence"
)

const silentExample = `  # exit code 1 if any host is silent: for cron, Nagios, scripts
  hbjournal silent --for 5m || echo 'look above'
  hbjournal silent --name 'web*' -o json | jq -r .name
  # an event a change; a restart forgets and repeats none
  hbjournal silent -f --state /var/lib/hb/silent.state | while read -r event; do
    curl -d "$event" https://ntfy.example/hosts; done
  # all receivers of a fleet
  hbjournal silent /var/lib/fleet`

// silentFlags are the flags of `silent`, beside those of its selection.
type silentFlags struct {
	printFlags
	rollFlags
	follow bool
	state  string
}

func newSilent(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "silent [FILE|DIR...]",
		Short: "Find the hosts that are silent now; exit 0 none, 1 some, 2 unknown",
		Long: "List the hosts that are silent now. The exit code is 0 if none is, 1 if some are, and 2 if it could not be told:\n" +
			"the journal cannot be read or holds no host, or none is silent but of some it is unknown.\n\n" + judging + "\n\n" +
			"With -f each change is a JSON object on a line: \"silent\", \"back\", \"boot\", or \"unknown\", which takes \"silent\" back\n" +
			"if a loss was noted later that may be the reason; then comes \"back\" or \"silent\" again. It has the time at which it was\n" +
			"due and an id that is always the same for the same change. It begins with those that are silent already. With\n" +
			"--state a restart goes on where it was: what changed meanwhile is told, and nothing twice, but for the one event\n" +
			"that a kill may fall on; it has the same id then.",
		Example:     silentExample,
		Annotations: map[string]string{failsWithTwo: ""},
	}
	var f silentFlags
	selection := addSelection(cmd, env)
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", rollForms[0], "`form` of the output: "+oneOf(rollForms)+"; with -f it is JSON")
	flags.StringVar(&f.color, "color", "auto", "`when` text is coloured: auto (on a terminal), always or never")
	f.forms = rollForms
	completeFixed(cmd, "output", rollForms...)
	completeFixed(cmd, "color", colorModes...)
	f.rollFlags.add(flags)
	flags.BoolVarP(&f.follow, "follow", "f", false, "print one event a change, until interrupted")
	flags.Var(&oneText{&f.state}, "state", "with -f, the `file` that keeps where it is")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.follow && !cmd.Flags().Changed("output") {
			f.output = "json"
		}
		return runSilent(cmd.Context(), &f, selection, args)
	}
	return cmd
}

func (f *silentFlags) check() (presence.Options, error) {
	opt, err := f.rollFlags.options()
	invalid := f.invalid()
	if f.follow && f.output != "json" {
		invalid = errors.Join(invalid, fmt.Errorf("-o %s: the events of -f are JSON", f.output))
	}
	if f.state != "" && !f.follow {
		invalid = errors.Join(invalid, errors.New("--state keeps where -f is: give -f as well"))
	}
	if invalid != nil {
		err = errors.Join(err, &usageError{invalid, "see 'hbjournal silent --help'"})
	}
	return opt, err
}

// errSilent is how the command ends that has found some; they have been printed.
var errSilent = errors.New("hosts are silent")

func runSilent(ctx context.Context, f *silentFlags, s *selection, args []string) error {
	opt, err := f.check()
	opt.Events = f.follow
	reading, err := s.reading(args, err)
	if err != nil {
		return err
	}
	r := newRoll(reading, opt)
	if f.follow {
		return f.followOn(ctx, r)
	}
	r.quiet = true
	var v presence.Verdict
	err = r.run(ctx, r.call, func(interrupted bool) error {
		v = r.board.Judge(r.moment())
		r.sayDoubts(v)
		form := hostsFlags{printFlags: f.printFlags}
		silent := v.Hosts[:v.Counts[presence.Silent]]
		if len(silent) == 0 && f.output == "text" {
			return nil
		}
		return form.form(r, interrupted).write(r.out.w, v, silent)
	})
	switch {
	case err == nil:
		return r.finding(v)
	case v.Counts[presence.Silent] > 0:
		return &silentError{err}
	}
	return err
}

// silentError is what went wrong beside: some were found.
type silentError struct{ err error }

func (e *silentError) Error() string        { return e.err.Error() }
func (e *silentError) Unwrap() error        { return e.err }
func (e *silentError) Is(target error) bool { return target == errSilent }

// finding is the error for what was found.
func (r *roll) finding(v presence.Verdict) error {
	switch silent, unknown := v.Counts[presence.Silent], v.Counts[presence.Unknown]; {
	case silent > 0:
		return &toldError{errSilent}
	case v.Ahead > 0:
		return errors.New("the journal is later than now: who is silent cannot be told")
	case len(v.Hosts) == 0:
		return &hintedError{errors.New("no host is known, so none can be missed"), "'hbjournal report' shows what the journal holds; --since reads more of it"}
	case unknown > 0:
		return &hintedError{
			fmt.Errorf("of %s it is unknown whether they are silent: the receiver did not hear what was due", plural(int64(unknown), "host")),
			"'hbjournal health' asks whether the daemon runs; 'hbjournal hosts' lists them",
		}
	case v.Left > 0:
		return errors.New("not all hosts were looked at")
	}
	return nil
}
