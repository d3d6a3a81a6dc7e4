package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// endlessJournal gives whole lines for ever, one a Read, and calls stop after some of them.
type endlessJournal struct {
	lines int
	stop  func()
}

func (j *endlessJournal) Read(p []byte) (int, error) {
	at := time.Unix(1774699200+int64(j.lines), 0).UTC()
	j.lines++
	if j.lines == 5000 {
		j.stop()
	}
	return copy(p, fmt.Sprintf(`{"timestamp":%d.000,"datetime":"%s","source_ip":"192.168.1.100","source_port":50003,`+
		`"message":{"ID":"HTB","name":"web1","interval":1}}`+"\n", at.Unix(), at.Format("2006-01-02T15:04:05"))), nil
}

func TestAnInterruptedReportPrintsWhatWasRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	env := Env{Stdin: &endlessJournal{stop: cancel}, Stdout: &out, Stderr: &errs, Environ: []string{"HOME=" + t.TempDir()}}
	code := Run(ctx, []string{"report", "-"}, env)
	if code != exitFailed || !strings.Contains(errs.String(), "interrupted after ") {
		t.Errorf("got exit code %d and %q, want %d and what it was interrupted after", code, errs.String(), exitFailed)
	}
	if got := out.String(); !strings.Contains(got, "Interrupted: this is only what was read until then.") {
		t.Errorf("got a report that does not say that it is not whole:\n%s", got)
	}
}
