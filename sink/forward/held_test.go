package forward

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
)

func TestAReceiverThatHoldsMoreThanTheJournalStopsTheOutput(t *testing.T) {
	dir := t.TempDir()
	opt := read.Options{Dir: dir, Base: "messages.journal"}
	first, second := strings.Repeat("a", 50)+"\n", strings.Repeat("b", 50)+"\n"
	file := filepath.Join(dir, opt.Base)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write(first + second)
	follower, err := read.Follow(opt, read.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	var block read.Block
	if err := follower.Read(t.Context(), &block); err != nil {
		t.Fatal(err)
	}
	held := Held{At: block.End(), Last: journal.LineHash([]byte(strings.TrimSpace(second)))}

	if err := CheckHeld(opt, held); err != nil {
		t.Errorf("the journal that was sent: %v", err)
	}
	for name, text := range map[string]string{
		"lost":     first,
		"replaced": first + strings.Repeat("c", 50) + "\n" + first,
	} {
		write(text)
		if err := CheckHeld(opt, held); !errors.Is(err, ErrStop) || !strings.Contains(err.Error(), "accept_rewind=true") {
			t.Errorf("%s: got %v, want ErrStop that names accept_rewind=true", name, err)
		}
	}
	write(second)
	if err := CheckHeld(opt, held); err != nil {
		t.Errorf("pruned: %v", err)
	}
}
