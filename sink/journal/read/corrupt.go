package read

import "fmt"

// CorruptError is a fault of a journal file and where it stands. Unwrap gives the cause: journal.ErrMalformed for a line that is
// no entry, what the decompressor or the system said for a file that cannot be read further.
type CorruptError struct {
	Path   string
	Line   int64 // from 1; 0 if not known
	Offset int64 // byte offset in the file, after decompression
	Err    error
}

func (e *CorruptError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: offset %d: %s", e.Path, e.Offset, e.Err)
	}
	return fmt.Sprintf("%s:%d: offset %d: %s", e.Path, e.Line, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }
