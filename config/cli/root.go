// Package cli is the hbjournal command: it reads the configuration, wires the parts together, and is the only place
// that prints to people.
//
// Each command has a file of its own with a function that returns its cobra.Command, and newRoot lists them. Commands
// write results to Env.Stdout and all else to Env.Stderr, and return errors rather than exit. Run prints the error as
//
//	hbjournal: error: what was attempted, on what, and why it went wrong
//	hbjournal: hint: what to do about it
//
// and turns it into the exit code: 0 done, 1 it failed, 2 the call or the configuration is wrong.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hbjournal/config"
)

// Env is all that a command sees of the process it runs in.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // "KEY=value", as os.Environ gives it
}

// system returns the Env of this process.
func system() Env {
	return Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()}
}

// environ returns the variables by name.
func (e Env) environ() map[string]string { return env.ToMap(e.Environ) }

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main runs the command of this process's arguments and returns the exit code. It is called by main alone, at once: it keeps the main
// thread free, since the kernel gives that the signals of a process. Else SIGTERM would wait as long as a write in that thread, and a
// disk that does not answer would keep the daemon from ending.
func Main() int {
	runtime.LockOSThread()
	code := make(chan int, 1)
	go func() { code <- Run(context.Background(), os.Args[1:], system()) }()
	return <-code
}

// Run runs the command that args name and returns the exit code. It returns when the command is done, or soon after
// ctx is.
func Run(ctx context.Context, args []string, env Env) int {
	root := newRoot(env)
	if args == nil {
		args = []string{} // cobra takes nil for the arguments of the process
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	printError(env.Stderr, err)
	code := exitCode(err)
	if _, never := cmd.Annotations[neverUsage]; never && code == exitUsage {
		return exitFailed
	}
	if _, two := cmd.Annotations[failsWithTwo]; two && code == exitFailed && !errors.Is(err, errSilent) {
		return exitUsage
	}
	return code
}

// neverUsage is the annotation of a command that is run as a probe, where 2 is no verdict: it fails with 1 instead.
const neverUsage = "never-usage"

// failsWithTwo is the annotation of a command for which 1 is a finding: what keeps it from one is 2.
const failsWithTwo = "fails-with-two"

func newRoot(env Env) *cobra.Command {
	root := newServe(env)
	root.Use = "hbjournal"
	root.Short = "Write every UDP datagram received as one JSON line to a journal that rotates by itself"
	root.Long = root.Short + ".\n\nWithout a command it serves. See 'hbjournal config --example' for every setting."
	root.Args = noSuchCommand
	root.Version = versionText()
	root.SetVersionTemplate(versionLine())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newServe(env),
		newConfig(env),
		newSend(env),
		newQuery(env),
		newTail(env),
		newReport(env),
		newHosts(env),
		newSilent(env),
		newVerify(env),
		newProve(env),
		newReplay(env),
		newForward(env),
		newWeb(env),
		newArchive(env),
		newSeal(env),
		newHealth(env),
		newDoctor(env),
		newMan(env),
		newVersion(env),
	)
	addHelp(root)
	addCompletion(root)
	completeNoFiles(root)
	markRun(root)
	return root
}

// usageError is a wrong call or configuration: exit code 2. The hint may be empty.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// hintedError is a failure with what the user can do about it: exit code 1.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// runError is what a command's own function returned. Any other error comes from cobra, before the command began: the
// call was wrong.
type runError struct{ err error }

func (e *runError) Error() string { return e.err.Error() }
func (e *runError) Unwrap() error { return e.err }

// markRun wraps what the command and all below it return into runError.
func markRun(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return &runError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markRun(sub)
	}
}

func exitCode(err error) int {
	var usage *usageError
	var run *runError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), !errors.As(err, &run):
		return exitUsage
	default:
		return exitFailed
	}
}

// printError prints each line of err, then the hint if it has one. What has been told already is not told again.
func printError(w io.Writer, err error) {
	var told *toldError
	if err == nil || errors.As(err, &told) {
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "hbjournal: error: %s\n", strings.TrimRight(line, "\n"))
	}
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(w, "hbjournal: hint: %s\n", hint)
	}
}

func hintOf(err error) string {
	var usage *usageError
	var hinted *hintedError
	var run *runError
	switch {
	case errors.As(err, &hinted):
		return hinted.hint
	case errors.As(err, &usage):
		return usage.hint
	case !errors.As(err, &run):
		return "see 'hbjournal --help'"
	}
	return ""
}

// noSuchCommand is the root's check of its arguments: a word that is left over is a command that does not exist.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	hint := "commands: " + strings.Join(names, ", ")
	if near := config.Nearest(args[0], names); near != "" {
		hint = fmt.Sprintf("did you mean 'hbjournal %s'?", near)
	}
	return &usageError{fmt.Errorf("unknown command %q", args[0]), hint}
}

// flagError turns what pflag found into a usage error, with the flag that was meant if one is near.
func flagError(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("see '%s --help'", cmd.CommandPath())
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return &usageError{err, hint}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	name := unknown.GetSpecifiedName()
	if near := config.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean --%s? %s", near, hint)
	}
	return &usageError{fmt.Errorf("unknown flag %s", dashed(name)), hint}
}

func dashed(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}
