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
	Path  string
	Stamp time.Time // the clock text in a backup's name, read as UTC; zero for the live file
}

// Live reports whether f is the file that is being written.
func (f File) Live() bool { return f.Stamp.IsZero() }

// Files returns the files of the journal base in dir that exist now: backups in the order of their stamps, then the live
// file if there is one. A stamp can stand there several times: while a backup is being compressed, or after logrotate.
// A backup that is the live file too, as it is for an instant of each rotation, is given as the live file only.
func Files(dir, base string) ([]File, error) {
	entries, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("list journal files: %w", err)
	}
	var files []File
	for _, e := range entries {
		if e.Name() == base {
			files = append(files, File{Path: filepath.Join(dir, base)})
		}
		if stamp, ok := StampOf(base, e.Name()); ok && e.Type().IsRegular() {
			files = append(files, File{Path: filepath.Join(dir, e.Name()), Stamp: stamp})
		}
	}
	slices.SortFunc(files, compareFiles)
	return withoutLink(files), nil
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

// compareFiles orders backups by stamp, and the live file after them; within a stamp logrotate's higher numbers, which
// are older, come first, and a plain file comes before its compressed copy, which may not be whole yet.
func compareFiles(a, b File) int {
	switch {
	case a.Live() && b.Live():
		return 0
	case a.Live():
		return 1
	case b.Live():
		return -1
	case !a.Stamp.Equal(b.Stamp):
		return a.Stamp.Compare(b.Stamp)
	}
	ka, kb := withoutCompression(a.Path), withoutCompression(b.Path)
	return cmp.Or(cmp.Compare(len(kb), len(ka)), strings.Compare(kb, ka), cmp.Compare(len(a.Path), len(b.Path)))
}

func withoutCompression(path string) string {
	return strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
}

// Sort puts named files in reading order, if they are the files of one journal, and reports whether they are:
// messages.journal* of a shell names the live file first, but its entries are the newest.
func Sort(paths []string) ([]string, bool) {
	files := make([]File, 0, len(paths))
	dir, base, ok := journalOf(paths)
	if !ok {
		return paths, false
	}
	for _, path := range paths {
		name := filepath.Base(path)
		stamp, backup := StampOf(base, name)
		if filepath.Dir(path) != dir || !backup && name != base {
			return paths, false
		}
		files = append(files, File{Path: path, Stamp: stamp})
	}
	slices.SortStableFunc(files, compareFiles)
	sorted := make([]string, len(files))
	for i, f := range files {
		sorted[i] = f.Path
	}
	return sorted, true
}

// BaseOf returns the base of a backup's name, guessed from the name alone; false: it is no backup's name.
func BaseOf(name string) (base string, ok bool) {
	m := backupBase.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	return m[1], true
}

var backupBase = regexp.MustCompile(`^(.+)\.[0-9]{8}-[0-9]{6}([.-].*)?$`)

// journalOf guesses from the shortest name which journal the paths belong to.
func journalOf(paths []string) (dir, base string, ok bool) {
	if len(paths) == 0 {
		return "", "", false
	}
	shortest := slices.MinFunc(paths, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	dir, base = filepath.Split(shortest)
	if of, ok := BaseOf(base); ok {
		base = of
	}
	return filepath.Clean(dir), base, true
}
