package forward

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"hbjournal/sink/forward/durable"
	"hbjournal/sink/journal"
)

// idFile is the name of a journal's id in its state directory.
const idFile = "id"

// ErrNoID is wrapped by the error of ReadID if nobody has given the journal an id yet.
var ErrNoID = errors.New("the journal has no id yet")

// identity is what stands in the file: the id, and where it was made, by which a copy of the directory gives itself away.
type identity struct {
	ID      string `json:"id"`
	Machine string `json:"machine,omitempty"` // /etc/machine-id, hashed with the id, since it is not for others
	Inode   uint64 `json:"inode,omitempty"`   // of the journal's directory
}

// An ID is a journal's id, and what speaks against it.
type ID struct {
	Text  string
	Doubt string // why this may be a copy of another journal; "": nothing says so
}

var idForm = regexp.MustCompile(`^[0-9a-zA-Z_-]{1,64}$`)

// CheckID reports whether text can be a journal's id.
func CheckID(text string) error {
	if !idForm.MatchString(text) {
		return fmt.Errorf("%q is not the id of a journal: want up to 64 letters, digits, _ and -", text)
	}
	return nil
}

// ReadID reads the id of the journal in dir, which has this state directory.
func ReadID(dir, stateDir string) (ID, error) {
	path := filepath.Join(stateDir, idFile)
	file, err := os.OpenFile(path, os.O_RDONLY|durable.NoFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return ID{}, fmt.Errorf("read %s: %w", path, ErrNoID)
	}
	if err != nil {
		return ID{}, fmt.Errorf("read the id of the journal: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 4096))
	var is identity
	if err == nil {
		err = json.Unmarshal(text, &is)
	}
	if err == nil {
		err = CheckID(is.ID)
	}
	if err != nil {
		return ID{}, fmt.Errorf("read the id of the journal in %s: %w", path, err)
	}
	return ID{is.ID, is.doubt(dir)}, nil
}

// doubt compares where the id was made with where it is now.
func (is identity) doubt(dir string) string {
	now := identityHere(is.ID, dir)
	var differs []string
	if is.Machine != "" && now.Machine != "" && is.Machine != now.Machine {
		differs = append(differs, "on another machine")
	}
	if is.Inode != 0 && now.Inode != 0 && is.Inode != now.Inode {
		differs = append(differs, "in another directory")
	}
	return strings.Join(differs, " and ")
}

// MakeID returns the id of the journal in dir, and makes it if there is none. It is for the process that writes the journal.
func MakeID(dir, stateDir string) (ID, error) {
	id, err := ReadID(dir, stateDir)
	if !errors.Is(err, ErrNoID) {
		return id, err
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // Never fails.
	is := identityHere(hex.EncodeToString(random[:]), dir)
	text, err := json.Marshal(is)
	if err != nil {
		return ID{}, err
	}
	file, err := durable.Replace(filepath.Join(stateDir, idFile), append(text, '\n'))
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return ID{}, fmt.Errorf("give the journal an id: %w", err)
	}
	return ID{Text: is.ID}, nil
}

// identityHere is what an id that is made here and now has beside it.
func identityHere(id, dir string) identity {
	is := identity{ID: id}
	if text, err := os.ReadFile("/etc/machine-id"); err == nil && len(text) > 0 {
		is.Machine = journal.LineHash(append([]byte(id), text...))
	}
	if info, err := os.Stat(dir); err == nil {
		is.Inode = inodeOf(info)
	}
	return is
}
