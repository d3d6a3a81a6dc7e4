package read

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"hbjournal/sink/names"
)

// placed puts the files of a journal that another program rotated, which are the first of files and hold what held says, into
// the order of time among its backups, which stay in that of their stamps. A stamp is the time of the end of its file, in a
// zone that the name does not tell, and can run ahead of the clock; so it is by first entries that they are compared. Of
// the backups a few are opened for that, as halving needs them.
func placed(files []names.File, held map[string]*content, first func(names.File) fingerprint) []names.File {
	n := rotatedOf(files)
	if n == 0 {
		return files
	}
	rotated, rest := slices.Clone(files[:n]), files[n:]
	slices.SortStableFunc(rotated, func(a, b names.File) int {
		return cmp.Or(cmp.Compare(held[a.Path].since, held[b.Path].since), names.CompareRotated(a.Path, b.Path))
	})
	backups := rest
	if last := len(rest) - 1; last >= 0 && rest[last].Live() {
		backups = rest[:last]
	}
	order := make([]names.File, 0, len(files))
	from := 0 // in backups, up to which they are placed
	for _, f := range rotated {
		k := held[f.Path]
		to := from + behindTime(backups[from:], k.since, first)
		order = append(order, backups[from:to]...)
		from = to
		if k.hash == 0 || !holdsCopy(backups[:to], k, first) {
			order = append(order, f)
		}
	}
	return append(order, rest[from:]...)
}

// behindTime is the index in backups of the first that begins after a time, as far as halving finds it.
func behindTime(backups []names.File, millis int64, first func(names.File) fingerprint) int {
	return sort.Search(len(backups), func(i int) bool {
		if at := first(backups[i]); at.timed {
			return at.millis > millis
		}
		return backups[i].Stamp.UnixMilli() > millis // Nothing better is known.
	})
}

// holdsCopy reports whether one of the last of backups begins with the same line as a file that is placed behind them.
func holdsCopy(backups []names.File, k *content, first func(names.File) fingerprint) bool {
	for _, f := range slices.Backward(backups) {
		at := first(f)
		if at.hash == k.hash {
			return true
		}
		if at.timed && at.millis < k.since || !at.timed && f.Stamp.Add(24*time.Hour).UnixMilli() < k.since {
			return false
		}
	}
	return false
}

// withoutCopies takes out of files those that another program rotated and that are copies of others of them: only one of
// those that begin with the same line is to be read. That is the plain one beside its own compressed copy, which may not be
// whole yet, and else the one that was changed last, since a copy that was made of the live file has less than that got.
func withoutCopies(files []names.File, held map[string]*content) []names.File {
	n := rotatedOf(files)
	best := make(map[uint64]int, n) // by first line, the index in files
	for i, f := range files[:n] {
		k := held[f.Path]
		if k.hash == 0 {
			continue
		}
		if other, ok := best[k.hash]; !ok || isBetter(f, files[other], held) {
			best[k.hash] = i
		}
	}
	kept := make([]names.File, 0, len(files))
	for i, f := range files {
		if i < n {
			k := held[f.Path]
			if k.hash != 0 && best[k.hash] != i {
				continue
			}
		}
		kept = append(kept, f)
	}
	return kept
}

// withoutHalves takes out of files those that cannot be read and are compressed copies, by their names, of others that are there:
// they may just be in the making.
func withoutHalves(files []names.File, held map[string]*content) []names.File {
	return slices.DeleteFunc(files, func(f names.File) bool {
		return f.Rotated && held[f.Path].err != nil && hasOriginal(f, held)
	})
}

// isBetter reports whether of two files with the same first line f is to be read, and not g.
func isBetter(f, g names.File, held map[string]*content) bool {
	if of, og := names.Uncompressed(f.Path), names.Uncompressed(g.Path); of == og {
		return len(f.Path) < len(g.Path)
	}
	return held[f.Path].info.ModTime().After(held[g.Path].info.ModTime())
}

// hasOriginal reports whether the file is there, and can be read, that f is a compressed copy of by its name.
func hasOriginal(f names.File, held map[string]*content) bool {
	original := names.Uncompressed(f.Path)
	return original != f.Path && held[original] != nil && held[original].err == nil
}
