package web

import (
	"errors"
	"strings"

	"hbjournal/sink/journal/read"
)

// A place is a position in all the journals that are shown: for each of them a Cursor, or nil for one that could not be read. Its
// text, the id of events, is the Cursors with commas between, as String gives them, and no for nil.
type place []*read.Cursor

const noCursor = "no"

func (p place) String() string {
	texts := make([]string, len(p))
	for i, at := range p {
		if texts[i] = noCursor; at != nil {
			texts[i] = at.String()
		}
	}
	return strings.Join(texts, ",")
}

// clone returns a place that does not change with p.
func (p place) clone() place {
	own := make(place, len(p))
	for i, at := range p {
		if at != nil {
			c := *at
			own[i] = &c
		}
	}
	return own
}

// grown is p with the beginnings of the journals that have come since, so many there are now.
func (p place) grown(journals int) place {
	for len(p) < journals {
		p = append(p, &read.Cursor{})
	}
	return p
}

var errPlace = errors.New("not a position of the journals that are shown here")

// parsePlace is the inverse of String, for so many journals.
func parsePlace(text string, journals int) (place, error) {
	texts := strings.Split(text, ",")
	if len(texts) != journals {
		return nil, errPlace
	}
	p := make(place, journals)
	for i, text := range texts {
		if text == noCursor {
			continue
		}
		at, err := read.ParseCursor(text)
		if err != nil {
			return nil, errPlace
		}
		p[i] = &at
	}
	return p, nil
}
