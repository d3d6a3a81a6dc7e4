package names

import (
	"os"
	"path/filepath"
	"regexp"
)

// Bases returns the base of the journal that each of paths is a file of, as far as names tell. A name tells less than the
// names beside it: hb.1 may well be a journal, and is a file of hb if there is one, or if it was named together with hb.2.gz.
func Bases(paths []string) []string {
	bases := make([]string, len(paths))
	short := make([]string, len(paths)) // of those whose base may have no extension, the path of what it may be
	siblings := map[string]sibling{}
	for i, path := range paths {
		name := filepath.Base(path)
		bases[i] = name
		if of, ok := BaseOf(name); ok {
			bases[i] = of
		} else if m := shortBase.FindStringSubmatch(name); m != nil {
			short[i] = filepath.Join(filepath.Dir(path), m[1])
			s := siblings[short[i]]
			s.count++
			s.packed = s.packed || Uncompressed(name) != name
			siblings[short[i]] = s
		}
	}
	for i, of := range short {
		if of != "" && (siblings[of].areOneJournal(of) || exists(of)) {
			bases[i] = filepath.Base(of)
		}
	}
	return bases
}

// sibling is what is known of the names that differ only in what a rotation puts behind them.
type sibling struct {
	count  int
	packed bool // one of them is compressed
}

// areOneJournal reports whether the names look like those of logrotate. Addresses are names of journals rather: 10.0.0.1.gz.
func (s sibling) areOneJournal(base string) bool {
	return s.count > 1 && s.packed && letter.MatchString(filepath.Base(base))
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// shortBase takes one number or date of a rotation, with what compresses, off a name that has no extension before.
var (
	shortBase = regexp.MustCompile(`^(.+?)(?:\.[0-9]{1,4}|[-._][0-9]{8}(?:-?[0-9]{2,6})?)(?:` + compression + `)*$`)
	letter    = regexp.MustCompile(`[A-Za-z]`)
)

// sameBase is the base of all of paths, if they have the same one.
func sameBase(paths []string) (string, bool) {
	bases := Bases(paths)
	for _, base := range bases {
		if base != bases[0] {
			return "", false
		}
	}
	return bases[0], true
}
