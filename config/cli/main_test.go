package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain runs the tests, or, in the processes that they start under the name hbjournal, the real program.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"hbjournal": func() { os.Exit(Main()) },
	})
}

// leakChecked fails a run of the tests that leaves a goroutine behind.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	// lumberjack never stops the goroutine that removes its old files (natefinch/lumberjack issue #56).
	err := goleak.Find(goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
	if err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// oneEntry is a line of a journal.
const oneEntry = `{"timestamp":1774699200.000,"datetime":"2026-03-28T12:00:00","source_ip":"192.168.1.100","source_port":50003,` +
	`"message":{"ID":"HTB","name":"web1"}}` + "\n"

// outcome is what a command left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs the command in this process with the given environment, and no other.
func run(t *testing.T, environ []string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{Stdin: io.LimitReader(nil, 0), Stdout: &out, Stderr: &errs, Environ: environ}
	code := Run(t.Context(), args, env)
	return outcome{code, out.String(), errs.String()}
}

// want checks the exit code and that each text stands in the output.
func (o outcome) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	all := o.stdout + o.stderr
	if o.code != code {
		t.Errorf("got exit code %d, want %d; output:\n%s", o.code, code, all)
	}
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Errorf("got output without %q:\n%s", text, all)
		}
	}
}
