package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"hbjournal/config"
	"hbjournal/sink/forward"
	"hbjournal/sink/journal/read"
)

// showStatus prints how each output is that has a state.
func (f *forwarder) showStatus(ctx context.Context) error {
	dirs, err := os.ReadDir(statesDir(f.stateDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for outputs: %w", err)
	}
	var all []forward.Status
	var errs []error
	for _, dir := range dirs {
		if !dir.IsDir() {
			continue
		}
		s, err := forward.Look(ctx, filepath.Join(statesDir(f.stateDir), dir.Name()), read.Options{Dir: f.dir, Base: f.file})
		switch {
		case err == nil:
			all = append(all, s)
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, fmt.Errorf("output %s: %w", dir.Name(), err))
		}
	}
	if f.output == "json" {
		encoder := json.NewEncoder(f.env.Stdout)
		encoder.SetIndent("", "  ")
		errs = append(errs, encoder.Encode(append([]forward.Status{}, all...)))
		return errors.Join(errs...)
	}
	if len(all) == 0 && len(errs) == 0 {
		fmt.Fprintf(f.env.Stderr, "hbjournal: no output of %s has begun\n", filepath.Join(f.dir, f.file))
		return nil
	}
	table := tabwriter.NewWriter(f.env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "OUTPUT\tTO\tSTATE\tSENT\tREFUSED\tLAG\tBEHIND\tLAST ERROR")
	now := time.Now()
	for _, s := range all {
		state := string(s.State)
		if !s.Running {
			state = "not running"
		}
		lag := time.Duration(s.LagSeconds(now) * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%v\t%s\t%s\n", s.Name, visible(s.Address), state, s.Lines, s.Refused, lag,
			humanize.IBytes(uint64(max(0, s.LagBytes))), visible(cmp.Or(s.Error, "-")))
	}
	return errors.Join(append(errs, table.Flush())...)
}

// checkWithin is how long a receiver may take to show that it can be reached.
const checkWithin = 10 * time.Second

// tryOutputs prints what would be sent, and whether the receivers can be reached.
func (f *forwarder) tryOutputs(ctx context.Context) error {
	table := tabwriter.NewWriter(f.env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "OUTPUT\tTO\tLINES\tSIZE\tFIRST ID\tLAST ID\tRECEIVER")
	var errs []error
	for _, s := range f.outputs {
		opt, err := f.loopOptions(s)
		if err != nil {
			return err
		}
		pending, err := forward.Survey(ctx, opt)
		if err != nil {
			return fmt.Errorf("output %s: %w", s.Address(), err)
		}
		verdict := "ok"
		if err := f.check(ctx, s); errors.Is(err, errNoCheck) {
			verdict = "not asked"
		} else if err != nil {
			verdict = "failed"
			errs = append(errs, fmt.Errorf("output %s: %w", s.Address(), err))
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", opt.Name, visible(s.Address()), pending.Lines, humanize.IBytes(uint64(pending.Bytes)),
			cmp.Or(pending.FirstID, "-"), cmp.Or(pending.LastID, "-"), verdict)
	}
	return errors.Join(append([]error{table.Flush()}, errs...)...)
}

// reachWithin is how long a receiver may take where somebody waits for the answer to other questions.
const reachWithin = 2 * time.Second

// reach is check for those who do not mind an output that cannot find out.
func (f forwarding) reach(s shipment) error {
	ctx, cancel := context.WithTimeout(context.Background(), reachWithin)
	defer cancel()
	err := f.check(ctx, s)
	if errors.Is(err, errNoCheck) {
		return nil
	}
	return err
}

// outputsOf are those of forward_to; none if they cannot be read, which is told elsewhere.
func outputsOf(cfg config.Config) []shipment {
	all, err := parseOutputs(cfg.ForwardTo, time.Now())
	if err != nil {
		return nil
	}
	return all
}

// errNoCheck is the error of check for an output that cannot find out.
var errNoCheck = errors.New("it cannot be found out without sending something")

// check finds out whether a receiver can be reached and takes the login.
func (f forwarding) check(ctx context.Context, s shipment) error {
	out, err := s.Open(f.identity())
	if err != nil {
		return err
	}
	checker, ok := out.(forward.Checker)
	if !ok {
		return errors.Join(errNoCheck, out.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	return errors.Join(checker.Check(ctx), out.Close())
}
