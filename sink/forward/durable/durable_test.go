package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestATextIsTheOldOrTheNewOneWhateverWasTorn(t *testing.T) {
	for _, first := range []string{"one", strings.Repeat("one", smallestSlot)} {
		wantOldOrNew(t, first)
	}
}

func wantOldOrNew(t *testing.T, first string) {
	path := filepath.Join(t.TempDir(), "slots")
	s, err := CreateSlots(path, []byte(first))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"two", "three is longer", "4"} {
		old, err := ReadSlots(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Write([]byte(text)), s.Sync()); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for cut := 0; cut <= len(after); cut += 97 {
			torn := append(append([]byte{}, after[:cut]...), before[cut:]...)
			_, got, err := readSlots(strings.NewReader(string(torn)))
			if err != nil || string(got) != text && string(got) != string(old) {
				t.Fatalf("cut at %d: got %q, %v; want %q or %q", cut, got, err, old, text)
			}
		}
		before = after
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, text, err := OpenSlots(path)
	if err != nil || string(text) != "4" {
		t.Fatalf("got %q, %v", text, err)
	}
	defer s.Close()
}

func TestSlotsThatCannotBeBelieved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slots")
	if _, _, err := OpenSlots(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: got %v", err)
	}
	for _, text := range []string{"", "\n", "1 x 00000000\n", strings.Repeat(" ", 2*smallestSlot), strings.Repeat("9", 3*smallestSlot), strings.Repeat("9", 3*largestSlot)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenSlots(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%.20q: got %v, want ErrDamaged", text, err)
		}
	}
	s, err := CreateSlots(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Write(make([]byte, smallestSlot)); !errors.Is(err, ErrRoom) {
		t.Errorf("a text that is longer than the slots: got %v, want ErrRoom", err)
	}
	if _, err := CreateSlots(path, make([]byte, MaxText+1)); !errors.Is(err, ErrRoom) {
		t.Errorf("a text that is longer than any slot: got %v, want ErrRoom", err)
	}
}

func TestALockIsHeldUntilItIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

func TestADirectoryIsMadeWithItsMode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := MakeDirectory(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: got %v, %v", d, info.Mode(), err)
		}
	}
}

func TestWhatIsNotDurableYetDoesNotTakeThePlaceOfWhatIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "slots")
	s, err := CreateSlots(path, []byte("durable"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := errors.Join(s.Write([]byte("durable")), s.Sync(), s.Write([]byte("torn 1")), s.Write([]byte("torn 2"))); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copy(text[s.slot*s.size:], make([]byte, s.size))
		if _, got, err := readSlots(strings.NewReader(string(text))); err != nil || string(got) != "durable" {
			t.Errorf("after a power cut: got %q, %v", got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, text, err = OpenSlots(path); err != nil || string(text) != "torn 2" {
			t.Fatalf("got %q, %v", text, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
