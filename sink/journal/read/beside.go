package read

import "hbjournal/sink/names"

// Beside returns the files beside a journal that are not read, though their names begin like its own and they begin with an
// entry, or are compressed by what cannot be read: such as messages.journal.bak. Of files that are named there are none.
func Beside(j Journal) ([]string, error) {
	if len(j.Paths) > 0 {
		return nil, nil
	}
	paths, err := names.Beside(j.Dir, j.Base)
	if err != nil {
		return nil, err
	}
	var unread []string
	o := newOpener(Options{})
	for _, path := range paths {
		if k := o.lookAt(names.File{Path: path, Rotated: true}); k != nil && (k.timed || k.err != nil) {
			unread = append(unread, path)
		}
	}
	return unread, nil
}
