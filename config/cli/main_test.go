package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// lumberjack never stops the goroutine that removes its old files (natefinch/lumberjack issue #56).
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

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
