// Package crypt encrypts backups to age recipients, and reads them with age identities.
//
//	plain ── compressed ──> Recipients.Encrypt ──> file          sink/rotate, by its interface Encrypter
//	file ──> Identities.Decrypt ── decompressed ──> lines        sink/journal/read, by its interface Decrypter
//
// The files are those of age (C2SP age.md), and any program that reads age reads them. Only native keys are taken, age1…
// and age1pq1…, as the age package recommends: no SSH keys, no plugins, which run programs, and no passphrases.
//
// Each file has a key of its own, which only its recipients can unwrap. Whoever writes a file remembers that key until it
// has read the file back and compared it; then it is forgotten, and nobody without an identity reads the file any more.
package crypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"filippo.io/age"
)

// maxKeyFile bounds a file of recipients or identities. A thousand recipients of the longest kind are 2 MB.
const maxKeyFile = 4 << 20

// Recipients are those whom each file is encrypted to.
type Recipients struct {
	texts []string

	mu  sync.Mutex
	all []age.Recipient
}

// ParseRecipients reads recipients: each text is one, or the path of a file with one a line, in which empty lines and
// those that begin with # do not count. It tries whether one file can be encrypted to all of them. The error is about
// all that is wrong, and repeats no secret that was given by mistake.
func ParseRecipients(texts []string) (*Recipients, error) {
	r := &Recipients{texts: texts}
	known := map[string]bool{}
	var errs []error
	for _, text := range texts {
		parsed, err := parseText(text)
		if err != nil {
			errs = append(errs, err)
		}
		for _, recipient := range parsed {
			if name := fmt.Sprint(recipient); !known[name] {
				known[name] = true
				r.all = append(r.all, recipient)
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return r, r.try()
}

// Reload reads the files of recipients again. If anything is wrong with them, all stay those who were, and the error says why.
func (r *Recipients) Reload() error {
	again, err := ParseRecipients(r.texts)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = again.all
	return nil
}

func (r *Recipients) current() []age.Recipient {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

func parseText(text string) ([]age.Recipient, error) {
	if isRecipient(text) {
		recipient, err := parseRecipient(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", short(text), err)
		}
		return []age.Recipient{recipient}, nil
	}
	if what := notNative(text); what != "" {
		return nil, errors.New(what)
	}
	return readRecipients(text)
}

// isRecipient reports whether text is meant as a recipient and not as a path.
func isRecipient(text string) bool { return strings.HasPrefix(strings.ToLower(text), "age1") }

func parseRecipient(text string) (age.Recipient, error) {
	parse := func(text string) (age.Recipient, error) { return age.ParseX25519Recipient(text) }
	if strings.HasPrefix(text, "age1pq1") {
		parse = func(text string) (age.Recipient, error) { return age.ParseHybridRecipient(text) }
	}
	recipient, err := parse(text)
	if err != nil {
		return nil, errors.New("no recipient: age-keygen prints one, age1... or age1pq1..., and each letter counts")
	}
	return recipient, nil
}

// short is as much of a recipient as people know it by.
func short(text string) string {
	const most = 20
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// notNative says what text is if it is a key that is not taken; "": it is none.
func notNative(text string) string {
	switch {
	case strings.Contains(text, "AGE-SECRET-KEY-"):
		return "a secret key (AGE-SECRET-KEY-...) stands where the public one belongs, which 'age-keygen -y' prints; take it away from here"
	case strings.HasPrefix(text, "ssh-"), strings.HasPrefix(text, "ecdsa-"):
		return "SSH keys are not taken: make a key by age-keygen, and give what it prints as public"
	case strings.Contains(text, "AGE-PLUGIN-"):
		return "keys of plugins are not taken: make a key by age-keygen, and give what it prints as public"
	}
	return ""
}

func readRecipients(path string) ([]age.Recipient, error) {
	text, err := readKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("read recipients: %w", err)
	}
	var all []age.Recipient
	var errs []error
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		recipient, err := parseRecipient(line)
		if what := notNative(line); what != "" {
			err = errors.New(what)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read recipients: %s:%d: %w", path, i+1, err))
			continue
		}
		all = append(all, recipient)
	}
	if len(all)+len(errs) == 0 {
		errs = append(errs, fmt.Errorf("read recipients: %s holds none: put one a line in it, age1... or age1pq1", path))
	}
	const most = 3 // A file that is something else altogether has a fault in each line.
	return all, errors.Join(errs[:min(most, len(errs))]...)
}

// readKeyFile reads a small regular file.
func readKeyFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := readBounded(file, path)
	return text, errors.Join(err, file.Close())
}

func readBounded(from io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxKeyFile+1))
	if err == nil && len(text) > maxKeyFile {
		err = fmt.Errorf("%s has more than %d MiB: it is no file of keys", name, maxKeyFile>>20)
	}
	return text, err
}

// try encrypts a little to all recipients, and reads it back.
func (r *Recipients) try() error {
	if len(r.all) == 0 {
		return errors.New("there is no recipient")
	}
	const text = "tried"
	var file bytes.Buffer
	w, reader, err := r.Encrypt(&file)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("try to encrypt: %w", err)
	}
	back, err := reader(&file)
	if err != nil {
		return fmt.Errorf("try to encrypt: %w", err)
	}
	got, err := io.ReadAll(back)
	if err == nil && string(got) != text {
		err = errors.New("what is read back is another text")
	}
	if err != nil {
		return fmt.Errorf("try to encrypt: %w", err)
	}
	return nil
}

// Len is how many different recipients there are.
func (r *Recipients) Len() int { return len(r.current()) }

// Encrypt begins a file that all recipients can read: what is written to w is encrypted into dst, and Close writes the end.
// back reads such a file without an identity, by the key that only it remembers.
func (r *Recipients) Encrypt(dst io.Writer) (w io.WriteCloser, back func(src io.Reader) (io.Reader, error), err error) {
	all := r.current()
	first := &witness{Recipient: all[0]}
	w, err = age.Encrypt(dst, append([]age.Recipient{first}, all[1:]...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("encrypt: %w", err)
	}
	return w, func(src io.Reader) (io.Reader, error) {
		return age.Decrypt(src, age.NewInjectedFileKeyIdentity(first.fileKey))
	}, nil
}

// A witness is a recipient that also remembers the key of the file. The file is the same as without it.
type witness struct {
	age.Recipient
	fileKey []byte
}

// WrapWithLabels implements age.RecipientWithLabels, since the labels say which recipients go together.
func (w *witness) WrapWithLabels(fileKey []byte) (stanzas []*age.Stanza, labels []string, err error) {
	w.fileKey = bytes.Clone(fileKey)
	if labeled, ok := w.Recipient.(age.RecipientWithLabels); ok {
		return labeled.WrapWithLabels(fileKey)
	}
	stanzas, err = w.Wrap(fileKey)
	return stanzas, nil, err
}
