package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"hbjournal/sink/journal/read"
)

// The bucket beside a stream holds what archivers and receivers tell each other, JSON under these keys: a is an archiver,
// r a receiver.
//
//	archiver.<a>       Registration  by a, at its start: what it has not confirmed is not purged
//	confirmed.<a>.<r>  Confirmation  by a: so much of r is on its disk
//	ask.<a>.<r>        Request       by a: send again from there
//	figures.<r>        Figures       by r: so much it has shipped
//	owner.<r>          Owner         by r, on request only: another journal goes on under this name
type (
	// Registration names an archiver.
	Registration struct {
		Since time.Time `json:"since"`
	}
	// Confirmation says what an archiver has on its disk.
	Confirmation struct {
		Journal  string      `json:"journal"`
		Number   int64       `json:"number"` // of the next line
		To       read.Cursor `json:"to"`     // behind the last line, in the receiver's journal
		Last     string      `json:"last"`   // journal.LineHash of the last line; "": there is none
		Sequence uint64      `json:"seq"`    // in the stream, of the last message that is dealt with
		Stream   string      `json:"stream"` // that Sequence counts in: when it was made
		At       time.Time   `json:"at"`
	}
	// Request asks a receiver to send again.
	Request struct {
		Journal string      `json:"journal"`
		Number  int64       `json:"number"` // of the first line that is missing
		From    read.Cursor `json:"from"`   // where it stands in the receiver's journal
		At      time.Time   `json:"at"`
		ID      string      `json:"id"` // another one each time
	}
	// Figures say what a receiver has shipped.
	Figures struct {
		Journal string            `json:"journal"`
		Number  int64             `json:"number"` // of the next line
		To      read.Cursor       `json:"to"`
		Last    string            `json:"last"`
		At      time.Time         `json:"at"`
		Totals  map[string]uint64 `json:"totals,omitempty"` // the daemon's own counters
	}
	// Owner hands a receiver's name to another journal.
	Owner struct {
		Journal string    `json:"journal"`
		Before  []string  `json:"before"`
		At      time.Time `json:"at"`
	}
)

// MaxValue is how long a value in the bucket may be, in bytes.
const MaxValue = 4 << 10

var nameForm = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)

// ErrName is wrapped by errors about names.
var ErrName = errors.New("want 1 to 63 small letters, digits, _ and -")

// CheckName reports whether text can be the name of a receiver or an archiver: it becomes a directory's, and part of a key.
func CheckName(text string) error {
	if !nameForm.MatchString(text) {
		return fmt.Errorf("the name %.80q: %w", text, ErrName)
	}
	return nil
}

// The kinds of keys.
const (
	KindArchiver  = "archiver"
	KindConfirmed = "confirmed"
	KindAsk       = "ask"
	KindFigures   = "figures"
	KindOwner     = "owner"
)

// Key makes a key of its kind and the names behind it.
func Key(kind string, names ...string) string {
	return strings.Join(append([]string{kind}, names...), ".")
}

// ParseKey is the inverse of Key. It takes only keys of the kinds that there are.
func ParseKey(key string) (kind string, names []string, err error) {
	kind, rest, _ := strings.Cut(key, ".")
	names = strings.Split(rest, ".")
	want := map[string]int{KindArchiver: 1, KindConfirmed: 2, KindAsk: 2, KindFigures: 1, KindOwner: 1}[kind]
	if want == 0 || len(names) != want {
		return "", nil, fmt.Errorf("%.80q is no key of a fleet", key)
	}
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return "", nil, fmt.Errorf("key %.80q: %w", key, err)
		}
	}
	return kind, names, nil
}

// Decode reads a value of the bucket, which must be of the form that v has. Fields that it does not know are passed over.
func Decode(value []byte, v any) error {
	if len(value) > MaxValue {
		return fmt.Errorf("a value of %d bytes; want %d at most", len(value), MaxValue)
	}
	if err := json.Unmarshal(value, v); err != nil {
		return err
	}
	return nil
}
