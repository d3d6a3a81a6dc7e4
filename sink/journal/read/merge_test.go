package read

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/journal"
)

const mergeBase = "messages.journal"

// mergeLine is an entry of this time, whose message says of which journal it is and the how manieth.
func mergeLine(millis int64, of string, n int) string {
	at := time.UnixMilli(millis).UTC()
	return fmt.Sprintf(`{"timestamp":%d.%03d,"datetime":"%s","source_ip":"10.0.0.1","source_port":5000,"message":{"ID":"T","j":"%s","n":%d}}`+"\n",
		millis/1000, millis%1000, at.Format(journal.DatetimeLayout), of, n)
}

// writeMergeFile writes a file of a journal in dir, which it makes.
func writeMergeFile(t testing.TB, dir, name string, lines ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "")), 0o640); err != nil {
		t.Fatal(err)
	}
}

// mergeTexts are the messages of source in order, as "journal n", and its faults.
func mergeTexts(t testing.TB, source Source) (texts []string, faults []*CorruptError) {
	t.Helper()
	r := NewReader(t.Context(), source, nil, func(f *CorruptError) { faults = append(faults, f) })
	for r.Next() {
		texts = append(texts, mergeText(r.Entry()))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return texts, faults
}

func mergeText(e *journal.Entry) string {
	_, text, _ := strings.Cut(string(e.Message), `"j":"`)
	return strings.TrimSuffix(strings.Replace(text, `","n":`, " ", 1), "}")
}

func openMergedTest(t testing.TB, opt Options) Source {
	t.Helper()
	source, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	return source
}

func journalsIn(root string, names ...string) (journals []Journal) {
	for _, name := range names {
		journals = append(journals, Journal{Dir: filepath.Join(root, name), Base: mergeBase})
	}
	return journals
}

const mergeStart = 1_774_699_200_000

func TestSeveralJournalsAreMergedByTime(t *testing.T) {
	root := t.TempDir()
	writeMergeFile(t, filepath.Join(root, "a"), mergeBase+".20260328-120000", mergeLine(mergeStart, "a", 1), mergeLine(mergeStart+40, "a", 2))
	writeMergeFile(t, filepath.Join(root, "a"), mergeBase, mergeLine(mergeStart+90, "a", 3))
	writeMergeFile(t, filepath.Join(root, "b"), mergeBase, mergeLine(mergeStart+10, "b", 1), mergeLine(mergeStart+40, "b", 2), mergeLine(mergeStart+50, "b", 3))
	writeMergeFile(t, filepath.Join(root, "c"), mergeBase, mergeLine(mergeStart+40, "c", 1))
	opt := Options{Journals: journalsIn(root, "a", "b", "c")}
	want := []string{"a 1", "b 1", "a 2", "b 2", "c 1", "b 3", "a 3"}
	if got, faults := mergeTexts(t, openMergedTest(t, opt)); !slices.Equal(got, want) || len(faults) > 0 {
		t.Errorf("got %v with %v, want %v", got, faults, want)
	}
	opt.Reverse = true
	slices.Reverse(want)
	if got, faults := mergeTexts(t, openMergedTest(t, opt)); !slices.Equal(got, want) || len(faults) > 0 {
		t.Errorf("backwards got %v with %v, want %v", got, faults, want)
	}
}

func TestClockThatGoesBackKeepsTheOrderOfItsJournal(t *testing.T) {
	root := t.TempDir()
	writeMergeFile(t, filepath.Join(root, "a"), mergeBase, mergeLine(mergeStart+100, "a", 1), mergeLine(mergeStart+20, "a", 2), mergeLine(mergeStart+200, "a", 3))
	writeMergeFile(t, filepath.Join(root, "b"), mergeBase, mergeLine(mergeStart+30, "b", 1), mergeLine(mergeStart+150, "b", 2))
	opt := Options{Journals: journalsIn(root, "a", "b")}
	if got, want := first(mergeTexts(t, openMergedTest(t, opt))), []string{"b 1", "a 1", "a 2", "b 2", "a 3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	opt.Reverse = true
	got := first(mergeTexts(t, openMergedTest(t, opt)))
	a := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s[0] == 'b' })
	if want := []string{"a 3", "a 2", "a 1"}; !slices.Equal(a, want) || len(got) != 5 {
		t.Errorf("backwards got %v", got)
	}
}

func first(texts []string, _ []*CorruptError) []string { return texts }

func TestEntryOfSeveralJournalsKnowsItsFileLineAndCursor(t *testing.T) {
	root := t.TempDir()
	lines := map[string][]string{}
	for i := range 2000 {
		of := string("ab"[i%7%2])
		lines[of] = append(lines[of], mergeLine(mergeStart+int64(i), of, i))
	}
	for of, all := range lines {
		writeMergeFile(t, filepath.Join(root, of), mergeBase, all...)
	}
	opt := Options{Journals: journalsIn(root, "a", "b")}
	r := NewReader(t.Context(), openMergedTest(t, opt), nil, nil)
	number, offset := map[string]int64{}, map[string]int64{}
	for i := 0; r.Next(); i++ {
		e := r.Entry()
		of := filepath.Base(filepath.Dir(e.Path))
		number[of]++
		if e.Number != number[of] || e.Offset != offset[of] || mergeText(e) != fmt.Sprintf("%s %d", of, i) {
			t.Fatalf("got %s:%d at %d: %s; want %d at %d", e.Path, e.Number, e.Offset, mergeText(e), number[of], offset[of])
		}
		offset[of] += int64(len(e.Line)) + 1
		if got := r.Cursor().Offset; got != offset[of] {
			t.Fatalf("cursor behind %s is %d, want %d", mergeText(e), got, offset[of])
		}
	}
	if len(lines["a"]) != int(number["a"]) || len(lines["b"]) != int(number["b"]) {
		t.Errorf("got %v entries", number)
	}
}

func TestBrokenJournalIsAFaultAndTheOthersAreRead(t *testing.T) {
	root := t.TempDir()
	writeMergeFile(t, filepath.Join(root, "a"), mergeBase, mergeLine(mergeStart, "a", 1), "torn\n", mergeLine(mergeStart+20, "a", 2), `{"timest`)
	writeMergeFile(t, filepath.Join(root, "b"), mergeBase+".20260328-120000.gz", "\x1f\x8bno gzip at all")
	writeMergeFile(t, filepath.Join(root, "b"), mergeBase, mergeLine(mergeStart+10, "b", 1), mergeLine(mergeStart+30, "b", 2))
	for _, reverse := range []bool{false, true} {
		opt := Options{Journals: journalsIn(root, "a", "gone", "b"), Reverse: reverse}
		got, faults := mergeTexts(t, openMergedTest(t, opt))
		want := []string{"a 1", "b 1", "a 2", "b 2"}
		if reverse {
			slices.Reverse(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		var paths []string
		for _, f := range faults {
			paths = append(paths, strings.TrimPrefix(f.Path, root+"/"))
		}
		slices.Sort(paths)
		if want := []string{"a/" + mergeBase, "a/" + mergeBase, "b/" + mergeBase + ".20260328-120000.gz", "gone/" + mergeBase}; !slices.Equal(paths, want) {
			t.Errorf("got faults %v, want of %v", faults, want)
		}
	}
}

func TestLineLongerThanABlockIsMerged(t *testing.T) {
	root := t.TempDir()
	long := strings.Replace(mergeLine(mergeStart+10, "b", 1), `"ID":"T"`, `"ID":"`+strings.Repeat("x", 3*blockBytes)+`"`, 1)
	writeMergeFile(t, filepath.Join(root, "a"), mergeBase, mergeLine(mergeStart, "a", 1), mergeLine(mergeStart+20, "a", 2))
	writeMergeFile(t, filepath.Join(root, "b"), mergeBase, long, mergeLine(mergeStart+15, "b", 2))
	for _, reverse := range []bool{false, true} {
		want := []string{"a 1", "b 1", "b 2", "a 2"}
		if reverse {
			slices.Reverse(want)
		}
		opt := Options{Journals: journalsIn(root, "a", "b"), Reverse: reverse}
		if got, _ := mergeTexts(t, openMergedTest(t, opt)); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// manyJournals makes n journals, each with a compressed backup if gz is set, whose entries take turns.
func manyJournals(t testing.TB, n, entries int, gz bool) (opt Options, want []string) {
	t.Helper()
	root := t.TempDir()
	for j := range n {
		name := fmt.Sprintf("h%04d", j)
		var lines []string
		for i := range entries {
			lines = append(lines, mergeLine(mergeStart+int64(i*n+j), name, i))
		}
		dir := filepath.Join(root, name)
		half := entries / 2
		if gz {
			writeMergeFile(t, dir, mergeBase+".20260328-120000.gz", string(gzipped(t, []byte(strings.Join(lines[:half], "")))))
		} else {
			writeMergeFile(t, dir, mergeBase+".20260328-120000", lines[:half]...)
		}
		writeMergeFile(t, dir, mergeBase, lines[half:]...)
		opt.Journals = append(opt.Journals, Journal{Dir: dir, Base: mergeBase})
	}
	for i := range entries {
		for j := range n {
			want = append(want, fmt.Sprintf("h%04d %d", j, i))
		}
	}
	return opt, want
}

func TestVeryManyJournalsAreParked(t *testing.T) {
	for _, gz := range []bool{false, true} {
		for _, reverse := range []bool{false, true} {
			t.Run(fmt.Sprintf("gz %v reverse %v", gz, reverse), func(t *testing.T) {
				opt, want := manyJournals(t, 40, 60, gz)
				if opt.Reverse = reverse; reverse {
					slices.Reverse(want)
				}
				source := openMergedTest(t, opt)
				m := source.(*merged)
				m.most = 3
				for _, f := range m.all {
					f.block.unit = 300
				}
				got, faults := mergeTexts(t, source)
				if !slices.Equal(got, want) || len(faults) > 0 {
					t.Errorf("got %d entries with faults %v, want %d", len(got), faults, len(want))
				}
			})
		}
	}
}

func TestParkedJournalIsFoundWhereItWasMovedTo(t *testing.T) {
	for name, move := range map[string]func(t *testing.T, live string){
		"rotated": func(t *testing.T, live string) {
			if err := os.Rename(live, live+".20260329-120000"); err != nil {
				t.Fatal(err)
			}
			writeMergeFile(t, filepath.Dir(live), mergeBase, mergeLine(mergeStart+1e6, "new", 1))
		},
		"compressed": func(t *testing.T, live string) {
			text, err := os.ReadFile(live)
			if err != nil {
				t.Fatal(err)
			}
			writeMergeFile(t, filepath.Dir(live), mergeBase+".20260329-120000.gz", string(gzipped(t, []byte(string(text)))))
			writeMergeFile(t, filepath.Dir(live), mergeBase)
		},
	} {
		for _, reverse := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s reverse %v", name, reverse), func(t *testing.T) {
				opt, want := manyJournals(t, 8, 60, false)
				if opt.Reverse = reverse; reverse {
					slices.Reverse(want)
				}
				source := openMergedTest(t, opt)
				m := source.(*merged)
				m.most = 2
				for _, f := range m.all {
					f.block.unit = 300
				}
				var block Block
				if err := source.Read(t.Context(), &block); err != nil {
					t.Fatal(err)
				}
				var got []string
				scanner := Scanner{OnFault: func(f *CorruptError) { t.Error(f) }}
				for scanner.Reset(&block); scanner.Next(); {
					got = append(got, mergeText(scanner.Entry()))
				}
				for _, j := range opt.Journals {
					move(t, filepath.Join(j.Dir, j.Base))
				}
				rest, faults := mergeTexts(t, source)
				got = append(got, slices.DeleteFunc(rest, func(s string) bool { return strings.HasPrefix(s, "new") })...)
				if !slices.Equal(got, want) || len(faults) > 0 {
					t.Errorf("got %d entries with faults %v, want %d", len(got), faults, len(want))
				}
			})
		}
	}
}

func TestSeveralJournalsAreFollowed(t *testing.T) {
	for _, most := range []int{1, maxAwake} {
		for _, last := range []bool{false, true} {
			t.Run(fmt.Sprintf("awake %d last %v", most, last), func(t *testing.T) { followSeveral(t, most, last) })
		}
	}
}

func followSeveral(t *testing.T, most int, last bool) {
	opt, want := manyJournals(t, 5, 10, false)
	var at []*Cursor
	if last {
		back := OpenBack(opt)
		var block Block
		if err := back.Read(t.Context(), &block); err != nil {
			t.Fatal(err)
		}
		at = back.Ends()
		if err := back.Close(); err != nil {
			t.Fatal(err)
		}
		want = nil
	}
	source, err := FollowAll(opt, at)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	j := source.(*joint)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	expect := func(want []string) {
		t.Helper()
		var got []string
		r := NewReader(ctx, source, nil, func(f *CorruptError) { t.Error(f) })
		for len(got) < len(want) && r.Next() {
			got = append(got, mergeText(r.Entry()))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v (%v)", got, want, r.Err())
		}
	}
	expect(want)
	for round := range 4 {
		for i, place := range opt.Journals {
			live := filepath.Join(place.Dir, place.Base)
			if round%2 == 1 {
				if err := os.Rename(live, fmt.Sprintf("%s.20260329-12000%d", live, round)); err != nil {
					t.Fatal(err)
				}
			}
			f, err := os.OpenFile(live, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
			if err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("h%04d", i)
			_, err = io.WriteString(f, mergeLine(mergeStart+int64(1e6+round), name, round)+mergeLine(mergeStart+int64(2e6), name, 99))
			if err != nil || f.Close() != nil {
				t.Fatal(err)
			}
			expect([]string{fmt.Sprintf("%s %d", name, round), name + " 99"})
			if j.merged != nil {
				j.merged.most = most
			}
		}
	}
}
