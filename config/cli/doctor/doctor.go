// Package doctor looks at the machine that the daemon runs on, or is to run on, and finds what makes it lose messages:
// the kernel's buffers and counters, the network, the limits on the process, the disk, and the clock.
//
// Each check gives one Row: a status, what was measured, the limit that it was held against, and the command that cures
// it. The checks run side by side, so that Examine takes as long as the slowest: the counters, which are read twice, one
// and a half seconds apart. What grows now is a warning, what grew once is a note.
//
// Nothing is changed and nothing is asked of the network. Files are made only in the directories of the journal, and
// removed again; a daemon that runs is not disturbed. What cannot be read, be it for want of privilege or since the
// system has no such thing, is a row with the status Skip. The rules of the firewall are not looked at: only root sees them.
package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Status is the outcome of a check.
type Status string

// The outcomes of a check.
const (
	OK   Status = "ok"
	Note Status = "note" // worth knowing
	Warn Status = "warn" // messages are being lost, or soon will be
	Fail Status = "fail" // the daemon does not start, or writes nothing
	Skip Status = "skip" // could not be looked at, or there is nothing to look at
)

// badness orders the outcomes.
var badness = []Status{Skip, OK, Note, Warn, Fail}

// Row is what one check found.
type Row struct {
	Name     string `json:"name"`
	Group    string `json:"group"`
	Status   Status `json:"status"`
	Measured string `json:"measured"`        // what is, or for Skip why it is not known
	Limit    string `json:"limit,omitempty"` // what it was held against
	Cure     string `json:"cure,omitempty"`  // a command for a shell, whose comment tells what else is to be done
}

// Report is what all checks found.
type Report struct {
	Verdict Status `json:"verdict"` // the worst of the rows'
	UID     int    `json:"uid"`     // of this process, by whose rights all was tried
	Rows    []Row  `json:"checks"`
}

// Options say what the daemon is set to do, and where to look. The zero values of the roots are the real ones.
type Options struct {
	Root, Proc, Sys string // directories in the place of /, /proc and /sys; "": these

	Only []string // names of groups and rows to look at; nil: all

	Config ConfigState
	Daemon func(context.Context) Daemon // asked once; nil: no daemon is known

	Listen      []string // addresses, host:port
	BufferBytes int      // of the receive buffer of each

	Journal Journal // where it is and what limits it

	Outputs []Output // that the journal is forwarded to

	Web Web // the live page

	Archive Archive // of a fleet

	MemoryBytes int64 // that the daemon may need for what waits for the disk

	UID      int               // of this process
	Environ  map[string]string // variables of this process
	Interval time.Duration     // between the two readings of the counters; 0: 1.5 s
	Patience time.Duration     // after which a check that does not end is given up; 0: 2.5 s
	Now      func() time.Time  // nil: time.Now
}

// ConfigState is what reading the settings came to.
type ConfigState struct {
	Faults   []string // for which the daemon would not start
	Warnings []string
	File     string // that was read; "": none
}

// Journal is the journal as the settings have it.
type Journal struct {
	Dir, Name     string
	FileMode      fs.FileMode
	MaxBytes      int64 // of a file; 0: no limit
	MaxBackups    int   // 0: no limit
	MaxTotalBytes int64 // 0: no limit
	MinFreeBytes  int64 // 0: nothing
	Disabled      bool  // nothing is written

	// Seal looks at what seals the journal; nil: nothing does.
	Seal       func() Seal
	Encryption func() Encryption // looks at the directories; nil: nothing is encrypted
	Life       func() Life       // looks when the daemon listened; nil: that is not known

	// Probe tries to make, write, link and rename files as the daemon does, and undoes it.
	Probe func() error
}

// Seal is what is known of what seals the journal.
type Seal struct {
	KeyErr     error // why the key, or the policy of witnesses, cannot be used
	KeyFile    string
	Begun      bool // there is a checkpoint, or no line yet
	Checkpoint int64
	Published  bool // checkpoints go to somewhere else
}

// Daemon is what is known of the daemon that writes the journal.
type Daemon struct {
	Running bool  // the lock of the journal is held
	LockErr error // why that could not be found out

	PID    int // as the daemon left word; 0: it left none
	Listen []netip.AddrPort

	// Asked says whether it was asked over HTTP. The rest is what it said.
	Asked       bool
	AskErr      error  // why it gave no answer
	NotReady    string // why messages do not reach the disk; "": they do
	Warnings    string // what else is wrong
	Lost        uint64 // datagrams since it was started
	BufferBytes int64  // that the kernel granted to each socket
}

// Is reports whether the process pid is the daemon.
func (d Daemon) is(pid int) bool { return d.Running && d.PID != 0 && d.PID == pid }

// check is one thing to look at.
type check struct {
	name, group string
	look        func(*examination) Row
}

// checks are all that there are, in the order in which they are shown.
func checks() []check {
	return slices.Concat(configChecks(), netChecks(), counterChecks(), systemChecks(), diskChecks(), clockChecks(), outputChecks(), webChecks(), archiveChecks())
}

// Names are the groups and then the rows: what Options.Only may hold.
func Names() []string {
	var groups, rows []string
	for _, c := range checks() {
		rows = append(rows, c.name)
		if !slices.Contains(groups, c.group) {
			groups = append(groups, c.group)
		}
	}
	return append(groups, rows...)
}

// examination is one run of the checks.
type examination struct {
	Options
	daemon   func() Daemon
	counters func() (before, after reading)
	stream   func() (ArchiveStream, error)
	disk     sync.Mutex // held by checks that make files, which would take each other's for their own
}

// Examine makes all checks, and returns when they are done, or given up.
func Examine(ctx context.Context, o Options) Report {
	e := newExamination(ctx, o)
	var chosen []check
	for _, c := range checks() {
		if len(o.Only) == 0 || slices.Contains(o.Only, c.name) || slices.Contains(o.Only, c.group) {
			chosen = append(chosen, c)
		}
	}
	report := Report{Verdict: OK, UID: o.UID}
	for i, found := range e.all(chosen) {
		found.Name, found.Group = chosen[i].name, chosen[i].group
		report.Rows = append(report.Rows, found)
		if slices.Index(badness, found.Status) > slices.Index(badness, report.Verdict) {
			report.Verdict = found.Status
		}
	}
	return report
}

func newExamination(ctx context.Context, o Options) *examination {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	if o.Sys == "" {
		o.Sys = "/sys"
	}
	if o.Interval == 0 {
		o.Interval = 1500 * time.Millisecond
	}
	if o.Patience == 0 {
		o.Patience = 2500 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Daemon == nil {
		o.Daemon = func(context.Context) Daemon { return Daemon{} }
	}
	e := &examination{Options: o}
	if o.Archive.Stream != nil {
		e.stream = sync.OnceValues(o.Archive.Stream)
	}
	e.daemon = sync.OnceValue(func() Daemon { return o.Daemon(ctx) })
	e.counters = sync.OnceValues(func() (before, after reading) {
		before = e.read()
		select {
		case <-ctx.Done():
		case <-time.After(o.Interval):
		}
		return before, e.read()
	})
	return e
}

// all makes the checks side by side. One that does not end, as on a disk that does not answer, is left behind: it ends
// with the process, which is about to.
func (e *examination) all(chosen []check) []Row {
	found := make([]chan Row, len(chosen))
	for i, c := range chosen {
		found[i] = make(chan Row, 1)
		go func() { found[i] <- c.look(e) }()
	}
	patience := time.NewTimer(e.Patience)
	defer patience.Stop()
	rows, over := make([]Row, len(chosen)), false
	for i, c := range chosen {
		if !over {
			select {
			case rows[i] = <-found[i]:
				continue
			case <-patience.C:
				over = true
			}
		}
		select {
		case rows[i] = <-found[i]:
		default:
			rows[i] = e.unanswered(c)
		}
	}
	return rows
}

// unanswered is the row of a check that was given up.
func (e *examination) unanswered(c check) Row {
	measured := fmt.Sprintf("no answer within %v", e.Patience)
	if c.group != diskGroup {
		return skip(measured)
	}
	return Row{Status: Fail, Measured: measured, Limit: "a disk that answers", Cure: "df -h " + Quoted(e.Journal.Dir) + " # if this hangs too, the disk does"}
}

func skip(why string) Row { return Row{Status: Skip, Measured: why} }

// asRoot is a command that needs root, as this user gives it.
func (e *examination) asRoot(command string) string {
	if e.UID != 0 {
		command = "sudo " + command
	}
	return command
}

// onHost is a command that needs root, and the host if this is a container.
func (e *examination) onHost(command string) string {
	if e.container() != "" {
		return command + " # on the host, as root"
	}
	return e.asRoot(command)
}

// then adds to a command, as a comment, what is to be done beside it.
func then(command, text string) string {
	if strings.Contains(command, " # ") {
		return command + "; " + text
	}
	return command + " # " + text
}

// Quoted is a text as one word for a shell.
func Quoted(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./:@%+=,-", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
