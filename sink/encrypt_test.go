package sink

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"hbjournal/sink/crypt"
	"hbjournal/sink/names"
	"hbjournal/sink/rotate"
)

// encryptsTo is the variable that tells a victim whom it encrypts to.
const encryptsTo = "VICTIM_ENCRYPTS_TO"

// encrypting has victims encrypt, and returns what reads their files.
func encrypting(t *testing.T) *crypt.Identities {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(id.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ids, err := crypt.ReadIdentities([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(encryptsTo, id.Recipient().String())
	return ids
}

// encryptingKills is how often TestKillWhileEncrypting kills: scripts/soak says more.
func encryptingKills(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("SOAK_KILLS"))
	if err != nil {
		return 60
	}
	return n
}

// TestKillWhileEncrypting kills a process again and again while it rotates and encrypts. After each kill only the live file
// and whole backups can be read, and with the key all entries are there, each once.
func TestKillWhileEncrypting(t *testing.T) {
	ids := encrypting(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	var dir string
	for i := range encryptingKills(t) {
		if i%10 == 0 { // Not all lives share one journal, which would grow too long to be read each time.
			dir = filepath.Join(t.TempDir(), "journal")
		}
		var numbers []int
		if i%10 > 0 {
			numbers = numbersBy(t, dir, ids)
		}
		killed(t, self, dir, len(numbers))
		wantNothingReadableBut(t, dir)
		after := numbersBy(t, dir, ids)
		checkRow(t, after)
		if len(after) < len(numbers) {
			t.Fatalf("kill %d: %d entries of %d are left", i, len(after), len(numbers))
		}
		states[stateOf(t, dir)]++
	}
	t.Logf("what the kills left: %v", states)
	if states["compressing"] == 0 {
		t.Error("no kill fell into the making of a copy")
	}
	before := numbersBy(t, dir, ids)
	j := open(t, victimOptions(dir))
	eventually(t, "all backups are encrypted", func() bool {
		return j.Stats().Unencrypted == 0 && !slices.ContainsFunc(backupsOf(t, dir), func(b names.Backup) bool { return b.Ending != ".gz.age" })
	})
	closeJournal(t, j)
	wantNothingReadableBut(t, dir)
	after := numbersBy(t, dir, ids)
	checkRow(t, after)
	check(t, "entries", len(after), len(before))
}

func backupsOf(t *testing.T, dir string) []names.Backup {
	t.Helper()
	backups, err := names.Backups(dir, "messages.journal")
	if err != nil {
		t.Fatal(err)
	}
	return backups
}

// wantNothingReadableBut wants nothing that can be read in the journal but the live file, plain backups that are whole, and
// torn tails in the state directory.
func wantNothingReadableBut(t *testing.T, dir string) {
	t.Helper()
	for _, b := range backupsOf(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, b.Name))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case b.Ending == "" && bytes.HasSuffix(text, []byte("\n")):
		case b.Ending == ".gz.age" && bytes.HasPrefix(text, []byte("age-encryption.org/v1\n")):
		default:
			t.Errorf("%s is neither a whole plain backup nor encrypted", b.Name)
		}
	}
	state := rotate.StateDir(dir, "messages.journal")
	entries, err := os.ReadDir(state)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(state, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		packed := bytes.HasPrefix(text, []byte("\x1f\x8b"))
		if packed || bytes.Contains(text, []byte("filler")) && !strings.HasPrefix(e.Name(), "torn-") {
			t.Errorf("%s in the state directory can be read", e.Name())
		}
	}
}

func TestBackupsAreEncryptedInTheBackgroundAndAllIsCounted(t *testing.T) {
	ids := encrypting(t)
	o := victimOptions(filepath.Join(t.TempDir(), "journal"))
	j := open(t, o)
	for n := range 3000 {
		logMessage(t, j, fmt.Sprintf(`{"n":%d,"text":"%s"}`, n, strings.Repeat("x", n%100)))
	}
	eventually(t, "all is written and encrypted", func() bool {
		s := j.Stats()
		return s.Queued == 0 && s.Backups > 5 && s.Encrypted == s.Rotations["size"]
	})
	numbers := numbersBy(t, o.Dir, ids)
	checkRow(t, numbers)
	check(t, "entries", len(numbers), 3000)
	s := j.Stats()
	check(t, "waiting", s.Unencrypted, 0)
	check(t, "age of what waits", s.UnencryptedAge, 0)
	check(t, "compressed", s.Compressed, s.Encrypted)
	check(t, "error", s.EncryptError, "")
}

// clocked is an Encrypter that notes when it was asked to encrypt.
type clocked struct {
	rotate.Encrypter
	begun chan time.Time
}

func (c clocked) Encrypt(dst io.Writer) (w io.WriteCloser, back func(io.Reader) (io.Reader, error), err error) {
	c.begun <- time.Now()
	return c.Encrypter.Encrypt(dst)
}

// TestEncryptionBeginsSoonAfterTheStartAndEachRotation measures by the clock when the encryption of a backup begins: of one that was
// there at the start, and of those of rotations.
func TestEncryptionBeginsSoonAfterTheStartAndEachRotation(t *testing.T) {
	const soon = 5 * time.Second
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, err := crypt.ParseRecipients([]string{id.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	old := filepath.Join(dir, "messages.journal.20260101-120000")
	if err := os.WriteFile(old, []byte(`{"timestamp":1767268800.000,"message":{}}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := clocked{recipients, make(chan time.Time, 16)}
	want := func(what string, since time.Time) {
		t.Helper()
		select {
		case at := <-c.begun:
			t.Logf("%s: %v", what, at.Sub(since))
			if at.Sub(since) > soon {
				t.Errorf("%s: encryption begins after %v, want %v at most", what, at.Sub(since), soon)
			}
		case <-time.After(2 * soon):
			t.Fatalf("%s: encryption does not begin", what)
		}
	}
	start := time.Now()
	j := open(t, Options{Dir: dir, Compress: "gzip", Encrypter: c})
	want("start", start)
	for n := range 3 {
		logMessage(t, j, fmt.Sprintf(`{"n":%d}`, n))
		eventually(t, "it is written", func() bool { return j.Stats().Queued == 0 })
		rotated := time.Now()
		if err := j.Rotate(); err != nil {
			t.Fatal(err)
		}
		want("rotation", rotated)
	}
}
