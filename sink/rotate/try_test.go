package rotate

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestTryLeavesNothingBehind(t *testing.T) {
	base := t.TempDir()
	o := Options{Dir: filepath.Join(base, "a", "b"), Name: "messages.journal"}
	if err := Try(o); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v, want nothing", left, err)
	}
}

func TestTryFindsTheLockTakenAndLeavesItThere(t *testing.T) {
	o := Options{Dir: t.TempDir(), Name: "messages.journal"}
	f, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := Try(o); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Try(o); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(o.stateDir(), "lock")); err != nil {
		t.Errorf("got %v, want the lock that was there", err)
	}
}

func TestTryDirKeepsWhatSomebodyPutThere(t *testing.T) {
	base := t.TempDir()
	undo, err := TryDir(filepath.Join(base, "a", "b"), 0o750)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(base, "a", "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(base, "a")); err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want the file alone", left, err)
	}
}

func TestTryReportsAFileInTheWay(t *testing.T) {
	base := t.TempDir()
	if err := os.WriteFile(filepath.Join(base, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Try(Options{Dir: filepath.Join(base, "file", "x"), Name: "messages.journal"}); err == nil {
		t.Error("got no error, want one")
	}
	if err := os.Mkdir(filepath.Join(base, "messages.journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Try(Options{Dir: base, Name: "messages.journal"}); !errors.Is(err, ErrNotRegular) {
		t.Errorf("got %v, want ErrNotRegular", err)
	}
}
