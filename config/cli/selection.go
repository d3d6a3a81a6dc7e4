package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hbjournal/config"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// selection is which entries of which files a reading command is about: the flags that all of them share.
type selection struct {
	settings *settings
	environ  Env
	now      func() time.Time // nil: time.Now

	since, until   string
	around, within string
	local          bool
	ahead          bool // it is about what is to come: --until a time of day is the next one
	ids, names     []string
	plugins        []string
	sources        []string
	matches        []string
	identities     []string // files of secret keys
	receivers      []string // globs of their names; nil: all
	wanted         []journal.Glob

	// What the flags come to, once prepare has run.
	cfg       config.Loaded
	named     bool     // FILEs were given
	fleets    []string // directories in which the journals of more receivers may appear
	options   read.Options
	filter    *journal.Filter
	bytesRead atomic.Int64 // bytes read from the files so far
}

// addSelection gives cmd the flags of a selection.
func addSelection(cmd *cobra.Command, env Env) *selection {
	s := &selection{environ: env}
	flags := cmd.Flags()
	inGroup(flags, choosing, func() {
		s.addFlags(flags)
		s.addReceiver(cmd)
	})
	s.addIdentity(cmd)
	s.settings = addSettings(cmd, "journal_dir", "journal_file", "journal_local_time")
	s.completeValues(cmd)
	return s
}

func (s *selection) addFlags(flags *pflag.FlagSet) {
	flags.Var(&oneText{&s.since}, "since", "entries received at this `time` or later: "+timeForms)
	flags.Var(&oneText{&s.until}, "until", "entries received before this `time`")
	flags.Var(&oneText{&s.around}, "around", "entries received about this `time`")
	flags.Var(&oneText{&s.within}, "within", "how far before and after --around, a `duration` (default 1m)")
	flags.BoolVar(&s.local, "local", false, "read and show times in the zone of this machine, or of TZ")
	flags.Var(&someTexts{&s.ids, true}, "id", "entries whose message has this `ID`, such as HTB; more than one: any of them")
	flags.Var(&someTexts{&s.names, true}, "name", "entries of this `host`: the field name")
	flags.Var(&someTexts{&s.plugins, true}, "plugin", "entries of this `plugin`")
	flags.Var(&someTexts{&s.sources, true}, "source", "entries from this `address` or network, such as 10.0.0.0/8")
	flags.Var(&someTexts{&s.matches, false}, "match",
		"entries whose message has a `field=glob`: cpu_percent=9?, disk.0.path=/var*; each field given must match")
}

// prepare works out what the flags and arguments mean. It reports every fault of them at once.
func (s *selection) prepare(args []string) error {
	var err error
	if s.cfg, err = s.settings.loadReading(s.environ, args); err != nil {
		return err
	}
	since, until, errTime := s.times()
	var errFile error
	if slices.Contains(args, "") {
		errFile = errors.New("a FILE is empty: give its path, or leave it out to read the configured journal")
	}
	networks, errSource := parseSources(s.sources)
	fields, errMatch := s.fields()
	filter, errFilter := journal.NewFilter(journal.FilterOptions{
		Since: since, Until: until, Sources: networks, Fields: fields,
	})
	if errFilter != nil {
		errFilter = fmt.Errorf("--match %w", errFilter)
	}
	if err := errors.Join(errFile, errTime, errSource, errMatch, errFilter); err != nil {
		return &usageError{err, "for example --since 2h --name 'web*' --match cpu_percent=9?"}
	}
	s.filter, s.named = filter, len(args) > 0
	s.options = read.Options{
		Dir: s.cfg.Config.JournalDir, Base: s.cfg.Config.JournalFile, Stdin: s.environ.Stdin,
		Since: since, Until: until, Count: &s.bytesRead,
	}
	found, err := journalsOf(args, s.cfg.Config.JournalDir, s.cfg.Config.JournalFile)
	journals := found.journals()
	if err == nil {
		journals, err = s.chooseReceivers(journals)
	}
	setJournals(&s.options, journals)
	s.fleets = found.fleets
	if err == nil {
		s.options.Decrypter, err = s.decrypter(args)
	}
	return err
}

// times are the bounds of the selection; the zero time does not bound.
func (s *selection) times() (since, until time.Time, err error) {
	at := s.clock().In(s.zone())
	if s.around != "" || s.within != "" {
		return s.timesAround(at)
	}
	since, errSince := readTime("since", s.since, at)
	until, errUntil := readTime("until", s.until, at)
	if isClock(s.until) && errUntil == nil && (s.ahead || !until.After(since)) {
		until, _ = clockOn(until, 1, s.until)
	}
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		errUntil = fmt.Errorf("--since %s is not before --until %s: no entry can lie between them",
			since.Format(time.RFC3339), until.Format(time.RFC3339))
	}
	return since, until, errors.Join(errSince, errUntil)
}

// clock is the time it is now.
func (s *selection) clock() time.Time {
	if s.now != nil {
		return s.now()
	}
	return time.Now()
}

// timesAround are the bounds that --around and --within come to.
func (s *selection) timesAround(now time.Time) (since, until time.Time, err error) {
	switch {
	case s.around == "":
		return since, until, fmt.Errorf("--within %s: of what? give --around as well", s.within)
	case s.since != "" || s.until != "":
		return since, until, errors.New("--around says all that --since and --until do: give one or the other")
	}
	middle, err := readTime("around", s.around, now)
	span, errSpan := time.Minute, error(nil)
	if s.within != "" {
		if span, errSpan = parseSpan(s.within); errSpan != nil {
			errSpan = fmt.Errorf("--within %q: %w", s.within, errSpan)
		}
	}
	// The end is within as well, and Until is not.
	return middle.Add(-span), middle.Add(span + time.Millisecond), errors.Join(err, errSpan)
}

func readTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := parseTime(text, now)
	if err != nil {
		return t, fmt.Errorf("--%s %w", flag, err)
	}
	return t, nil
}

// zone is the one that times are read in and shown in.
func (s *selection) zone() *time.Location {
	if s.local {
		return time.Local
	}
	return location(s.cfg.Config)
}

func parseSources(texts []string) ([]journal.Network, error) {
	var networks []journal.Network
	var faults []error
	for _, text := range texts {
		network, err := journal.ParseNetwork(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("--source %q: not an address or network, such as 192.168.1.100 or 10.0.0.0/8", text))
		}
		networks = append(networks, network)
	}
	return networks, errors.Join(faults...)
}

// fields are the conditions on the message; of one field, one of the values is enough.
func (s *selection) fields() ([]journal.Field, error) {
	var fields []journal.Field
	add := func(path string, patterns ...string) {
		for i := range fields {
			if fields[i].Path == path {
				fields[i].Patterns = append(fields[i].Patterns, patterns...)
				return
			}
		}
		if len(patterns) > 0 {
			fields = append(fields, journal.Field{Path: path, Patterns: patterns})
		}
	}
	add("ID", s.ids...)
	add("name", s.names...)
	add("plugin", s.plugins...)
	var faults []error
	for _, match := range s.matches {
		path, pattern, ok := strings.Cut(match, "=")
		if !ok {
			faults = append(faults, fmt.Errorf("--match %q: not field=glob, such as plugin=cpu_*", match))
			continue
		}
		if err := journal.CheckCondition(path, pattern); err != nil {
			faults = append(faults, fmt.Errorf("--match %q: %w", match, err))
			continue
		}
		add(path, pattern)
	}
	return fields, errors.Join(faults...)
}

// place says where the journal of the configuration is, for people.
func (s *selection) place() string {
	return filepath.Join(s.cfg.Config.JournalDir, s.cfg.Config.JournalFile)
}

// explain adds what can be done about an error of reading.
func (s *selection) explain(err error) error {
	switch {
	case errors.Is(err, read.ErrTempDir):
		return &hintedError{err, fmt.Sprintf("%s is where compressed files are unpacked to be read backwards: "+
			"set TMPDIR to a directory with room for one, on a disk", os.TempDir())}
	case errors.Is(err, fs.ErrNotExist) && s.named:
		return &usageError{err, "name files that exist, or none to read the configured journal"}
	case errors.Is(err, fs.ErrNotExist):
		return &hintedError{
			fmt.Errorf("no journal at %s", s.place()),
			fmt.Sprintf("journal_dir is %s, from %s: set it by --journal-dir, JOURNAL_DIR or in the YAML file",
				s.cfg.Config.JournalDir, s.cfg.Origins["journal_dir"]),
		}
	case errors.Is(err, fs.ErrPermission):
		return &hintedError{err, "journal files are 0640: run as a user of their group"}
	}
	return err
}

// faults prints what is wrong with the files that are read, so far as it is not too much, and counts it.
type faults struct {
	w         io.Writer
	count     int
	encrypted int  // of these, files that are encrypted and were left out
	identity  bool // one was given
}

const maxFaults = 20

func (s *selection) faults() faults {
	return faults{w: s.environ.Stderr, identity: s.options.Decrypter != nil}
}

func (f *faults) report(fault *read.CorruptError) {
	f.count++
	if errors.Is(fault, read.ErrEncrypted) {
		f.encrypted++
	}
	switch {
	case f.count <= maxFaults:
		fmt.Fprintf(f.w, "hbjournal: warning: %s\n", visible(fault.Error()))
	case f.count == maxFaults+1:
		fmt.Fprintln(f.w, "hbjournal: warning: more faults follow; 'hbjournal verify' lists them all")
	}
}

// err is the error of a command that did all else, or nil.
func (f *faults) err() error {
	switch {
	case f.count == 0:
		return nil
	case f.encrypted == f.count:
		return leftOut(f.encrypted, f.identity)
	}
	hint := "see 'hbjournal verify'"
	if f.encrypted > 0 {
		hint += "; for what is encrypted, " + identityHint(f.identity)
	}
	return &hintedError{fmt.Errorf("%s in the files: the rest was read", plural(int64(f.count), "fault")), hint}
}
