package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/rotate"
)

// compared is a receiver's journal here, of ten lines numbered from 0, and what is said of it.
type compared struct {
	opt      read.Options
	lines    []string
	place    place
	reported Reported
}

func newCompared(t *testing.T) *compared {
	t.Helper()
	c := &compared{opt: read.Options{Dir: filepath.Join(t.TempDir(), "north"), Base: "messages.journal"}}
	encoder := journal.NewEncoder(nil)
	for i := range 10 {
		message := `{"n":` + string(rune('0'+i)) + `}`
		line := encoder.AppendLine(nil, time.Unix(1774699200+int64(i), 0), noSource, []byte(message))
		c.lines = append(c.lines, string(line))
	}
	c.place.chain = chain{Journal: "J1", Number: 10, Last: c.hash(9)}
	c.reported = Reported{
		Figures:   &stream.Figures{Journal: "J1", Number: 10, Last: c.hash(9)},
		Confirmed: map[string]stream.Confirmation{"a": {Journal: "J1", Number: 10, Last: c.hash(9)}},
	}
	return c
}

func (c *compared) hash(i int) string {
	return journal.LineHash([]byte(strings.TrimSuffix(c.lines[i], "\n")))
}

// write puts all on the disk, the older half of the lines into a backup.
func (c *compared) write(t *testing.T) {
	t.Helper()
	state := filepath.Join(rotate.StateDir(c.opt.Dir, c.opt.Base), "archive")
	if err := os.MkdirAll(state, 0o750); err != nil {
		t.Fatal(err)
	}
	half := len(c.lines) / 2
	for name, lines := range map[string][]string{c.opt.Base: c.lines[half:], c.opt.Base + ".20260328-120005": c.lines[:half]} {
		if err := os.WriteFile(filepath.Join(c.opt.Dir, name), []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := placeFileIn(filepath.Dir(state)).write(c.place); err != nil {
		t.Fatal(err)
	}
}

func TestAReceiversJournalIsComparedWithWhatItHasShipped(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, c *compared)
		want   State
	}{
		"all is here":            {func(*testing.T, *compared) {}, Complete},
		"figures of a while ago": {func(_ *testing.T, c *compared) { c.reported.Figures.Number, c.reported.Figures.Last = 3, c.hash(2) }, Complete},
		"another line then":      {func(_ *testing.T, c *compared) { c.reported.Figures.Number, c.reported.Figures.Last = 3, c.hash(3) }, Different},
		"another line now":       {func(_ *testing.T, c *compared) { c.reported.Figures.Last = c.hash(8) }, Different},
		"a line was taken out": {func(_ *testing.T, c *compared) {
			c.reported.Figures.Number, c.reported.Figures.Last = 2, c.hash(1)
			c.lines = append(c.lines[:4:4], c.lines[5:]...)
		}, Different},
		"the last line was taken out": {func(_ *testing.T, c *compared) { c.lines = c.lines[:9] }, Different},
		"lines are on their way":      {func(_ *testing.T, c *compared) { c.reported.Figures.Number, c.reported.Figures.Last = 12, "x" }, Behind},
		"another journal":             {func(_ *testing.T, c *compared) { c.reported.Figures.Journal = "J2" }, OtherJournal},
		"nothing was said":            {func(_ *testing.T, c *compared) { c.reported.Figures = nil }, Unknown},
		"more was confirmed":          {func(_ *testing.T, c *compared) { c.place.Number, c.place.Last = 9, c.hash(8); c.reported.Figures = nil }, Lost},
		"another line was confirmed": {func(_ *testing.T, c *compared) {
			c.reported.Confirmed["a"] = stream.Confirmation{Journal: "J1", Number: 5, Last: c.hash(5)}
		}, Different},
		"another archiver has more": {func(_ *testing.T, c *compared) {
			c.reported.Confirmed["b"] = stream.Confirmation{Journal: "J1", Number: 50}
		}, Complete},
		"lines behind the position": {func(_ *testing.T, c *compared) {
			c.place.Number, c.place.Last = 8, c.hash(7)
			c.reported.Figures.Number, c.reported.Figures.Last = 8, c.hash(7)
			delete(c.reported.Confirmed, "a")
		}, Complete},
		"older lines were pruned here": {func(_ *testing.T, c *compared) {
			c.reported.Figures.Number, c.reported.Figures.Last = 1, "gone"
			c.lines = c.lines[5:]
		}, Complete},
		"a gap counts as what was lost": {func(_ *testing.T, c *compared) {
			c.gap(100)
			c.reported.Figures.Number, c.reported.Figures.Last = 2, c.hash(1)
		}, Complete},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCompared(t)
			test.change(t, c)
			c.write(t)
			got, err := Compare(t.Context(), c.opt, "north", "a", &c.reported)
			if err != nil || got.State != test.want {
				t.Errorf("got %+v and error %v, want %s", got, err, test.want)
			}
		})
	}
}

// gap puts an entry of the archive's own in the middle: so many lines are lost there.
func (c *compared) gap(lost uint64) {
	note := journal.GapNote{Reason: stream.GonePruned, Lost: lost}.Append(nil)
	line := string(journal.NewEncoder(nil).AppendLine(nil, time.Unix(1774699205, 0), noSource, note))
	c.lines = append(append(append([]string{}, c.lines[:5]...), line), c.lines[5:]...)
	c.place.Number += int64(lost)
	c.reported.Confirmed["a"] = stream.Confirmation{Journal: "J1", Number: c.place.Number, Last: c.place.Last}
}

func TestAJournalThatIsNotThereOrHasNoPosition(t *testing.T) {
	c := newCompared(t)
	f := func(want State) {
		t.Helper()
		got, err := Compare(t.Context(), c.opt, "north", "a", &c.reported)
		if err != nil || got.State != want {
			t.Errorf("got %+v and error %v, want %s", got, err, want)
		}
	}
	f(Missing)
	c.write(t)
	f(Complete)
	if err := os.RemoveAll(rotate.StateDir(c.opt.Dir, c.opt.Base)); err != nil {
		t.Fatal(err)
	}
	f(ByLastLine)
	c.reported.Figures.Last = c.hash(3)
	f(Unplaced)
}

func TestWhatABucketHeldIsKeptAndWhatIsForeignIsPassedOver(t *testing.T) {
	changes := []Change{
		{stream.Key(stream.KindFigures, "north"), []byte(`{"journal":"J1","number":7,"more":[1]}`)},
		{stream.Key(stream.KindConfirmed, "a", "north"), []byte(`{"journal":"J1","number":6}`)},
		{stream.Key(stream.KindFigures, "south"), []byte(`{"journal":"J1","number":-7}`)},
		{"figures.../../etc", []byte(`{"number":7}`)},
		{stream.Key(stream.KindAsk, "a", "north"), []byte(`{"number":1}`)},
		{stream.Key(stream.KindFigures, "gone"), nil},
		{stream.Key(stream.KindFigures, "long"), []byte(`"` + strings.Repeat("x", stream.MaxValue) + `"`)},
	}
	var text strings.Builder
	if err := WriteChanges(&text, changes); err != nil {
		t.Fatal(err)
	}
	again, err := ReadChanges(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	all, err := ReportedIn(again)
	if err != nil || len(all) != 1 || all["north"].Figures.Number != 7 || all["north"].Confirmed["a"].Number != 6 {
		t.Errorf("got %+v and error %v, want what was said of north", all, err)
	}
	if _, err := ReportedIn([]Change{{stream.Key(stream.KindFigures, "x"), []byte(`[]`)}}); err == nil {
		t.Error("got no error of a value that is none, want one")
	}
	for _, bad := range []string{"nonsense\n", "{}\n", `{"key":"` + strings.Repeat("x", 1<<20) + "\n"} {
		if _, err := ReadChanges(strings.NewReader(bad)); err == nil {
			t.Errorf("%.20q: got no error, want one", bad)
		}
	}
}
