package names

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// File is one file of a journal, known by its name.
type File struct {
	Path    string
	Stamp   time.Time // the clock text in a backup's name, read as UTC; zero for the live file, and if Rotated
	Rotated bool      // by another program, from the live file: only what is in it tells its place
}

// Live reports whether f is the file that is being written.
func (f File) Live() bool { return f.Stamp.IsZero() && !f.Rotated }

// Files returns the files of the journal base in dir that exist now: those that another program rotated, in the order that
// their names suggest, backups in the order of their stamps, then the live file if there is one. A stamp can stand there
// several times: while a backup is being compressed, or after logrotate. A backup that is the live file too, as it is for an
// instant of each rotation, is given as the live file only.
func Files(dir, base string) ([]File, error) {
	entries, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("list journal files: %w", err)
	}
	var files []File
	for _, e := range entries {
		if f, ok := fileOf(base, e.Name()); ok && (f.Live() || e.Type().IsRegular()) {
			f.Path = filepath.Join(dir, e.Name())
			files = append(files, f)
		}
	}
	slices.SortFunc(files, compareFiles)
	return withoutLink(files), nil
}

// Beside returns the regular files in dir whose names begin like those of the journal base and are none of them, such as
// messages.journal.bak, sorted. Other journals, which have state directories, and their files are left out.
func Beside(dir, base string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list journal files: %w", err)
	}
	states := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() {
			states[e.Name()] = true
		}
	}
	var paths []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base)
		if _, isOurs := fileOf(base, e.Name()); !ok || isOurs || !e.Type().IsRegular() || !strings.ContainsAny(rest[:1], ".-_~") {
			continue
		}
		of, _ := BaseOf(e.Name())
		if !states["."+e.Name()+".d"] && !states["."+of+".d"] {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

// fileOf returns what name, which is its path as well, is among the files of the journal base.
func fileOf(base, name string) (File, bool) {
	if name == base {
		return File{Path: name}, true
	}
	if stamp, ok := StampOf(base, name); ok {
		return File{Path: name, Stamp: stamp}, true
	}
	return File{Path: name, Rotated: true}, IsRotated(base, name)
}

// list is os.ReadDir without sorting, which takes longer than the reading where there are many files.
func list(dir string) ([]os.DirEntry, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(-1)
	return entries, errors.Join(err, d.Close())
}

// withoutLink takes the newest backup out if it is only a second name of the live file.
func withoutLink(files []File) []File {
	n := len(files)
	if n < 2 || !files[n-1].Live() {
		return files
	}
	backup, errBackup := os.Stat(files[n-2].Path)
	live, errLive := os.Stat(files[n-1].Path)
	if errBackup == nil && errLive == nil && os.SameFile(backup, live) {
		return slices.Delete(files, n-2, n-1)
	}
	return files
}

// compareFiles orders the files of a journal as Files gives them; within a stamp logrotate's higher numbers, which are
// older, come first, and a plain file comes before its compressed copy, which may not be whole yet.
func compareFiles(a, b File) int {
	switch {
	case a.Rotated && b.Rotated:
		return CompareRotated(a.Path, b.Path)
	case a.Rotated != b.Rotated:
		return compareBool(b.Rotated, a.Rotated)
	case a.Live() || b.Live():
		return compareBool(a.Live(), b.Live())
	case !a.Stamp.Equal(b.Stamp):
		return a.Stamp.Compare(b.Stamp)
	}
	ka, kb := Uncompressed(a.Path), Uncompressed(b.Path)
	return cmp.Or(cmp.Compare(len(kb), len(ka)), strings.Compare(kb, ka), cmp.Compare(len(a.Path), len(b.Path)))
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Sort puts named files in the order of Files, if they are the files of one journal, and reports whether they are:
// messages.journal* of a shell names the live file first, but its entries are the newest. Files that are not are given in
// their order, each as a live file.
func Sort(paths []string) ([]File, bool) {
	for _, base := range basesOf(paths) {
		if files, ok := filesOf(base, paths); ok {
			slices.SortStableFunc(files, compareFiles)
			return files, true
		}
	}
	files := make([]File, len(paths))
	for i, path := range paths {
		files[i].Path = path
	}
	return files, false
}

// filesOf takes paths for files of the journal base in one directory, and reports whether they are.
func filesOf(base string, paths []string) ([]File, bool) {
	files := make([]File, len(paths))
	for i, path := range paths {
		f, ok := fileOf(base, filepath.Base(path))
		if !ok || filepath.Dir(path) != filepath.Dir(paths[0]) {
			return nil, false
		}
		f.Path = path
		files[i] = f
	}
	return files, true
}

// basesOf guesses from the shortest name which journal the paths may belong to, the likeliest first.
func basesOf(paths []string) (bases []string) {
	if len(paths) == 0 {
		return nil
	}
	shortest := filepath.Base(slices.MinFunc(paths, func(a, b string) int { return cmp.Compare(len(a), len(b)) }))
	if base, ok := BaseOf(shortest); ok {
		bases = append(bases, base)
	}
	bases = append(bases, shortest)
	if base, ok := sameBase(paths); ok {
		bases = append(bases, base)
	}
	return bases
}

// BaseOf returns the base of a backup's name, or of one that logrotate makes, guessed from the name alone; false: it is
// neither. Of the names that logrotate makes, only those of a journal with an extension are known: host-1 may well be a
// journal, and messages.journal-1 is hardly one. Bases also looks at the names beside it.
func BaseOf(name string) (base string, ok bool) {
	if m := backupBase.FindStringSubmatch(name); m != nil {
		return m[1], true
	}
	if m := rotatedBase.FindStringSubmatch(name); m != nil {
		return m[1], true
	}
	return "", false
}

// backupBase and rotatedBase find the base in a name.
var (
	backupBase  = regexp.MustCompile(`^(.+)\.[0-9]{8}-[0-9]{6}([.-].*)?$`)
	rotatedBase = regexp.MustCompile(`^(.+?\.[A-Za-z][A-Za-z0-9]*?)(?:` + rotation + `)+$`)
)
