package streams

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hbjournal/sink/forward"
	"hbjournal/sink/rotate"
)

// eachEngine runs a test against each kind of server; a small one takes messages of 32 KiB only.
func eachEngine(t *testing.T, small bool, f func(t *testing.T, e engine)) {
	t.Run("NATS", func(t *testing.T) {
		args := natsArgs{}
		if small {
			args.MaxPayload = 32 << 10
		}
		f(t, newNATSOf(t, args))
	})
	t.Run("Kafka", func(t *testing.T) {
		e := newKafka(t)
		if small {
			e.options = "&max_message=32KiB"
		}
		f(t, e)
	})
}

func TestALineThatNoMessageHoldsIsPutAside(t *testing.T) {
	eachEngine(t, true, func(t *testing.T, e engine) {
		dir := t.TempDir()
		w := newWriter(t, dir, rotate.Options{})
		w.write(100)
		random := make([]byte, 40<<10)
		rand.NewChaCha8([32]byte{}).Read(random)
		from := netip.MustParseAddrPort("192.0.2.1:1")
		w.writeMessage(from, fmt.Appendf(nil, `{"ID":"BIG","x":%q}`, base64.StdEncoding.EncodeToString(random)))
		w.write(50)
		w.writeMessage(from, fmt.Appendf(nil, `{"ID":"CTL","x":"%s"}`, strings.Repeat(`\u0001`, 1<<20)))
		w.write(50)
		s := &sender{
			URL: e.url("poison"), Dir: dir, Journal: journalID, Receiver: "poison",
			Lines: int64(len(w.lines)), Batch: 64 << 10,
		}
		if err := s.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(s.dead) != 1 || s.dead[0] != w.lines[100] {
			t.Fatalf("%d lines were put aside, want the large one", len(s.dead))
		}
		var got []string
		for _, m := range e.messages(t, "poison") {
			if m.number != len(got) {
				if m.number != 101 || len(got) != 100 {
					t.Fatalf("a message begins with line %d after %d lines", m.number, len(got))
				}
				got = append(got, w.lines[100]) // The numbers go on as a gap.
			}
			got = append(got, m.lines...)
		}
		if !slices.Equal(got, w.lines) {
			t.Errorf("the stream and what was put aside are %d lines, want the %d of the journal", len(got), len(w.lines))
		}
	})
}

func TestAJournalIsFollowedWhileItIsRotatedAndCompressed(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) {
		dir := t.TempDir()
		w := newWriter(t, dir, rotate.Options{MaxBytes: 30 << 10, MaxBackups: 60, Compression: rotate.Zstd})
		const rounds, each = 40, 100
		s := &sender{
			URL: e.url("rotated"), Dir: dir, Journal: journalID, Receiver: "rotated",
			Lines: rounds * each, Batch: 8 << 10,
		}
		w.write(each)
		ended := make(chan error, 1)
		go func() { ended <- s.run(t.Context()) }()
		for range rounds - 1 {
			w.write(each)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		wantExactly(t, e.messages(t, "rotated"), journalID, w.lines)
		if n := len(backups(t, dir)); n < 20 {
			t.Errorf("%d backups, want many", n)
		}
	})
}

func TestAnotherJournalStopsTheOutput(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) {
		dir := t.TempDir()
		lines := writeJournal(t, dir, 20, rotate.Options{})
		one := &sender{
			URL: e.url("shared"), Dir: dir, Journal: journalID, Receiver: "shared",
			Lines: int64(len(lines)), Batch: 1 << 10,
		}
		if err := one.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		other := *one
		other.Journal = "another"
		err := other.run(t.Context())
		if !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "two receivers share a name") {
			t.Errorf("a foreign journal: got %v", err)
		}
		e.foreign(t, "shared")
		err = one.run(t.Context())
		if !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "another program") {
			t.Errorf("a message of another program: got %v", err)
		}
	})
}

func TestAJournalThatLostItsLastSecondStopsTheOutput(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) {
		dir := t.TempDir()
		lines := writeJournal(t, dir, 100, rotate.Options{})
		s := &sender{
			URL: e.url("lost"), Dir: dir, Journal: journalID, Receiver: "lost",
			Lines: int64(len(lines)), Batch: 1 << 10,
		}
		if err := s.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		live := filepath.Join(dir, base)
		kept := strings.Join(lines[:90], "\n") + "\n"
		if err := os.WriteFile(live, []byte(kept), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := s.run(t.Context()); !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "accept_rewind=true") {
			t.Errorf("the file is shorter: got %v", err)
		}
		other := strings.ReplaceAll(strings.Join(lines[90:], "\n"), "HTB", "NEW") + "\n"
		if err := os.WriteFile(live, []byte(kept+other+other), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := s.run(t.Context()); !errors.Is(err, forward.ErrStop) || !strings.Contains(err.Error(), "accept_rewind=true") {
			t.Errorf("other lines came to their place: got %v", err)
		}
		s.URL += "&accept_rewind=true"
		s.Lines = 110
		if err := s.run(t.Context()); err != nil {
			t.Errorf("accept_rewind=true: %v", err)
		}
	})
}

func TestWhoWasLeftBehindIsFenced(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) {
		dir := t.TempDir()
		lines := writeJournal(t, dir, 300, rotate.Options{})
		s := &sender{
			URL: e.url("fenced"), Dir: dir, Journal: journalID, Receiver: "fenced",
			Lines: 100, Batch: 2 << 10,
		}
		if err := s.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		zombie, _, err := s.open()
		if err != nil {
			t.Fatal(err)
		}
		defer zombie.Close()
		held, _, err := zombie.Position(t.Context(), journalID)
		if err != nil {
			t.Fatal(err)
		}
		s.Lines = 200 // Another process goes on, while the first one stands still.
		if err := s.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		// What it has in its hands begins where no message of the other one does, so that no id of a message betrays it.
		begins := make(map[int]bool)
		for _, m := range e.messages(t, "fenced") {
			begins[m.number] = true
		}
		number, at := int(held.Number), held.At
		for begins[number] {
			at.Offset += int64(len(lines[number])) + 1
			number++
		}
		late := forward.NewBatch(journalID, int64(number), at)
		next := at
		next.Offset += int64(len(lines[number])) + 1
		late.Add([]byte(lines[number]), at, next)
		for range 2 { // Nor the second time, when it has to find out first where the server stands.
			if receipt, err := zombie.Send(t.Context(), late); err == nil || receipt.Acked != 0 {
				t.Errorf("the one left behind stored %d lines, %v", receipt.Acked, err)
			}
		}
		s.Lines = int64(len(lines))
		if err := s.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantExactly(t, e.messages(t, "fenced"), journalID, lines)
	})
}

func TestTwoSendersOfOneNameStoreEachLineOnce(t *testing.T) {
	eachEngine(t, false, func(t *testing.T, e engine) {
		dir := t.TempDir()
		lines := writeJournal(t, dir, 1000, rotate.Options{})
		ended := make(chan error, 2)
		for range 2 {
			s := &sender{
				URL: e.url("twins"), Dir: dir, Journal: journalID, Receiver: "twins",
				Lines: int64(len(lines)), Batch: 4 << 10,
			}
			go func() { ended <- s.run(t.Context()) }()
		}
		for range 2 {
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
		wantExactly(t, e.messages(t, "twins"), journalID, lines)
	})
}
