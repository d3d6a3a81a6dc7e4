package crypt

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// key is a pair of keys in their texts.
type key struct{ recipient, identity string }

func classic(t testing.TB) key {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key{id.Recipient().String(), id.String()}
}

func postQuantum(t testing.TB) key {
	t.Helper()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return key{id.Recipient().String(), id.String()}
}

// file puts text into a new file that only its owner may read.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func recipients(t testing.TB, texts ...string) *Recipients {
	t.Helper()
	r, err := ParseRecipients(texts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func identities(t testing.TB, keys ...key) *Identities {
	t.Helper()
	var paths []string
	for _, k := range keys {
		paths = append(paths, file(t, "# a comment\n\n"+k.identity+"\n"))
	}
	ids, err := ReadIdentities(paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// encrypted returns text encrypted to r, and what the writer of the file reads back.
func encrypted(t testing.TB, r *Recipients, text []byte) (encrypted, back []byte) {
	t.Helper()
	var file bytes.Buffer
	w, reader, err := r.Encrypt(&file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	from, err := reader(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if back, err = io.ReadAll(from); err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), back
}

// someText is text of so many bytes that does not repeat.
func someText(size int) []byte {
	text := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(text)
	return text
}

const chunk = 64 << 10

func TestFileIsReadByEachOfItsRecipientsAndByItsWriter(t *testing.T) {
	for name, keys := range map[string][]key{
		"classic":      {classic(t), classic(t)},
		"post-quantum": {postQuantum(t), postQuantum(t)},
		"alone":        {classic(t)},
	} {
		for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3*chunk + 7} {
			var texts []string
			for _, k := range keys {
				texts = append(texts, k.recipient)
			}
			text := someText(size)
			sealed, back := encrypted(t, recipients(t, texts...), text)
			if !bytes.Equal(back, text) {
				t.Errorf("%s, %d bytes: the writer reads back something else", name, size)
			}
			for _, k := range keys {
				ids := identities(t, classic(t), k)
				from, err := ids.Decrypt(bytes.NewReader(sealed))
				if err != nil {
					t.Fatalf("%s, %d bytes: %v", name, size, err)
				}
				if got, err := io.ReadAll(from); err != nil || !bytes.Equal(got, text) {
					t.Errorf("%s, %d bytes: got %d other bytes, error %v", name, size, len(got), err)
				}
				at, plain, err := ids.DecryptReaderAt(bytes.NewReader(sealed), int64(len(sealed)))
				if err != nil || plain != int64(size) {
					t.Fatalf("%s: got size %d, error %v; want %d", name, plain, err, size)
				}
				got := make([]byte, min(size, 100))
				if _, err := at.ReadAt(got, int64(size-len(got))); err != nil && err != io.EOF || !bytes.HasSuffix(text, got) {
					t.Errorf("%s, %d bytes: the end reads as something else, error %v", name, size, err)
				}
			}
		}
	}
}

// TestRememberingTheKeyAddsNothingToTheFile: the header has one stanza a recipient, as without it.
func TestRememberingTheKeyAddsNothingToTheFile(t *testing.T) {
	sealed, _ := encrypted(t, recipients(t, classic(t).recipient, classic(t).recipient), []byte("text"))
	if n := bytes.Count(sealed, []byte("\n-> ")); n != 2 {
		t.Errorf("got %d stanzas, want 2", n)
	}
}

func TestRecipientsComeAsTextsAndFromFiles(t *testing.T) {
	a, b, c := classic(t), classic(t), classic(t)
	path := file(t, "# operators\r\n"+b.recipient+"\r\n\r\n  "+c.recipient+"  \n"+a.recipient)
	r := recipients(t, a.recipient, path)
	if r.Len() != 3 {
		t.Errorf("got %d recipients, want 3: the one that is given twice counts once", r.Len())
	}
	sealed, _ := encrypted(t, r, []byte("text"))
	for _, k := range []key{a, b, c} {
		if _, err := identities(t, k).Decrypt(bytes.NewReader(sealed)); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsNoRecipientIsRefusedWithoutRepeatingSecrets(t *testing.T) {
	good := classic(t)
	for name, c := range map[string]struct {
		texts []string
		want  string
	}{
		"mixed kinds":             {[]string{good.recipient, postQuantum(t).recipient}, "can't mix post-quantum and classic"},
		"a letter is wrong":       {[]string{good.recipient[:20] + "b" + good.recipient[21:]}, "no recipient"},
		"cut":                     {[]string{good.recipient[:40]}, "no recipient"},
		"cut post-quantum":        {[]string{postQuantum(t).recipient[:1000]}, "no recipient"},
		"of a plugin":             {[]string{"age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"}, "no recipient"},
		"SSH":                     {[]string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJd good"}, "SSH keys are not taken"},
		"secret":                  {[]string{good.identity}, "secret key"},
		"a missing file":          {[]string{"/nowhere/recipients"}, "/nowhere/recipients"},
		"a directory":             {[]string{t.TempDir()}, "no regular file"},
		"an empty file":           {[]string{file(t, "# nobody\n")}, "holds none"},
		"a file of identities":    {[]string{file(t, good.identity+"\n")}, ":1: a secret key"},
		"a file with a bad line":  {[]string{file(t, good.recipient+"\nage1xyz\n")}, ":2: no recipient"},
		"a file of something":     {[]string{file(t, strings.Repeat("{}\n", 1000))}, ":1: no recipient"},
		"a file that is too long": {[]string{file(t, strings.Repeat("#\n", maxKeyFile))}, "more than 4 MiB"},
		"nobody":                  {nil, "no recipient"},
		"one of several":          {[]string{good.recipient, "/nowhere/recipients"}, "/nowhere/recipients"},
	} {
		r, err := ParseRecipients(c.texts)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v and error %v, want one with %q", name, r, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), good.identity[:30]) || len(err.Error()) > 800 {
			t.Errorf("%s: the error repeats the secret, or too much: %v", name, err)
		}
	}
}

func TestWhatIsNoIdentityIsRefusedWithWhatToDo(t *testing.T) {
	k := classic(t)
	for name, c := range map[string]struct{ text, want string }{
		"nothing":             {"", "no file of identities"},
		"a journal":           {`{"timestamp":1}`, "no file of identities"},
		"cut":                 {k.identity[:50], "no file of identities"},
		"recipients":          {k.recipient, "of recipients"},
		"a passphrase":        {"age-encryption.org/v1\n-> scrypt x 18\n", "'age -d FILE | hbjournal query --identity -'"},
		"a passphrase, armor": {"-----BEGIN AGE ENCRYPTED FILE-----\n", "'age -d FILE | hbjournal query --identity -'"},
		"SSH":                 {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3\n", "SSH"},
		"a plugin":            {"AGE-PLUGIN-YUBIKEY-1QQ\n", "plugin"},
		"too long":            {strings.Repeat("#\n", maxKeyFile), "more than 4 MiB"},
	} {
		path := file(t, c.text)
		_, err := ReadIdentities([]string{path}, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) && c.want != "" {
			t.Errorf("%s: got error %v, want one with %q and the path", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), k.identity[:30]) {
			t.Errorf("%s: the error repeats the secret: %v", name, err)
		}
	}
	if _, err := ReadIdentities([]string{"/nowhere/key"}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v, want one about the missing file", err)
	}
}

func TestIdentityComesFromStandardInputAndAPipe(t *testing.T) {
	k := classic(t)
	sealed, _ := encrypted(t, recipients(t, k.recipient), []byte("text"))
	ids, err := ReadIdentities([]string{Stdin}, strings.NewReader(k.identity+"\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ids.Decrypt(bytes.NewReader(sealed)); err != nil {
		t.Error(err)
	}
}

func TestIdentityThatEverybodyReadsIsToldOf(t *testing.T) {
	open, closed := file(t, "x"), file(t, "x")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := Exposed([]string{Stdin, closed, open, "/nowhere"}); len(got) != 1 || got[0] != open {
		t.Errorf("got %q, want only the file of mode 0644", got)
	}
}

func TestFileOfOthersIsTold(t *testing.T) {
	sealed, _ := encrypted(t, recipients(t, classic(t).recipient), []byte("text"))
	passphrase := sealedByAge(t, func() age.Recipient {
		r, err := age.NewScryptRecipient("open sesame")
		if err != nil {
			t.Fatal(err)
		}
		r.SetWorkFactor(10)
		return r
	}())
	ids := identities(t, classic(t), postQuantum(t))
	for name, file := range map[string][]byte{"to another": sealed, "with a passphrase": passphrase} {
		_, err := ids.Decrypt(bytes.NewReader(file))
		_, _, errAt := ids.DecryptReaderAt(bytes.NewReader(file), int64(len(file)))
		if !errors.Is(err, ErrNoMatch) || !errors.Is(errAt, ErrNoMatch) {
			t.Errorf("%s: got errors %v and %v, want ErrNoMatch", name, err, errAt)
		}
	}
}

func sealedByAge(t *testing.T, to age.Recipient) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := age.Encrypt(&file, to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, "text")
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestArmoredFileIsRead(t *testing.T) {
	k := classic(t)
	sealed, _ := encrypted(t, recipients(t, k.recipient), []byte("text"))
	var armored bytes.Buffer
	w := armor.NewWriter(&armored)
	_, err := w.Write(sealed)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	from, err := identities(t, k).Decrypt(&armored)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(from); err != nil || string(got) != "text" {
		t.Errorf("got %q, error %v", got, err)
	}
}

// TestDamagedFileNeverReadsAsWhole cuts a file at and about each chunk's edge, and flips bits all over it. What is read
// before the fault is the beginning of the text.
func TestDamagedFileNeverReadsAsWhole(t *testing.T) {
	k := classic(t)
	text := someText(2*chunk + 100)
	sealed, _ := encrypted(t, recipients(t, k.recipient), text)
	ids := identities(t, k)
	head := len(sealed) - len(text) - 3*16
	var damaged [][]byte
	for _, at := range []int{0, 1, head - 17, head, head + 1, head + chunk + 16, head + chunk + 17, head + 2*(chunk+16), len(sealed) - 1} {
		damaged = append(damaged, sealed[:at])
	}
	for i := range 200 {
		flipped := bytes.Clone(sealed)
		flipped[i*len(sealed)/200] ^= 1 << (i % 8)
		damaged = append(damaged, flipped)
	}
	damaged = append(damaged, append(bytes.Clone(sealed), 'x'))
	for i, file := range damaged {
		got, err := readThrough(ids, file)
		if err == nil || !bytes.HasPrefix(text, got) {
			t.Errorf("damage %d: got %d bytes and error %v, want an error after the text's beginning", i, len(got), err)
		}
		at, size, err := ids.DecryptReaderAt(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			continue
		}
		whole := make([]byte, size)
		if _, err := at.ReadAt(whole, 0); err == nil || err == io.EOF {
			t.Errorf("damage %d: read as whole at offsets", i)
		}
	}
}

func readThrough(ids *Identities, file []byte) ([]byte, error) {
	from, err := ids.Decrypt(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(from)
}

func FuzzDecrypt(f *testing.F) {
	k := classic(f)
	sealed, _ := encrypted(f, recipients(f, k.recipient), []byte("text"))
	ids := identities(f, k)
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Add([]byte(headOfArmor + "\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := readThrough(ids, file)
		_, size, errAt := ids.DecryptReaderAt(bytes.NewReader(file), int64(len(file)))
		if err == nil && errAt == nil && size != int64(len(got)) {
			t.Errorf("got %d bytes in one way and %d in the other", len(got), size)
		}
	})
}

// BenchmarkEncrypt has to give 300 MB/s and more on one core.
func BenchmarkEncrypt(b *testing.B) {
	r := recipients(b, classic(b).recipient, classic(b).recipient)
	text := someText(16 << 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		w, _, err := r.Encrypt(io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		_, err = w.Write(text)
		if err := errors.Join(err, w.Close()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadBack is the way back, as a copy is compared.
func BenchmarkReadBack(b *testing.B) {
	text := someText(16 << 20)
	var file bytes.Buffer
	w, back, err := recipients(b, classic(b).recipient).Encrypt(&file)
	if err != nil {
		b.Fatal(err)
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		from, err := back(bytes.NewReader(file.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, from); err != nil {
			b.Fatal(err)
		}
	}
}
