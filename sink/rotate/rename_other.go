//go:build !linux

package rotate

// renameNew renames from to to unless to exists: then it returns an error that is fs.ErrExist.
func renameNew(from, to string) error { return renameChecked(from, to) }
