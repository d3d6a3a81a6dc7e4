package fleet

import (
	"errors"
	"fmt"

	"hbjournal/sink/forward/stream"
	"hbjournal/sink/journal/read"
)

// A chain is how far the lines of one receiver have come in, in its own numbers. The zero value is before the first line of
// whatever journal comes.
type chain struct {
	Journal string      `json:"journal,omitempty"` // the only one that is taken under this name; "": none came yet
	Number  int64       `json:"number"`            // of the next line
	To      read.Cursor `json:"to"`                // in the receiver's journal, behind the last line
	Last    string      `json:"last,omitempty"`    // journal.LineHash of the last line; "": none came yet
}

// verdict is what is to be done with a message.
type verdict int

const (
	fits    verdict = iota // skip so many of its lines, and append the rest
	copied                 // all of its lines are there
	hole                   // lines before it are missing
	early                  // it tells that lines before it are gone, and the stream holds some of these; judge does not see that
	foreign                // it is of another journal
)

// judged is a verdict, with its figures.
type judged struct {
	verdict
	skip int   // lines of the message that are there already
	lost int64 // lines before it that will never come
}

// judge compares the numbers of a message with what is there. Nothing is missing, and nothing comes twice, if the lines of
// those that fit are appended one behind the other.
func (c chain) judge(m stream.Mark) judged {
	next := c.Number
	switch {
	case c.Journal != "" && m.Journal != c.Journal:
		return judged{verdict: foreign}
	case m.Next() <= next:
		return judged{verdict: copied}
	case m.Number <= next:
		return judged{verdict: fits, skip: int(next - m.Number)}
	case m.Gone.Reason != "" && m.Gone.From <= next:
		return judged{verdict: fits, lost: m.Number - next}
	}
	return judged{verdict: hole}
}

// errContradiction is wrapped by errors about messages whose headers and lines cannot both be right.
var errContradiction = errors.New("its headers contradict its lines")

// behind is the chain behind a message that fits.
func (c chain) behind(m stream.Mark) chain {
	return chain{Journal: m.Journal, Number: m.Next(), To: m.To, Last: m.Last}
}

// continues sees that the line before those that a message adds is the last one that came, if the message holds it.
func (c chain) continues(skip int, before string) error {
	if skip > 0 && c.Last != "" && before != c.Last {
		return fmt.Errorf("%w: line %d is another one than came before", errContradiction, c.Number-1)
	}
	return nil
}
