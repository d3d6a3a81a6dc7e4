package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ErrKey is wrapped by the errors about a key that cannot be used.
var ErrKey = errors.New("no usable key")

// maxKeyFile bounds what is read of a file that should hold keys.
const maxKeyFile = 64 << 10

// Key signs checkpoints. Its name is the origin of the tree. It is one key, or for the time of a change an old and a new
// one, which have one name and sign the same notes.
type Key struct {
	name  string
	seeds []ed25519.PrivateKey
}

// GenerateKey makes a key of this name: the text for a file that nobody else may read, and what verifies its signatures.
func GenerateKey(name string) (secret, vkey string, err error) {
	if err := checkName(name); err != nil {
		return "", "", err
	}
	return note.GenerateKey(rand.Reader, name)
}

// checkName returns what is wrong with the name of a key, which is to be the first line of a checkpoint.
func checkName(name string) error {
	if _, _, err := note.GenerateKey(zeros{}, name); err != nil || name == "" || strings.ContainsAny(name, "+ \t\r\n") {
		return fmt.Errorf("%w: the name %q has a space or a plus, or nothing; give one like example.com/journal/site1", ErrKey, name)
	}
	if _, n := splitOrigin(name); n > 1 {
		return fmt.Errorf("%w: the name %q ends like that of a tree which follows a broken one; give one that does not", ErrKey, name)
	}
	return nil
}

// zeros is a source for a key that is only made to try a name.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// ReadKey reads the key in the file at path, which symbolic links may lead to. Its error wraps ErrKey, or that of the
// system.
func ReadKey(path string) (*Key, error) {
	text, err := readKeyFile(path, true)
	if err != nil {
		return nil, fmt.Errorf("read sign key: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("read sign key %s: %w", path, err)
	}
	return key, nil
}

func readKeyFile(path string, secret bool) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: %s is no file", ErrKey, path)
	}
	if mode := info.Mode().Perm(); secret && worldReadable(info) {
		return "", fmt.Errorf("%w: everybody can read %s (mode %04o); take that away with chmod o= %s", ErrKey, path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err == nil && len(text) > maxKeyFile {
		err = fmt.Errorf("%w: %s is too long for a file of keys", ErrKey, path)
	}
	return string(text), err
}

func parseKey(text string) (*Key, error) {
	k := &Key{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		signer, err := note.NewSigner(line)
		if err != nil {
			return nil, fmt.Errorf("%w: a line is not PRIVATE+KEY+name+id+key, as 'hbjournal seal keygen' makes it", ErrKey)
		}
		if k.name != "" && k.name != signer.Name() {
			return nil, fmt.Errorf("%w: it has keys of two names, %s and %s; both must have one", ErrKey, k.name, signer.Name())
		}
		k.name = signer.Name()
		secret, err := base64.StdEncoding.DecodeString(strings.SplitN(line, "+", 5)[4]) // The name has no plus.
		if err != nil || len(secret) != 1+ed25519.SeedSize {
			return nil, fmt.Errorf("%w: a line has no Ed25519 key", ErrKey)
		}
		k.seeds = append(k.seeds, ed25519.NewKeyFromSeed(secret[1:]))
	}
	const most = 2 // an old one and a new one
	if len(k.seeds) == 0 || len(k.seeds) > most {
		return nil, fmt.Errorf("%w: it has %d keys; give one, or for a change the old and the new one", ErrKey, len(k.seeds))
	}
	return k, checkName(k.name)
}

// Name is the name of the key: the origin of the first tree that it signs.
func (k *Key) Name() string { return k.name }

// VKeys are the texts that verify what the key signs.
func (k *Key) VKeys() []string { return k.vkeys(k.name) }

func (k *Key) vkeys(origin string) []string {
	var all []string
	for _, seed := range k.seeds {
		vkey, err := note.NewEd25519VerifierKey(origin, seed.Public().(ed25519.PublicKey))
		if err != nil {
			continue // The names have been checked.
		}
		all = append(all, vkey)
	}
	return all
}

// sign signs a text whose signatures bear the name of origin.
func (k *Key) sign(origin, text string) ([]byte, error) {
	var signers []note.Signer
	for i, vkey := range k.vkeys(origin) {
		id := strings.Split(vkey, "+")[1]
		secret := base64.StdEncoding.EncodeToString(append([]byte{algorithmEd25519}, k.seeds[i].Seed()...))
		signer, err := note.NewSigner("PRIVATE+KEY+" + origin + "+" + id + "+" + secret)
		if err != nil {
			return nil, err
		}
		signers = append(signers, signer)
	}
	return note.Sign(&note.Note{Text: text}, signers...)
}

// algorithmEd25519 is the type of a key in its text.
const algorithmEd25519 = 1

// Verifier is what checkpoints are verified with. It also knows the trees that follow a broken one, whose names end in
// /2, /3.
type Verifier struct {
	name string
	keys []ed25519.PublicKey
}

// Verifier verifies what the key signs, or any of its two.
func (k *Key) Verifier() *Verifier {
	v := &Verifier{name: k.name}
	for _, seed := range k.seeds {
		v.keys = append(v.keys, seed.Public().(ed25519.PublicKey))
	}
	return v
}

// ReadVerifier makes a Verifier of a vkey (name+id+key), or of those in the file that is named. Its error wraps ErrKey.
func ReadVerifier(vkeyOrFile string) (*Verifier, error) {
	text := vkeyOrFile
	if _, err := note.NewVerifier(text); err != nil {
		text, err = readKeyFile(vkeyOrFile, false)
		if err != nil {
			return nil, fmt.Errorf("%w: %q is neither a vkey (name+id+key) nor a file that can be read: %w", ErrKey, vkeyOrFile, err)
		}
	}
	v := &Verifier{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := v.add(line); err != nil {
			return nil, err
		}
	}
	if len(v.keys) == 0 {
		return nil, fmt.Errorf("%w: %q has no line with a vkey (name+id+key)", ErrKey, vkeyOrFile)
	}
	return v, nil
}

func (v *Verifier) add(line string) error {
	if strings.HasPrefix(line, "PRIVATE+KEY+") {
		return fmt.Errorf("%w: this is the secret key; give what 'hbjournal seal keygen' has printed, the vkey", ErrKey)
	}
	parsed, err := note.NewVerifier(line)
	if err != nil {
		return fmt.Errorf("%w: a line is no vkey (name+id+key)", ErrKey)
	}
	if v.name != "" && v.name != parsed.Name() {
		return fmt.Errorf("%w: keys of two names, %s and %s; give those of one journal", ErrKey, v.name, parsed.Name())
	}
	public, err := base64.StdEncoding.DecodeString(strings.SplitN(line, "+", 3)[2])
	if err != nil || len(public) != 1+ed25519.PublicKeySize || public[0] != algorithmEd25519 {
		return fmt.Errorf("%w: a vkey is not of Ed25519", ErrKey)
	}
	v.name = parsed.Name()
	if !slices.ContainsFunc(v.keys, func(k ed25519.PublicKey) bool { return k.Equal(ed25519.PublicKey(public[1:])) }) {
		v.keys = append(v.keys, public[1:])
	}
	return nil
}

// Name is the name of the key.
func (v *Verifier) Name() string { return v.name }

// of are the verifiers for a tree; none: the tree is not one of this key.
func (v *Verifier) of(origin string) []note.Verifier {
	if base, n := splitOrigin(origin); origin != v.name && (base != v.name || n < 2) {
		return nil
	}
	var all []note.Verifier
	for _, key := range v.keys {
		vkey, err := note.NewEd25519VerifierKey(origin, key)
		if err != nil {
			return nil
		}
		verifier, err := note.NewVerifier(vkey)
		if err != nil {
			return nil
		}
		all = append(all, verifier)
	}
	return all
}

// splitOrigin takes the number off the name of a tree that follows a broken one: x/2 is the second tree of the key x.
func splitOrigin(origin string) (name string, number int) {
	i := strings.LastIndexByte(origin, '/')
	if i < 0 {
		return origin, 1
	}
	n, err := strconv.Atoi(origin[i+1:])
	if err != nil || n < 2 || strconv.Itoa(n) != origin[i+1:] || i == 0 {
		return origin, 1
	}
	return origin[:i], n
}

// nextOrigin is the name of the tree that follows a broken one.
func nextOrigin(origin string) string {
	name, n := splitOrigin(origin)
	return name + "/" + strconv.Itoa(n+1)
}
