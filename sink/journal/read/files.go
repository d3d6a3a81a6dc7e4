package read

import "hbjournal/sink/names"

// Files returns the files of the journal base in dir in reading order. Those that another program rotated are at their places,
// without those of them that are copies of others; a backup may stand there with a compressed copy that is not whole yet.
func Files(dir, base string) ([]names.File, error) {
	l := newChain(Options{Dir: dir, Base: base}).listing
	err := l.renew()
	return l.files, err
}
