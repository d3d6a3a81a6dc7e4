package rotate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// reserveOf opens a journal in dir for its record alone.
func reserveOf(t *testing.T, dir string) *File {
	t.Helper()
	f, err := Open(Options{Dir: dir, Name: "messages.journal"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func wantKept(t *testing.T, f *File, want string) {
	t.Helper()
	if got := f.Kept(); string(got) != want {
		t.Errorf("Kept: got %q, want %q", got, want)
	}
}

func keep(t *testing.T, f *File, record string) {
	t.Helper()
	if err := f.Keep([]byte(record), true); err != nil {
		t.Fatal(err)
	}
}

func TestNewestRecordIsKeptForTheNextOpen(t *testing.T) {
	dir := t.TempDir()
	want := ""
	for i := range 5 {
		f := reserveOf(t, dir)
		wantKept(t, f, want)
		for j := range i {
			want = fmt.Sprintf("record %d of %d", j, i)
			keep(t, f, want)
			wantKept(t, f, want)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f := reserveOf(t, dir)
	if err := f.Keep(bytes.Repeat([]byte("x"), 4000), false); err != nil {
		t.Errorf("Keep of the longest record: %v", err)
	}
	if f.Keep(bytes.Repeat([]byte("x"), 5000), false) == nil {
		t.Error("Keep of a record that is too long: got no error")
	}
	keep(t, f, "")
	wantKept(t, f, "")
}

func TestRecordThatWasTornLeavesTheOneBefore(t *testing.T) {
	for slot, damage := range map[string][]byte{"garbled": []byte("0000000000"), "half": bytes.Repeat([]byte{0}, 2000)} {
		t.Run(slot, func(t *testing.T) {
			dir := t.TempDir()
			f := reserveOf(t, dir)
			keep(t, f, "first")
			keep(t, f, "second")
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, ".messages.journal.d", "losses")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copy(text[bytes.Index(text, []byte("second"))-5:], damage)
			if err := os.WriteFile(path, text, 0o640); err != nil {
				t.Fatal(err)
			}
			f = reserveOf(t, dir)
			wantKept(t, f, "first")
			keep(t, f, "third")
			wantKept(t, f, "third")
		})
	}
}

func TestRecordIsKeptThoughItsDirectoryIsTakenAway(t *testing.T) {
	dir := t.TempDir()
	f := reserveOf(t, dir)
	keep(t, f, "first")
	if err := os.RemoveAll(filepath.Join(dir, ".messages.journal.d")); err != nil {
		t.Fatal(err)
	}
	if f.Keep([]byte("second"), false) == nil {
		t.Error("Keep without the directory: got no error")
	}
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	keep(t, f, "third")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantKept(t, reserveOf(t, dir), "third")
}

func FuzzParseSlot(f *testing.F) {
	f.Add(uint64(1), []byte(`{"lost":[]}`))
	f.Fuzz(func(t *testing.T, number uint64, record []byte) {
		gotNumber, got, ok := parseSlot(append(append(slotHeader(number, record), record...), "\n\n"...))
		if len(record) > 0xffff {
			return
		}
		if !ok || gotNumber != number || !bytes.Equal(got, record) {
			t.Errorf("got %d, %q, %v; want %d, %q", gotNumber, got, ok, number, record)
		}
		parseSlot(record)
	})
}
