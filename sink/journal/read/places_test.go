package read

import "testing"

func TestAPlaceIsTheDirectoryUnlessSeveralJournalsAreInIt(t *testing.T) {
	both := []Journal{{Dir: "/two/", Base: "a.journal"}, {Paths: []string{"/two/a.journal.old"}}, {Dir: "one", Base: "a.journal"}, {Paths: []string{Stdin}}}
	p := PlacesOf(both)
	f := func(path, want string) {
		t.Helper()
		if got := p.Of(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	f("/two/a.journal", "/two/a.journal")
	f("/two/a.journal.20260328-120000.gz", "/two/a.journal")
	f("one/a.journal", "one")
	f("./one/a.journal", "one")
	f("/other/a.journal", "/other")
	f("a.journal", ".")
	for i, want := range []string{"/two/a.journal", p.Of("/two/a.journal.old"), "one"} {
		if got := p.OfJournal(both[i]); got != want {
			t.Errorf("%v: got %s, want %s", both[i], got, want)
		}
	}
}
