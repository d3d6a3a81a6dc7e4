package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const testName = "example.com/hb/site1"

// newKey makes a key in a file, and what verifies it.
func newKey(t *testing.T) (*Key, string) {
	t.Helper()
	secret, vkey, err := GenerateKey(testName)
	if err != nil {
		t.Fatal(err)
	}
	key, err := parseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key, vkey
}

func TestCheckpointIsVerifiedByItsKeyAlone(t *testing.T) {
	key, vkey := newKey(t)
	other, otherVKey := newKey(t)
	tree := newEdge(0, nil)
	tree.add(LeafHash([]byte("x")))
	c, err := key.signCheckpoint(testName, &tree)
	if err != nil {
		t.Fatal(err)
	}
	f := func(vkey string, note []byte, want error) {
		t.Helper()
		v, err := ReadVerifier(vkey)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.open(note)
		if !errors.Is(err, want) || err == nil && (got.Size != 1 || got.Root != tree.root() || got.Origin != testName) {
			t.Errorf("got %+v, %v; want %v", got, err, want)
		}
	}
	f(vkey, c.Note, nil)
	f(otherVKey, c.Note, ErrSignature)
	for i := range c.Note { // Any bit of it.
		flipped := append([]byte(nil), c.Note...)
		flipped[i] ^= 1 << (i % 8)
		if i >= len(c.Note)-3 {
			continue // The bits of the last letter that say nothing, and the end.
		}
		f(vkey, flipped, ErrSignature)
	}
	next, err := key.signCheckpoint(nextOrigin(testName), &tree)
	if err != nil {
		t.Fatal(err)
	}
	v := key.Verifier()
	if got, err := v.open(next.Note); err != nil || got.Origin != testName+"/2" {
		t.Errorf("the tree after a broken one: got %+v, %v", got, err)
	}
	both := &Key{name: testName, seeds: append(key.seeds, other.seeds...)}
	c, err = both.signCheckpoint(testName, &tree)
	if err != nil {
		t.Fatal(err)
	}
	f(vkey, c.Note, nil)
	f(otherVKey, c.Note, nil)
}

func TestKeyFilesThatCannotBeUsed(t *testing.T) {
	secret, vkey, _ := GenerateKey(testName)
	again, _, _ := GenerateKey("example.com/other")
	path := filepath.Join(t.TempDir(), "key")
	f := func(text string, mode os.FileMode, want string) {
		t.Helper()
		os.Remove(path)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		os.Chmod(path, mode)
		_, err := ReadKey(path)
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrKey) || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret[len(secret)-20:]) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
	f(secret+"\n", 0o600, "")
	f("# the key\n\n"+secret, 0o640, "")
	f(secret, 0o644, "everybody can read")
	f("", 0o600, "0 keys")
	f(vkey, 0o600, "not PRIVATE+KEY")
	f(secret+"\n"+again, 0o600, "two names")
	f(strings.Repeat("#", 70000), 0o600, "too long")
	for _, name := range []string{"", "a b", "a+b", "x/2"} {
		if _, _, err := GenerateKey(name); !errors.Is(err, ErrKey) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := ReadVerifier(secret); !errors.Is(err, ErrKey) {
		t.Errorf("a secret key is taken for a vkey: %v", err)
	}
}
