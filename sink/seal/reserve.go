package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// standing is what must be known of a tree also when the disk is full: it lies in a file whose room was taken before,
// signed, in two halves of which the newer one counts.
type standing struct {
	Origin string `json:"origin"`
	// Open: the daemon writes, and what is found behind the last checkpoint after a crash is its own. Else the journal was
	// closed, and what is found there is not.
	Open bool `json:"open"`
	// Resumed is how long the live file was when the daemon found it closed and went on in it: lines up to there, behind the last
	// checkpoint, are not its own either. 0: that has been settled.
	Resumed int64   `json:"resumed,omitempty"`
	Begin   []byte  `json:"begin,omitempty"`  // the message of the note that is the first leaf, until that is sealed
	Pruned  *pruned `json:"pruned,omitempty"` // what the limits have removed; nil: nothing
	// Head is a checkpoint that was signed before lines under it were removed, for which there was no room elsewhere.
	Head []byte `json:"head,omitempty"`
}

// pruned is a journal.PrunedNote.
type pruned struct {
	Before int64  `json:"before"`
	Limit  string `json:"limit"`
	Edge   []Hash `json:"edge"`
	Noted  bool   `json:"noted,omitempty"` // a note of it in the journal has been sealed
}

const (
	reserveBytes = 64 << 10
	reserveHalf  = reserveBytes / 2
	// reserveTitle begins what is signed, so that it can never be taken for a checkpoint.
	reserveTitle = "state of the seal\n"
)

// putStanding writes the standing in place, and syncs it.
func (d dir) putStanding(key *Key, s standing, number int64) error {
	err := d.writeStanding(key, s, number)
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path(fileReserve), err)
	}
	return nil
}

func (d dir) writeStanding(key *Key, s standing, number int64) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	signed, err := key.sign(key.name, reserveTitle+strconv.FormatInt(number, 10)+"\n"+string(text)+"\n")
	if err != nil {
		return err
	}
	if len(signed) > reserveHalf {
		return fmt.Errorf("%d bytes do not fit", len(signed))
	}
	file, err := d.openReserve()
	if err != nil {
		return err
	}
	half := append(signed, bytes.Repeat([]byte{0}, reserveHalf-len(signed))...)
	_, err = file.WriteAt(half, number%2*reserveHalf)
	return errors.Join(err, file.Sync(), file.Close())
}

// openReserve opens the reserve, and takes its room if that has not been done.
func (d dir) openReserve() (*os.File, error) {
	file, err := os.OpenFile(d.path(fileReserve), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() != reserveBytes {
		if _, err = file.WriteAt(make([]byte, reserveBytes), 0); err == nil {
			err = errors.Join(file.Sync(), syncDir(string(d)))
		}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// readStanding returns the newest standing of a tree that the key has signed, and its number; false: there is none.
func (d dir) readStanding(v *Verifier, origin string) (s standing, number int64, ok bool) {
	file, err := os.Open(d.path(fileReserve))
	if err != nil {
		return s, 0, false
	}
	defer file.Close()
	for half := range int64(2) {
		text, err := io.ReadAll(io.NewSectionReader(file, half*reserveHalf, reserveHalf))
		if err != nil {
			continue
		}
		if one, n, isOne := v.parseStanding(bytes.TrimRight(text, "\x00")); isOne && n >= number {
			s, number, ok = one, n, true
		}
	}
	return s, number, ok && s.Origin == origin
}

func (v *Verifier) parseStanding(signed []byte) (s standing, number int64, ok bool) {
	n, err := note.Open(signed, note.VerifierList(v.of(v.name)...))
	if err != nil {
		return s, 0, false
	}
	rest, ok := strings.CutPrefix(n.Text, reserveTitle)
	digits, text, more := strings.Cut(rest, "\n")
	number, err = strconv.ParseInt(digits, 10, 64)
	if !ok || !more || err != nil || json.Unmarshal([]byte(text), &s) != nil {
		return standing{}, 0, false
	}
	return s, number, true
}
