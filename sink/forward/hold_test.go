package forward

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal/read"
	"hbjournal/sink/names"
)

func TestBackupsAreHeldUntilEachOutputHasThemAndWhatGoesEarlierIsCounted(t *testing.T) {
	j := newJournal(t)
	opt := j.options()
	hold := Hold{States: filepath.Dir(opt.StateDir), Journal: read.Options{Dir: j.dir, Base: base}}
	var stamps []time.Time
	var backups []string
	files := func() {
		all, err := names.Backups(j.dir, base)
		if err != nil {
			t.Fatal(err)
		}
		stamps, backups = nil, nil
		for _, b := range all {
			stamps, backups = append(stamps, b.Stamp), append(backups, b.Name)
		}
	}
	for range 3 {
		j.write(t, 10)
		j.rotate(t)
	}
	files()
	if got := hold.Done(stamps); got != 3 {
		t.Errorf("without outputs: got %d done, want 3", got)
	}
	j.write(t, 10)
	shipAll(t, opt, &fake{})
	if got := hold.Done(stamps); got != 3 {
		t.Errorf("all is sent: got %d done, want 3", got)
	}
	j.rotate(t)
	j.write(t, 10)
	files()
	if got := hold.Done(stamps); got != 3 {
		t.Errorf("the last one may not be sent whole: got %d done, want 3", got)
	}
	// A second output has not begun with the second file.
	slow := opt
	slow.StateDir = filepath.Join(hold.States, "slow")
	slow.BatchBytes = len(j.all[0])*2 + 4
	l, err := Open(slow, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		if err := l.ship(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.writeAll(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := hold.Done(stamps); got != 1 {
		t.Errorf("got %d done, want 1", got)
	}
	var want int64 // Of all backups but the first.
	for _, line := range j.all[10:40] {
		want += int64(len(line)) + 1
	}
	if status, err := Look(t.Context(), slow.StateDir, hold.Journal); err != nil || status.HeldBytes != want {
		t.Errorf("slow holds %d bytes, %v; want %d", status.HeldBytes, err, want)
	}
	losses := hold.Losses(t.Context(), backups[:3])
	if len(losses) != 1 || losses[0].Output != "slow" || losses[0].Lines != 16 {
		t.Fatalf("losses: got %+v, want 16 lines of slow", losses)
	}
	message, err := losses[0].Message(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"ID":"JRN","event":"gap","reason":"forward","lost":16,`, `"output":"slow"`, `"from":"` + losses[0].From.String() + `"`, `"to":"`,
	} {
		if !strings.Contains(string(message), want) {
			t.Errorf("got %s, want %s in it", message, want)
		}
	}
	if err := Forget(slow.StateDir); err != nil {
		t.Fatal(err)
	}
	if got := hold.Done(stamps); got != 3 {
		t.Errorf("forgotten: got %d done, want 3", got)
	}
}
