package read

import (
	"path/filepath"
	"slices"
	"strings"
)

// Places are texts that tell journals apart which are read together: the directory of each, with the name of its live file where
// several are in one directory.
type Places struct {
	bases map[string][]string // by directory
}

// PlacesOf are those of journals. One that is in none of their directories has its own as its place.
func PlacesOf(journals []Journal) Places {
	p := Places{map[string][]string{}}
	for _, j := range journals {
		if j.ReadsStdin() {
			continue
		}
		dir, base := j.Place()
		if dir = filepath.Clean(dir); !slices.Contains(p.bases[dir], base) {
			p.bases[dir] = append(p.bases[dir], base)
		}
	}
	return p
}

// Of is the place of the journal that the file at path belongs to.
func (p Places) Of(path string) string {
	dir, file := filepath.Split(path)
	dir = filepath.Clean(dir)
	longest := ""
	for _, base := range p.bases[dir] {
		if strings.HasPrefix(file, base) && len(base) > len(longest) {
			longest = base
		}
	}
	return p.place(dir, longest)
}

// OfJournal is the place of j.
func (p Places) OfJournal(j Journal) string {
	dir, base := j.Place()
	return p.place(filepath.Clean(dir), base)
}

func (p Places) place(dir, base string) string {
	if len(p.bases[dir]) < 2 {
		return dir
	}
	return filepath.Join(dir, base)
}
