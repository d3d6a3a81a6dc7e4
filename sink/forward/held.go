package forward

import (
	"fmt"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

// Held is how far a receiver holds a journal.
type Held struct {
	At     read.Cursor // behind the last line that it holds
	Number int64       // of the next line, among all that this output ships
	Last   string      // journal.LineHash of the line before At
}

// CheckHeld sees whether the line that the receiver holds last is the one before that place here. If it is not, a power cut
// or a restored copy took lines back that had been sent, and others may have come to their place: the error wraps ErrStop.
// Nothing is said if that line was pruned meanwhile.
func CheckHeld(opt read.Options, held Held) error {
	line, found, err := read.LineBefore(opt, held.At)
	if err != nil {
		return fmt.Errorf("look for the line that the receiver holds last, before %s: %w", held.At, err)
	}
	if !found || journal.LineHash(line) == held.Last && line != nil {
		return nil
	}
	what := "another line stands there here"
	if line == nil {
		what = "the file ends before it here"
	}
	return fmt.Errorf("%w: the receiver holds lines up to %s, but %s: this journal lost lines that it had sent, or is a copy "+
		"of an older time; compare both, then start with accept_rewind=true to go on from there", ErrStop, held.At, what)
}
