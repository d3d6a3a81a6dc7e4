package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"hbjournal/config"
	"hbjournal/config/cli/doctor"
	"hbjournal/config/cli/status"
	"hbjournal/sink"
	"hbjournal/sink/rotate"
)

func newDoctor(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what makes this machine lose messages, and say what cures it",
		Long: "Looks at the kernel's buffers and counters, the network, the limits on the process, the disk and the clock, and prints a line for " +
			"each: ok, note (worth knowing), warn (messages are being lost, or soon will be), fail (the daemon does not start, or " +
			"writes nothing) or skip (it could not be looked at), what was measured, the limit, and a command that cures it.\n\n" +
			"It takes the settings of the daemon, from the same environment and file, and less than three seconds. It needs no " +
			"privilege, and no network but for the receivers in forward_to and the stream in archive_from, changes nothing, and does not disturb a daemon that runs. What it may do it tries as the user that " +
			"runs it, so run it as the daemon's.\n\n" +
			"It exits with 1 if something fails, and with --strict also for a warning.",
		Example: `  hbjournal doctor
  sudo -u hbjournal hbjournal doctor --only net,disk
  hbjournal doctor --json | jq -r '.checks[].cure | strings'
  docker exec NAME hbjournal doctor --strict
  hbjournal doctor --config /etc/hbjournal/archive.yaml --only archive`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	asJSON := flags.Bool("json", false, "print one JSON object")
	strict := flags.Bool("strict", false, "exit with 1 for a warning too, such as a key of the file that is unknown")
	monitor := flags.String("nats-monitor", "", "`URL` of the monitoring of a server of NATS, such as http://127.0.0.1:8222, to see how it syncs")
	var only []string
	flags.Var(&someTexts{texts: &only, commas: true}, "only", "groups and names of checks to make, with commas, such as net,disk")
	settings := addSettings(cmd)
	completeList(cmd, "only", doctor.Names())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range only {
			if !slices.Contains(doctor.Names(), name) {
				return &usageError{fmt.Errorf("--only %q: no such check", name), "there are " + strings.Join(doctor.Names(), ", ")}
			}
		}
		// A signal ends it when what it made is removed, and not before.
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		loaded, err := settings.load(env)
		options := doctorOptions(loaded, err)
		options.Archive = archiveState(loaded, *monitor)
		options.Only, options.Environ = only, env.environ()
		report := doctor.Examine(ctx, options)
		if ctx.Err() != nil {
			return errors.New("interrupted before all was looked at")
		}
		print := printReport
		if *asJSON {
			print = printReportJSON
		}
		if err := print(env, report); err != nil {
			return err
		}
		if report.Verdict == doctor.Fail || *strict && report.Verdict == doctor.Warn {
			return &toldError{fmt.Errorf("the verdict is %s", report.Verdict)}
		}
		return nil
	}
	return cmd
}

// doctorOptions are what the settings say, as far as they could be read.
func doctorOptions(loaded config.Loaded, err error) doctor.Options {
	cfg := loaded.Config
	o := doctor.Options{
		Config: doctor.ConfigState{Warnings: loaded.Warnings, File: loaded.File},
		Daemon: func(ctx context.Context) doctor.Daemon { return lookForDaemon(ctx, cfg) },

		Listen:      cfg.ListenAddr,
		BufferBytes: int(cfg.ListenBuffer),
		MemoryBytes: int64(cfg.JournalBufferSize),

		Journal: doctor.Journal{
			Dir: cfg.JournalDir, Name: cfg.JournalFile,
			FileMode:      fs.FileMode(cfg.JournalFileMode),
			MaxBytes:      int64(cfg.JournalMaxSize),
			MaxBackups:    cfg.JournalMaxBackups,
			MaxTotalBytes: int64(cfg.JournalMaxTotalSize),
			MinFreeBytes:  int64(cfg.JournalMinFree),
			Disabled:      !cfg.JournalEnabled,
			Seal:          sealState(cfg),
			Encryption:    func() doctor.Encryption { return encryptionState(cfg) },
			Life:          func() doctor.Life { return lifeState(cfg) },
			Probe:         func() error { return probeJournal(cfg) },
		},
		Web: doctor.Web{
			Addr: cfg.WebAddr, Loopback: isLoopback(cfg.WebAddr), TokenFile: cfg.WebTokenFile, Cert: cfg.WebTLSCert, Key: cfg.WebTLSKey,
			Token: func() error { _, err := webToken(cfg); return err },
		},
		UID: os.Getuid(),
	}
	for _, s := range outputsOf(cfg) {
		o.Outputs = append(o.Outputs, doctor.Output{Address: s.Address(), Check: func() error { return forwardingOf(cfg, zerolog.Nop()).reach(s) }})
	}
	if err != nil {
		o.Config.Faults = strings.Split(err.Error(), "\n")
	}
	return o
}

// probeJournal does with the files what the daemon does, beside it. How its backups are encrypted has a check of its own.
func probeJournal(cfg config.Config) error {
	cfg.JournalEncryptTo = nil
	options, err := sinkOptions(cfg, netip.AddrPort{}, zerolog.Nop())
	if err != nil {
		return err
	}
	return sink.Probe(options)
}

// lookForDaemon finds out about the daemon that writes the journal, and asks it how it is.
func lookForDaemon(ctx context.Context, cfg config.Config) (d doctor.Daemon) {
	if cfg.JournalEnabled {
		d.Running, d.LockErr = heldSoon(cfg.JournalDir, cfg.JournalFile)
		if !d.Running && d.LockErr == nil {
			return d
		}
		if word, found := servingNoteOf(cfg.JournalDir, cfg.JournalFile).read(); found {
			d.PID, d.Listen = word.PID, word.Listen
		}
	}
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	var s status.Snapshot
	addr, err := statusAddress(cfg)
	if err == nil {
		s, err = askStats(ctx, addr)
	}
	d.Asked, d.AskErr = err == nil, err
	if d.Asked {
		d.NotReady, d.Warnings, d.Lost = s.NotReady(), s.Warnings(), s.Ledger.Lost()
		d.BufferBytes = s.ReceiveBuffer / int64(max(len(d.Listen), len(cfg.ListenAddr), 1))
		if len(d.Listen) > 0 {
			d.BufferBytes = s.ReceiveBuffer / int64(len(d.Listen))
		}
	}
	return d
}

// heldSoon is rotate.Held on a disk that may not answer at all.
func heldSoon(dir, file string) (bool, error) {
	type answer struct {
		held bool
		err  error
	}
	found := make(chan answer, 1)
	go func() { // It may never end, and then ends with the process, which is about to exit.
		held, err := rotate.Held(dir, file)
		found <- answer{held, err}
	}()
	select {
	case a := <-found:
		return a.held, a.err
	case <-time.After(noteWithin):
		return false, fmt.Errorf("look at lock in %s: no answer within %v", dir, noteWithin)
	}
}

// askStats gets the daemon's figures.
func askStats(ctx context.Context, addr string) (s status.Snapshot, err error) {
	code, text, err := status.Ask(ctx, addr, "/stats")
	if err != nil {
		return s, err
	}
	if code != http.StatusOK || json.Unmarshal([]byte(text), &s) != nil {
		return s, fmt.Errorf("ask the daemon at %s: what answers there is no hbjournal", addr)
	}
	return s, nil
}

func printReportJSON(env Env, report doctor.Report) error {
	encoder := json.NewEncoder(env.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// printReport prints a line for each check below the name of its group, and the verdict.
func printReport(env Env, report doctor.Report) error {
	color := (&printFlags{color: "auto"}).colored(env)
	width := 0
	for _, r := range report.Rows {
		width = max(width, len(r.Name))
	}
	var b strings.Builder
	group := ""
	counts := map[doctor.Status]int{}
	for _, r := range report.Rows {
		if r.Group != group {
			group = r.Group
			b.WriteString(painted(color, bold, group) + "\n")
		}
		counts[r.Status]++
		text := r.Measured
		if r.Limit != "" {
			text += " (" + r.Limit + ")"
		}
		if r.Cure != "" {
			text += " -> " + r.Cure
		}
		fmt.Fprintf(&b, "  %s  %-*s  %s\n", painted(color, statusColors[r.Status], fmt.Sprintf("%-4s", r.Status)), width, r.Name, visible(text))
	}
	var parts []string
	for _, s := range []doctor.Status{doctor.Fail, doctor.Warn, doctor.Note, doctor.OK, doctor.Skip} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	verdict := painted(color, statusColors[report.Verdict], string(report.Verdict))
	fmt.Fprintf(&b, "%s: %s; looked at as uid %d\n", verdict, strings.Join(parts, ", "), report.UID)
	_, err := io.WriteString(env.Stdout, b.String())
	return err
}

// statusColors are those of the outcomes on a terminal. The word says the same.
var statusColors = map[doctor.Status]string{
	doctor.OK: "\x1b[32m", doctor.Note: "\x1b[36m", doctor.Warn: "\x1b[33m", doctor.Fail: "\x1b[31m", doctor.Skip: dim,
}

func painted(color bool, with, text string) string {
	if !color {
		return text
	}
	return with + text + reset
}

// completeList offers values for a flag that takes several with commas, without those that it has already.
func completeList(cmd *cobra.Command, flag string, values []string) {
	completeBy(cmd, flag, func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := begun[:strings.LastIndexByte(begun, ',')+1]
		has := strings.Split(before, ",")
		var offers []cobra.Completion
		for _, value := range values {
			if !slices.Contains(has, value) && strings.HasPrefix(before+value, begun) {
				offers = append(offers, before+value)
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp
	})
}
