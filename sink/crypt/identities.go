package crypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// ErrNoMatch is wrapped by the errors of Decrypt about files that were encrypted to others.
var ErrNoMatch = errors.New("none of the identities given fits")

// Identities are the secret keys that files are read with. All of them are tried. Its methods are safe for concurrent use.
type Identities struct{ all []age.Identity }

// ReadIdentities reads files of identities, as age-keygen makes them; - is stdin. The error is about all that is wrong,
// and repeats nothing of the files.
func ReadIdentities(paths []string, stdin io.Reader) (*Identities, error) {
	ids := &Identities{}
	var errs []error
	for _, path := range paths {
		all, err := readIdentities(path, stdin)
		if err != nil {
			errs = append(errs, fmt.Errorf("read identity: %w", err))
		}
		ids.all = append(ids.all, all...)
	}
	return ids, errors.Join(errs...)
}

// Exposed returns those of the files of identities that everybody on the machine can read.
func Exposed(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		info, err := os.Stat(path)
		return path == Stdin || err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o004 == 0
	})
}

func readIdentities(path string, stdin io.Reader) ([]age.Identity, error) {
	name, from := "standard input", stdin
	if path != Stdin {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		name, from = path, file
	}
	text, err := readBounded(from, name)
	if err != nil {
		return nil, err
	}
	if what := notPlain(text); what != "" {
		return nil, fmt.Errorf("%s is %s", name, what)
	}
	// Editors of Windows end lines with CR LF.
	all, err := age.ParseIdentities(bytes.NewReader(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
	if err != nil {
		return nil, fmt.Errorf("%s is no file of identities: it needs a line AGE-SECRET-KEY-..., as age-keygen makes it (%w)", name, err)
	}
	return all, nil
}

const (
	headOfAge   = "age-encryption.org/"
	headOfArmor = armor.Header
)

// notPlain says what a file is that holds identities in a form that is not taken; "": it is none of these.
func notPlain(text []byte) string {
	head := string(text[:min(len(text), 64<<10)])
	switch {
	case strings.HasPrefix(head, headOfAge), strings.HasPrefix(head, headOfArmor):
		return "protected by a passphrase: run 'age -d FILE | hbjournal query --identity -', so that only age asks for it"
	case strings.Contains(head, "PRIVATE KEY-----"):
		return "a key of SSH or TLS, and these are not taken: decrypt with 'age -d -i FILE', or make a key by age-keygen"
	case strings.Contains(head, "AGE-PLUGIN-"):
		return "for a plugin, and these are not run: decrypt with 'age -d -i FILE'"
	case strings.Contains("\n"+head, "\nage1") && !strings.Contains(head, "AGE-SECRET-KEY-"):
		return "of recipients, which can only encrypt: give the file of AGE-SECRET-KEY-... that belongs to one of them"
	}
	return ""
}

// Decrypt returns the text of a file, armored or not. Its reader ends with an error where the file was cut or changed, and
// gives nothing of what comes after it.
func (ids *Identities) Decrypt(src io.Reader) (io.Reader, error) {
	head := make([]byte, len(headOfArmor))
	n, err := io.ReadFull(src, head)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	src = io.MultiReader(bytes.NewReader(head[:n]), src)
	if string(head[:n]) == headOfArmor {
		src = armor.NewReader(src)
	}
	text, err := age.Decrypt(src, ids.all...)
	return text, explain(err)
}

// DecryptReaderAt returns the text of a file of size bytes, which can be read at any offset, and its size. A file that was
// cut is an error at once. It is not for those that are armored.
func (ids *Identities) DecryptReaderAt(src io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	text, textSize, err := age.DecryptReaderAt(src, size, ids.all...)
	return text, textSize, explain(err)
}

// explain makes of age's error that no identity fits one that says so.
func explain(err error) error {
	var noMatch *age.NoIdentityMatchError
	switch {
	case !errors.As(err, &noMatch):
		return err
	case slices.Contains(noMatch.StanzaTypes, "scrypt"):
		return fmt.Errorf("it was encrypted with a passphrase, decrypt it with 'age -d': %w", ErrNoMatch)
	case slices.ContainsFunc(noMatch.StanzaTypes, func(t string) bool { return strings.HasPrefix(t, "ssh-") }):
		return fmt.Errorf("it was encrypted to a key of SSH, decrypt it with 'age -d -i': %w", ErrNoMatch)
	}
	return ErrNoMatch
}
