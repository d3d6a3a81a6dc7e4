package rotate

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOwnFilesAreKnownByAnySpellingAndThroughAnyLink(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "journal")
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.MkdirAll(filepath.Join(dir, ".messages.journal.d", "seal"), 0o750))
	for _, name := range []string{
		"messages.journal", "messages.journal.20240323-120000", "messages.journal.20240323-120001.gz", "other.log",
		".messages.journal.d/lock", ".messages.journal.d/seal/tile", "../elsewhere.log",
	} {
		do(os.WriteFile(filepath.Join(dir, name), nil, 0o640))
	}
	for link, target := range map[string]string{
		"to-live": "journal/messages.journal", "to-dir": "journal", "to-link": "to-live", "to-state": "to-dir/.messages.journal.d",
		"to-nothing-yet": "journal/messages.journal.20300101-000000", "to-other": "journal/other.log", "loop": "loop",
	} {
		do(os.Symlink(target, filepath.Join(root, link)))
	}
	for link, target := range map[string]string{
		"hard-live": "messages.journal", "hard-backup": "messages.journal.20240323-120000", "hard-lock": ".messages.journal.d/lock",
		"hard-tile": ".messages.journal.d/seal/tile", "hard-other": "other.log",
	} {
		do(os.Link(filepath.Join(dir, target), filepath.Join(root, link)))
	}
	t.Chdir(root)
	for path, want := range map[string]bool{
		dir + "/messages.journal":                       true,
		"journal/messages.journal":                      true,
		"./journal/../journal//messages.journal":        true,
		"to-live":                                       true,
		"to-link":                                       true,
		"to-dir/messages.journal":                       true,
		"to-dir/../journal/messages.journal":            true,
		"hard-live":                                     true,
		"journal/messages.journal.20240323-120000":      true,
		"journal/messages.journal.20240323-120000.zst":  true,
		"journal/messages.journal.20240323-120000.1.gz": true,
		"journal/messages.journal.20290101-000000":      true,
		"journal/messages.journal.1":                    true,
		"journal/messages.journal-20240320.gz":          true,
		"journal/messages.journal.log":                  false,
		"to-nothing-yet":                                true,
		"hard-backup":                                   true,
		"journal/.messages.journal.d":                   true,
		"journal/.messages.journal.d/lock":              true,
		"journal/.messages.journal.d/new":               true,
		"journal/.messages.journal.d/new/deep":          true,
		"to-state/lock":                                 true,
		"hard-lock":                                     true,
		"hard-tile":                                     true,
		"journal/other.log":                             false,
		"journal":                                       false,
		"to-other":                                      false,
		"hard-other":                                    false,
		"elsewhere.log":                                 false,
		"messages.journal":                              false,
		"journal/messages.journal-2026-11-25T04.log":    false,
		"journal/messages.journal.2024":                 true,
		"journal/.other.journal.d/lock":                 false,
		"no/such/messages.journal":                      false,
		"loop":                                          false,
		"/dev/null":                                     false,
	} {
		if got := Owns("journal", "messages.journal", path); got != want {
			t.Errorf("Owns(%s): got %v, want %v", path, got, want)
		}
	}
	if !Owns("not/made/yet", "messages.journal", "not/made/../made/yet/messages.journal") {
		t.Error("Owns of a journal that does not exist yet: got false, want true")
	}
}
