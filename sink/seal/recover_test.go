package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/seal"
)

func TestLinesBehindACloseAreNotTakenOver(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(50)
	w.close()
	appendTo(t, w.path(base), foreignLine)
	want := base + ":53: line was not written by the daemon" // 50, how the tree begins, and its close
	v := verify(t, w.dir, w.vkey)
	wantWords(t, texts(v), []string{want})
	w.open()
	w.send(10)
	w.sealed()
	v = verifyOnce(t, w.dir, w.vkey)
	wantWords(t, texts(v), []string{"fault", want})
	w.close()
	w.open()
	w.rotate()
	w.send(10)
	w.sealed()
	w.close()
	v = verify(t, w.dir, w.vkey)
	wantWords(t, texts(v), []string{":53: line was not written by the daemon"})
	if len(v.Faults) != 1 {
		t.Errorf("got %s", texts(v))
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLinesOfOthersWhileTheDaemonWritesAreNamed(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(50)
	w.sealed()
	appendTo(t, w.path(base), foreignLine)
	w.send(50)
	w.sealed()
	v := verifyOnce(t, w.dir, w.vkey)
	wantWords(t, texts(v), []string{base + ":52: line was not written by the daemon"})
	if len(v.Faults) != 1 {
		t.Errorf("got %s", texts(v))
	}
	w.close()
}

func TestTreeThatIsBrokenIsNeverGoneOnWith(t *testing.T) {
	for what, damage := range map[string]func(w *world){
		"cut": func(w *world) {
			text := readText(t, w.path(base))
			lines := slices.Collect(bytes.Lines(text))
			writeText(t, w.path(base), bytes.Join(lines[:len(lines)-5], nil))
		},
		"altered": func(w *world) {
			writeText(t, w.path(base), lineMutations["a letter of a line"].change(readText(t, w.path(base))))
		},
		"gone": func(w *world) { os.Remove(w.path(base)) },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			w.send(50)
			w.rotate()
			w.send(50)
			w.close()
			before := w.note()
			damage(w)
			w.open()
			w.until("begun anew", func() bool { return w.sealer.Figures().Origin == origin+"/2" && w.sealer.Figures().Sealed > 0 })
			w.send(20)
			w.until("sealed", func() bool { return w.sealer.Figures().Sealed > 20 })
			w.rotate()
			w.send(20)
			w.close()
			v := verify(t, w.dir, w.vkey)
			wantWords(t, texts(v), []string{"the seal was broken here", origin + "/2"})
			if len(v.Faults) != 1 {
				t.Errorf("got %s", texts(v))
			}
			v = verify(t, w.dir, w.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = []seal.Outside{{Name: "ck.txt", Note: before}} })
			wantWords(t, texts(v), []string{"ck.txt is of " + origin})
			w.open()
			w.send(5)
			w.close()
			if again := verify(t, w.dir, w.vkey); len(again.Faults) != 1 || again.Origin != origin+"/2" {
				t.Errorf("after another start: %s", texts(again))
			}
		})
	}
}

func TestDamagedStateIsMadeAnew(t *testing.T) {
	f := newFixture(t)
	for _, names := range [][]string{
		{"leaves"},
		{"tiles.1"},
		{"tiles.2"},
		{"edges"},
		{"files"},
		{"reserve"},
		{"leaves", "tiles.1", "tiles.2", "edges", "files", "reserve", "checkpoints"},
	} {
		w := *f.world
		w.dir = f.copied(t)
		w.opts.Dir = w.dir
		w.log = &logBuffer{}
		w.tune = func(o *seal.Options) { o.Decrypter = f.identities }
		for _, name := range names {
			os.RemoveAll(filepath.Join(w.sealDir(), name))
		}
		w.open()
		w.until("gone on", func() bool { return w.sealer.Figures().Sealed > 0 })
		w.send(20)
		w.until("written", func() bool { return w.journal.Stats().Queued == 0 })
		w.close()
		v := f.verify(t, w.dir)
		if len(v.Faults) > 0 {
			t.Fatalf("without %v: %s", names, texts(v))
		}
		if v.Origin != origin || v.Tail != 0 {
			t.Errorf("without %v: %+v\n%s", names, v, w.log.String())
		}
	}
}

func TestStateThatWasTakenAwayIsNotBegunAnew(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(10)
	w.close()
	os.RemoveAll(w.sealDir())
	w.open()
	w.send(10)
	w.until("said", func() bool { return strings.Contains(w.sealer.Figures().Error, "seal init") })
	w.close()
	if _, err := os.Stat(filepath.Join(w.sealDir(), "checkpoint")); err == nil {
		t.Error("there is a checkpoint")
	}
}

func TestOlderCheckpointDoesNotFork(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.send(50)
	w.close()
	old := w.note()
	w.open()
	w.send(50)
	w.close()
	newer := w.note()
	if err := os.WriteFile(filepath.Join(w.sealDir(), "checkpoint"), old, 0o640); err != nil {
		t.Fatal(err)
	}
	v := verify(t, w.dir, w.vkey)
	wantWords(t, texts(v), []string{"rolled back"})
	w.open()
	w.send(50)
	w.until("written", func() bool { return w.journal.Stats().Queued == 0 })
	w.close()
	v = verify(t, w.dir, w.vkey, func(o *seal.VerifyOptions) { o.Checkpoints = []seal.Outside{{Name: "ck.txt", Note: newer}} })
	if len(v.Faults) > 0 {
		t.Errorf("got %s", texts(v))
	}
	w.wantWhole()
}

func TestManyStartsInASecondVerify(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		w.open()
		w.send(i % 3)
		w.close()
		w.wantSound()
	}
	w.wantWhole()
}

func TestClockThatIsSetVerifies(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.opts.Now = func() time.Time { return now }
	w.tune = func(o *seal.Options) { o.Now = w.opts.Now }
	for _, by := range []time.Duration{0, -10 * 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour, 0} {
		now = time.Now().Add(by)
		w.open()
		w.send(20)
		w.rotate()
		w.send(20)
		w.close()
	}
	w.wantWhole()
	w.wantSound()
}
