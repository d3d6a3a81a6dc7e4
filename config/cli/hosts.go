package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hbjournal/sink/journal/presence"
)

const hostsExample = `  # who is there, the worst first
  hbjournal hosts
  # the same, as it changes, on a terminal
  hbjournal hosts --watch
  # of a fleet, the hosts that one receiver hears
  hbjournal hosts --receiver site1 /var/lib/fleet
  hbjournal hosts --name 'web*' -o json | jq -r 'select(.state != "ok") | .name'
  # who was silent at three in the night
  hbjournal hosts --until 03:00`

// judging is what 'hosts' and 'silent' say of their rule.
const judging = "A host's heartbeat (ID HTB) promises the next after its interval. It is late once that is due, and silent once it\n" +
	"is due by half an interval (--grace), judged by now: where nothing comes any more, all fall silent. It is back\n" +
	"after one clean interval: two beats with none missed between. What the receiver did not hear is no host's fault:\n" +
	"while the daemon was down, or the journal notes losses, its hosts are unknown until their next beat is due. The\n" +
	"daemon keeps when it listened beside the journal; in a copy without that, a hole in which nothing came from\n" +
	"anybody counts as such.\n\n" +
	"A host is forgotten --forget after it fell silent. Without --since only what can matter is read: up to that and a\n" +
	"day and a half before the last entry. Of more than 16384 hosts the rest are not told apart, and that is said."

// hostsFlags are the flags of `hosts`, beside those of its selection.
type hostsFlags struct {
	printFlags
	rollFlags
	watch bool
}

var rollForms = []string{"text", "json", "csv"}

func newHosts(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "hosts [FILE|DIR...]",
		Short:   "List the hosts: last seen, interval, beats missed; silent ones first",
		Long:    "List each host of the journal, or of the FILEs and DIRs if given, and how it stands now, the worst first.\n\n" + judging,
		Example: hostsExample,
	}
	var f hostsFlags
	selection := addSelection(cmd, env)
	f.printFlags.add(cmd, rollForms, "text is")
	f.rollFlags.add(cmd.Flags())
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "draw it anew each second, on a terminal, until interrupted")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return runHosts(cmd.Context(), &f, selection, args)
	}
	return cmd
}

func (f *hostsFlags) check(env Env) (presence.Options, error) {
	opt, err := f.rollFlags.options()
	invalid := f.invalid()
	if _, terminal := terminalWidth(env.Stdout); f.watch && (f.output != "text" || !terminal) {
		invalid = errors.Join(invalid, errors.New("--watch draws text on a terminal: leave it out, or follow changes with 'hbjournal silent -f'"))
	}
	if invalid != nil {
		err = errors.Join(err, &usageError{invalid, "see 'hbjournal hosts --help'"})
	}
	return opt, err
}

func runHosts(ctx context.Context, f *hostsFlags, s *selection, args []string) error {
	opt, err := f.check(s.environ)
	reading, err := s.reading(args, err)
	if err != nil {
		return err
	}
	reading.quiet, reading.sayNone, reading.failEmpty = true, true, f.failEmpty
	r := newRoll(reading, opt)
	if f.watch {
		return f.watchOn(ctx, r)
	}
	return r.run(ctx, r.call, func(interrupted bool) error {
		v := r.board.Judge(r.moment())
		r.entries = int64(len(v.Hosts))
		r.sayDoubts(v)
		return f.form(r, interrupted).write(r.out.w, v, v.Hosts)
	})
}

// form is how the hosts are printed.
func (f *hostsFlags) form(r *roll, interrupted bool) rollForm {
	width, _ := terminalWidth(r.env.Stdout)
	return rollForm{
		output: f.output, color: f.colored(r.env), width: width, zone: r.zone(), several: len(r.journals()) > 1,
		interrupted: interrupted,
	}
}

// sayDoubts says what makes the verdict less than it seems.
func (r *roll) sayDoubts(v presence.Verdict) {
	say := func(format string, args ...any) {
		fmt.Fprintf(r.env.Stderr, "hbjournal: warning: "+format+"\n", args...)
	}
	if v.Left > 0 {
		say("%s of hosts beyond the first %d were left out: narrow it down with --name or --match", plural(v.Left, "entry"), len(v.Hosts))
	}
	if v.Ahead > 0 {
		say("the last entry is %v later than now: the clock of the daemon or of this machine is wrong, and nothing can be said of now", v.Ahead.Round(time.Second))
	}
}

// watchOn draws the hosts anew each second.
func (f *hostsFlags) watchOn(ctx context.Context, r *roll) error {
	if err := r.followed("hosts"); err != nil {
		return err
	}
	r.sayNone, r.failEmpty = false, false
	screen := io.Writer(r.env.Stdout)
	fmt.Fprint(screen, "\x1b[?25l") // Without the cursor.
	defer fmt.Fprint(screen, "\x1b[?25h")
	var drawn time.Time
	return r.run(ctx, func(ctx context.Context) error {
		return r.follow(ctx, nil, func(present bool) error {
			now := r.clock()
			if !present || now.Sub(drawn) < time.Second {
				return nil
			}
			drawn = now
			return f.draw(screen, r)
		})
	}, nil)
}

// draw fills the screen once.
func (f *hostsFlags) draw(screen io.Writer, r *roll) error {
	v := r.board.Judge(r.moment())
	form := f.form(r, false)
	hosts := v.Hosts
	if rows := terminalRows(r.env.Stdout); rows > 0 {
		form.more = max(0, len(hosts)-max(1, rows-5))
		hosts = hosts[:len(hosts)-form.more]
	}
	var text strings.Builder
	if err := form.write(&text, v, hosts); err != nil {
		return err
	}
	_, err := io.WriteString(screen, "\x1b[H"+strings.ReplaceAll(text.String(), "\n", "\x1b[K\n")+"\x1b[J")
	return err
}
