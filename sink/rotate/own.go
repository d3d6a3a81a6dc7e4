package rotate

import (
	"io/fs"
	"os"
	"path/filepath"

	"hbjournal/sink/names"
)

// Owns reports whether path is one of the files of the journal name in dir: the live one, a backup, one that
// logrotate has made of either, or anything in the state directory. It does not matter how path is spelled, whether it is
// there already, or through which symbolic or hard links it leads there.
func Owns(dir, name, path string) bool {
	path = resolve(path)
	return ownsName(dir, name, path) || isWithin(path, StateDir(dir, name)) || isLinkToOwn(dir, name, path)
}

func ownsName(dir, name, path string) bool {
	if !isSame(filepath.Dir(path), dir) {
		return false
	}
	file := filepath.Base(path)
	_, isBackup := names.StampOf(name, file)
	return isBackup || file == name || names.IsRotated(name, file)
}

// isWithin reports whether path is dir or lies below it.
func isWithin(path, dir string) bool {
	for parent := filepath.Dir(path); path != parent; path, parent = parent, filepath.Dir(parent) {
		if isSame(path, dir) {
			return true
		}
	}
	return false
}

// isSame reports whether a and b are one directory, which need not exist.
func isSame(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	return resolve(a) == resolve(b)
}

// isLinkToOwn reports whether the file at path has another name among the journal's files. The live file is compared in
// any case, since on some systems a name in other letters is the same name.
func isLinkToOwn(dir, name, path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if live, err := os.Stat(filepath.Join(dir, name)); err == nil && os.SameFile(live, info) {
		return true
	}
	if links(info) < 2 {
		return false
	}
	is := func(entry fs.DirEntry) bool {
		other, err := entry.Info()
		return err == nil && os.SameFile(other, info)
	}
	found := false
	_ = filepath.WalkDir(dir, func(other string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || !entry.IsDir():
			found = found || err == nil && is(entry) && (ownsName(dir, name, other) || isWithin(other, StateDir(dir, name)))
			return nil
		case other != dir && !isWithin(other, StateDir(dir, name)):
			return filepath.SkipDir
		}
		return nil
	})
	return found
}

// resolve returns path without symbolic links, as far as what it names exists.
func resolve(path string) string {
	const mostLinks = 40 // as the kernel has it
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	for range mostLinks {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real
		}
		dir := filepath.Dir(path)
		if dir == path {
			return path
		}
		path = filepath.Join(resolve(dir), filepath.Base(path))
		target, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target // Of a link to what does not exist yet.
	}
	return path
}
