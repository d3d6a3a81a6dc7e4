package forward

import (
	"hash/crc32"
	"time"

	"hbjournal/sink/journal/read"
)

// A Record is where an output stands, and the batch that it may have sent: one text, so that both change at once.
type Record struct {
	Time    time.Time `json:"time"`            // when it was written
	Journal string    `json:"journal"`         // the journal's id
	Address string    `json:"address"`         // of the output as it may be shown
	Cursor  position  `json:"cursor"`          // all before it is dealt with
	Number  int64     `json:"number"`          // lines before it, of all that this output ships
	Taken   int64     `json:"taken"`           // of them those up to the last that was not refused
	Moved   bool      `json:"moved,omitempty"` // Cursor was set by hand, and says nothing of what a receiver holds that knows where it stands
	Intent  *Intent   `json:"intent,omitempty"`
	Dead    int64     `json:"dead"` // bytes of dead.jsonl that hold; what is behind them is of a batch that will be sent again
	Run     run       `json:"run,omitzero"`
	Gone    *Gone     `json:"gone,omitempty"`    // of which the receiver has not been told
	Skipped []skipped `json:"skipped,omitempty"` // the newest last
	Fleet   fleet     `json:"fleet,omitzero"`
	Figures Totals    `json:"figures"`
}

// Intent is the batch that is sent from Cursor on. After a crash it is cut again in the same place.
type Intent struct {
	To    position `json:"to"`
	Lines int      `json:"lines"`
	Sum   uint32   `json:"sum"` // CRC-32C of its text
}

// run is a number of refusals one behind the other, for the same reason, with nothing that was taken between them.
type run struct {
	Lines  int      `json:"lines"`
	Code   string   `json:"code"`
	Cursor position `json:"cursor"` // before the first of them
	Number int64    `json:"number"`
	Dead   int64    `json:"dead"` // bytes of dead.jsonl before them
}

// Totals are what an output has done since its state was made.
type Totals struct {
	Lines      int64 `json:"lines"` // that the receiver took
	Bytes      int64 `json:"bytes"`
	Duplicates int64 `json:"duplicates"` // lines that the receiver said it had before
	Again      int64 `json:"again"`      // lines that it took once more, since an archiver had asked for them
	Refused    int64 `json:"refused"`    // lines put aside into dead.jsonl
	Missed     int64 `json:"missed"`     // times that part of the journal was removed before it was read, or could not be read
}

// position is a read.Cursor whose JSON is its text.
type position struct{ read.Cursor }

// MarshalText implements encoding.TextMarshaler.
func (p position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *position) UnmarshalText(text []byte) (err error) {
	p.Cursor, err = read.ParseCursor(string(text))
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
