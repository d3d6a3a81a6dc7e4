//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"hbjournal/config"
)

// TestScripts runs the real program as testdata/script/*.txtar say. `go test ./config/cli -run TestScripts/NAME` runs
// one of them. Beside testscript's own commands (exec, stdout, stderr, cmp, exists, grep, env, …) there are:
//
//	daemon NAME [flag...]     start hbjournal; returns when it listens. $NAME is then the address it listens on, and
//	                          NAME.log its standard error. It reads the script's settings (env JOURNAL_DIR=…); set
//	                          LOG_FILE, if at all, that way too, since the address is read from there.
//	signal SIGNAL NAME        send TERM, INT, KILL, HUP, USR1, STOP or CONT to the daemon
//	exits NAME [CODE]         wait until the daemon has ended with this exit code; default 0, killed: -1
//	lines N FILE...           wait until the files hold N lines together; wildcards are seen anew each time
//	[!] waitfor FILE REGEXP   wait until the file holds the expression (or no longer does)
//	jsonl FILE...             each line of the files is one JSON object, and the last one is whole
//
// The condition [root] holds for the superuser, whom permissions do not stop, and [race] under the race detector.
//
// Everything waits for half a minute at most. Unless a script says otherwise, JOURNAL_DIR is $WORK/journal,
// LISTEN_ADDR and HTTP_ADDR are 127.0.0.1:0 and HOME $WORK; daemons that still run at the end are killed.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("JOURNAL_DIR", filepath.Join(e.WorkDir, "journal"))
			e.Setenv("LISTEN_ADDR", "127.0.0.1:0")
			e.Setenv("HTTP_ADDR", "127.0.0.1:0")
			e.Setenv("HOME", e.WorkDir)
			e.Values["daemons"] = daemons{}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "race":
				return raceDetector, nil
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon":  cmdDaemon,
			"signal":  cmdSignal,
			"exits":   cmdExits,
			"lines":   cmdLines,
			"waitfor": cmdWaitfor,
			"jsonl":   cmdJSONL,
		},
	})
}

// daemons are those that a script has started, by name.
type daemons map[string]*process

func daemonsOf(ts *testscript.TestScript) daemons { return ts.Value("daemons").(daemons) }

func (d daemons) named(ts *testscript.TestScript, name string) *process {
	p, ok := d[name]
	if !ok {
		ts.Fatalf("no daemon %q", name)
	}
	return p
}

func cmdDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: daemon NAME [flag...]")
	}
	name := args[0]
	p, err := start(launch{
		dir:     ts.MkAbs("."),
		stderr:  ts.MkAbs(name + ".log"),
		log:     ts.Getenv("LOG_FILE"),
		environ: scriptEnviron(ts),
		args:    args[1:],
	})
	ts.Check(err)
	daemonsOf(ts)[name] = p
	ts.Defer(p.kill)
	ts.Setenv(name, p.addr)
}

// scriptEnviron returns the variables of the script that the program reads.
func scriptEnviron(ts *testscript.TestScript) []string {
	names := []string{"PATH", "HOME", "TZ", "TMPDIR", "CONFIG_FILE"}
	for _, k := range config.Keys() {
		names = append(names, k.Var)
	}
	var environ []string
	for _, name := range names {
		environ = append(environ, name+"="+ts.Getenv(name))
	}
	return environ
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signal SIGNAL NAME")
	}
	sig, ok := signals()[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %q", args[0])
	}
	ts.Check(daemonsOf(ts).named(ts, args[1]).cmd.Process.Signal(sig))
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: exits NAME [CODE]")
	}
	want := 0
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		want = n
	}
	got, err := daemonsOf(ts).named(ts, args[0]).exit()
	ts.Check(err)
	if got != want {
		ts.Fatalf("%s: got exit code %d, want %d; its log:\n%s", args[0], got, want, ts.ReadFile(args[0]+".log"))
	}
}

func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: lines N FILE...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(poll(func() error { return wantLines(want, expand(ts, args[1:])) }))
}

// expand returns the files that the patterns match, seen from the script's directory.
func expand(ts *testscript.TestScript, patterns []string) []string {
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		files = append(files, found...)
	}
	return files
}

// wantLines checks that the files hold n whole lines together. More than that is final.
func wantLines(n int, files []string) error {
	got := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		got += bytes.Count(b, []byte("\n"))
	}
	err := fmt.Errorf("got %d lines in %v, want %d", got, files, n)
	switch {
	case got > n:
		return &finalError{err}
	case got < n:
		return err
	}
	return nil
}

func cmdWaitfor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] waitfor FILE REGEXP")
	}
	want, err := regexp.Compile(args[1])
	ts.Check(err)
	ts.Check(poll(func() error {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		if want.Match(b) == neg {
			return fmt.Errorf("got %v for %q in %s, want %v:\n%s", !neg, args[1], args[0], neg, b)
		}
		return nil
	}))
}

func cmdJSONL(ts *testscript.TestScript, neg bool, args []string) {
	files := expand(ts, args)
	if neg || len(files) == 0 {
		ts.Fatalf("usage: jsonl FILE..., with at least one that exists")
	}
	for _, file := range files {
		text := ts.ReadFile(file)
		if text != "" && !strings.HasSuffix(text, "\n") {
			ts.Fatalf("%s: got a last line without its newline", file)
		}
		for line := range strings.Lines(text) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				ts.Fatalf("%s: got a line that is no JSON object: %v\n%s", file, err, line)
			}
		}
	}
}
