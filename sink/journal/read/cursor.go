package read

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hbjournal/sink/names"
)

// Cursor is a position in a journal, between two lines. It holds when the file that it points into is rotated, renamed
// or compressed, because it knows the file by its first line and by its place among the stamps, and not by its name.
// The zero value is the beginning of the journal.
type Cursor struct {
	From   time.Time // the file's stamp; of the live file, the earliest that it can get
	First  uint64    // FNV-1a of the file's first line; 0: the file had none yet, and is the first from From on
	Offset int64     // of the next line in the file, after decompression
}

// noStamp stands in a cursor's text for the zero From.
const noStamp = "-"

// String gives the text form, which ParseCursor reads: 20260328-120000/0123456789abcdef/1234.
func (c Cursor) String() string {
	from := noStamp
	if !c.From.IsZero() {
		from = c.From.Format(names.StampLayout)
	}
	return fmt.Sprintf("%s/%016x/%d", from, c.First, c.Offset)
}

// ParseCursor is the inverse of String. It takes nothing that String does not write.
func ParseCursor(text string) (Cursor, error) {
	c, err := parseCursor(text)
	if err == nil && c.String() != text {
		err = errors.New("not as it is written")
	}
	if err != nil {
		return Cursor{}, fmt.Errorf("parse cursor %q: %w; want for example %s", text, err, Cursor{})
	}
	return c, nil
}

// MarshalText implements encoding.TextMarshaler.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Cursor) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCursor(string(text))
	return err
}

func parseCursor(text string) (c Cursor, err error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return c, errors.New("not of three parts")
	}
	if parts[0] != noStamp {
		if c.From, err = time.Parse(names.StampLayout, parts[0]); err != nil {
			return c, errors.New("no stamp at its start")
		}
	}
	if c.First, err = strconv.ParseUint(parts[1], 16, 64); err != nil {
		return c, errors.New("no hash in its middle")
	}
	if c.Offset, err = strconv.ParseInt(parts[2], 10, 64); err != nil || c.Offset < 0 {
		return c, errors.New("no offset at its end")
	}
	return c, nil
}
