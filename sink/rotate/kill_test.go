package rotate

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"

	"hbjournal/sink/crypt"
)

// The variables that make the test binary a process which kills itself: in which journal, at which step, and for whom it encrypts.
const (
	victimDir  = "ROTATE_VICTIM"
	victimStep = "ROTATE_KILL_AT"
	victimTo   = "ROTATE_ENCRYPTS_TO"
)

// runVictim rotates and encrypts until the step is taken for the n-th time.
func runVictim() error {
	recipients, err := crypt.ParseRecipients([]string{os.Getenv(victimTo)})
	if err != nil {
		return err
	}
	f, err := Open(Options{Dir: os.Getenv(victimDir), Name: name, Compression: Zstd, Encrypter: recipients, OnRotate: func() {}})
	if err != nil {
		return err
	}
	at, count, _ := strings.Cut(os.Getenv(victimStep), " ")
	left, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	f.step = func(step string) {
		if step != at {
			return
		}
		if left--; left == 0 {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		}
	}
	for range 10 {
		if _, err := f.Write([]byte(journalText(300))); err != nil {
			return err
		}
		if err := f.Rotate("test"); err != nil {
			return err
		}
		f.Tidy()
		f.Compress(nil)
	}
	return fmt.Errorf("%s was not taken so often", at)
}

// TestKillsAtEachStepOfEncryptingLoseAndShowNothing: 20 times each in a soak.
func TestKillsAtEachStepOfEncryptingLoseAndShowNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	k := keysOf(t, id)
	repeats := 2
	if n, err := strconv.Atoi(os.Getenv("SEAL_STEPS")); err == nil {
		repeats = n
	}
	for _, step := range []string{stepBegun, stepWritten, stepSynced, stepTold, stepNamed, stepSure, stepRemoved} {
		t.Run(step, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			for i := range repeats {
				cmd := exec.CommandContext(t.Context(), self)
				cmd.Env = append(os.Environ(), victimDir+"="+dir, victimStep+"="+step+" "+strconv.Itoa(1+i%3), victimTo+"="+id.Recipient().String())
				if out, err := cmd.CombinedOutput(); err == nil || strings.TrimSpace(string(out)) != "" {
					t.Fatalf("it did not kill itself: %v: %s", err, out)
				}
				wantNothingReadable(t, dir)
			}
			f := open(t, Options{Dir: dir, Compression: Zstd, Encrypter: k, OnRotate: ownTidier})
			f.Compress(nil)
			lines := 0
			for _, ending := range shown(t, dir) {
				if !strings.HasSuffix(ending, encrypted) {
					lines += strings.Count(read(t, f.path+ending), "\n")
					continue
				}
				lines += strings.Count(k.opened(t, f.path+ending), "\n")
			}
			if lines == 0 || lines%300 != 0 {
				t.Errorf("%d lines are there: some are missing or doubled", lines)
			}
			check(t, "waiting", f.Stats().Unencrypted, 0)
			check(t, "files in the state directory: lock and reserve", len(shown(t, f.opts.stateDir())), 2)
		})
	}
}

// wantNothingReadable wants nothing that can be read in a journal but its live file and whole plain backups.
func wantNothingReadable(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		isPlain := filepath.Dir(path) == dir && !strings.HasSuffix(path, encrypted)
		switch {
		case isPlain && (len(text) == 0 || bytes.HasSuffix(text, []byte("\n"))):
		case bytes.Contains(text, []byte("timestamp")), bytes.HasPrefix(text, []byte("\x28\xb5\x2f\xfd")):
			t.Errorf("%s can be read", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
