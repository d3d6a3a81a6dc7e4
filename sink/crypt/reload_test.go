package crypt

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
)

// TestRecipientsAreReadAgain from their files; what is wrong there changes nothing.
func TestRecipientsAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recipients")
	old, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	next, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(old.Recipient().String())
	r, err := ParseRecipients([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	reads := func(id age.Identity) bool {
		t.Helper()
		var file bytes.Buffer
		w, _, err := r.Encrypt(&file)
		if err == nil {
			_, err = io.WriteString(w, "text")
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = age.Decrypt(&file, id)
		return err == nil
	}
	for _, wrong := range []string{"", "age1nothing", old.String()} {
		put(wrong)
		if err := r.Reload(); err == nil || !reads(old) || reads(next) {
			t.Errorf("%.10q: got error %v", wrong, err)
		}
	}
	put(next.Recipient().String())
	if err := r.Reload(); err != nil || reads(old) || !reads(next) {
		t.Errorf("got error %v, or the recipients of before", err)
	}
}
