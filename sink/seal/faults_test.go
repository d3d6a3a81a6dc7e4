package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/seal"
)

func TestNoRoomForTheSealHoldsUpNothing(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(50)
	w.sealed()
	// Whatever is to replace the checkpoint cannot be made.
	blocked := filepath.Join(w.sealDir(), "checkpoint.new")
	if err := os.MkdirAll(filepath.Join(blocked, "held"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.send(50)
	w.until("said", func() bool { return w.sealer.Figures().Error != "" })
	w.send(500)
	w.until("written", func() bool { return w.journal.Stats().Queued == 0 })
	if err := w.journal.Degraded(); err != nil {
		t.Errorf("the journal is degraded: %v", err)
	}
	if err := os.RemoveAll(blocked); err != nil {
		t.Fatal(err)
	}
	w.sealed()
	w.until("recovered", func() bool { return w.sealer.Figures().Error == "" })
	w.close()
	w.wantWhole()
	wantWords(t, w.log.String(), []string{"journal is not sealed at present; it goes on", "journal is sealed again"})
}

// TestFilesSmallerThanTheNotesEndByThemselves: the notes of the seal must not keep rotations and removals going that make more of
// them.
func TestFilesSmallerThanTheNotesEndByThemselves(t *testing.T) {
	w := newWorld(t)
	w.opts.MaxBytes, w.opts.MaxBackups = 400, 1
	w.open()
	w.send(20)
	w.sealed()
	rotations := func() (n uint64) {
		for _, of := range w.journal.Stats().Rotations {
			n += of
		}
		return n
	}
	w.until("quiet", func() bool {
		before := rotations()
		<-time.After(1500 * time.Millisecond)
		return rotations() == before
	})
	w.close()
	w.wantSound()
}

func TestFilesThatOthersRenameStaySealed(t *testing.T) {
	w := newWorld(t)
	w.open()
	for i := range 3 {
		w.send(60)
		w.until("written", func() bool { return w.journal.Stats().Queued == 0 })
		// As logrotate does.
		if err := os.Rename(w.path(base), w.path("messages.journal.20200101-00000"+string(rune('0'+i))+".1")); err != nil {
			t.Fatal(err)
		}
		if err := w.journal.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	w.send(10)
	w.sealed()
	w.close()
	w.wantWhole()
	w.wantSound()
	w.open()
	w.send(10)
	w.close()
	w.wantWhole()
	w.wantSound()
}

func TestLiveFileThatIsCutWhileItIsWrittenBreaksTheSeal(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(60)
	w.sealed()
	if err := os.Truncate(w.path(base), 0); err != nil {
		t.Fatal(err)
	}
	w.send(10)
	w.until("begun anew", func() bool { return w.sealer.Figures().Origin == origin+"/2" && w.sealer.Figures().Sealed > 0 })
	w.send(10)
	w.close()
	v := verify(t, w.dir, w.vkey)
	wantWords(t, texts(v), []string{"the seal was broken here: messages.journal was cut"})
	if len(v.Faults) != 1 {
		t.Errorf("got %s", texts(v))
	}
}

func TestChangeOfTheKeyIsSignedByBoth(t *testing.T) {
	w := newWorld(t)
	secretOld, _, _ := seal.GenerateKey(origin)
	secretNew, vkeyNew, _ := seal.GenerateKey(origin)
	use := func(text string) {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var err error
		if w.key, err = seal.ReadKey(path); err != nil {
			t.Fatal(err)
		}
	}
	run := func() {
		w.open()
		w.send(30)
		w.close()
	}
	use(secretOld + "\n")
	run()
	before := w.note()
	use(secretNew + "\n")
	w.open()
	w.until("refused", func() bool { return strings.Contains(w.sealer.Figures().Error, "not signed by the key") })
	w.send(5)
	w.close()
	if !bytes.Equal(w.note(), before) {
		t.Error("a key that has not signed the last checkpoint signs on")
	}
	use(secretOld + "\n" + secretNew + "\n")
	run()
	use(secretNew + "\n")
	run()
	w.vkey = vkeyNew
	v := verify(t, w.dir, w.vkey)
	// Lines of the run that was refused came after a close, so nobody vouches for them.
	if len(v.Faults) != 5 || v.Origin != origin {
		t.Errorf("got %s", texts(v))
	}
}

func TestStateTakesLittleRoom(t *testing.T) {
	w := newWorld(t)
	w.opts.Compress = "gzip"
	w.open()
	w.send(30_000)
	w.sealed()
	w.rotate()
	w.send(30_000)
	w.sealed()
	w.close()
	size := func(sub string) (n int64) {
		filepath.WalkDir(filepath.Join(w.sealDir(), sub), func(_ string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				info, _ := d.Info()
				n += info.Size()
			}
			return err
		})
		return n
	}
	lines := int64(len(bytes.Split(readText(t, w.path(base)), []byte("\n"))))
	if got := size("leaves"); got > 33*(lines+60_000) {
		t.Errorf("leaves take %d bytes for %d lines", got, lines)
	}
	if got := size("tiles.1") + size("tiles.2") + size("edges") + size("files"); got > 60_000 {
		t.Errorf("what stays for ever takes %d bytes for 60,000 lines", got)
	}
}
