package read

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"hbjournal/sink/crypt"
	"hbjournal/sink/journal"
	"hbjournal/sink/names"
)

// sealer is a key to encrypt to and to decrypt with.
type sealer struct {
	recipients *crypt.Recipients
	identities *crypt.Identities
}

func newSealer(t testing.TB) sealer {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, []byte(id.String()+"\n"))
	var s sealer
	s.recipients, err = crypt.ParseRecipients([]string{id.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	if s.identities, err = crypt.ReadIdentities([]string{path}, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// sealed returns data encrypted.
func (s sealer) sealed(t testing.TB, data []byte) []byte {
	t.Helper()
	var file bytes.Buffer
	w, _, err := s.recipients.Encrypt(&file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// sealedJournal is a journal of entries 0 to 60 in files of all kinds, ten in each.
func sealedJournal(t testing.TB, s sealer) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, backup(10)+".gz.age"), s.sealed(t, gzipped(t, entryLines(0, 10))))
	write(t, filepath.Join(dir, backup(20)), entryLines(10, 20))
	write(t, filepath.Join(dir, backup(30)+".age"), s.sealed(t, entryLines(20, 30)))
	write(t, filepath.Join(dir, backup(40)+".zst.age"), s.sealed(t, zstded(t, entryLines(30, 40))))
	write(t, filepath.Join(dir, backup(50)+".gz"), gzipped(t, entryLines(40, 50)))
	write(t, filepath.Join(dir, base), entryLines(50, 60))
	return dir
}

func TestEncryptedBackupsReadAsPlainOnesInEveryWay(t *testing.T) {
	s := newSealer(t)
	opt := Options{Dir: sealedJournal(t, s), Base: base, Decrypter: s.identities}
	numbers, faults := readAll(t, opt, nil)
	checkSequence(t, numbers, 0, 60)
	back := opt
	back.Reverse = true
	reversed, more := readAll(t, back, nil)
	slices.Reverse(reversed)
	checkSequence(t, reversed, 0, 60)
	for _, span := range [][2]int{{0, 5}, {5, 25}, {25, 35}, {35, 60}, {58, 60}} {
		for _, o := range []Options{opt, back} {
			o.Since, o.Until = atNumber(span[0]), atNumber(span[1])
			got, more := readAll(t, o, filterOf(t, o))
			slices.Sort(got)
			checkSequence(t, got, span[0], span[1])
			faults = append(faults, more...)
		}
	}
	result, err := Verify(t.Context(), VerifyOptions{Options: opt, Fault: func(f *CorruptError) { faults = append(faults, f) }})
	if err != nil || result.Entries != 60 || result.Files != 6 {
		t.Errorf("got %+v, error %v", result, err)
	}
	if faults = append(faults, more...); len(faults) > 0 {
		t.Errorf("got faults %v, want none", faults)
	}
}

func TestWithoutAnIdentityEachFileLeftOutIsNamedAndTheRestIsRead(t *testing.T) {
	s := newSealer(t)
	dir := sealedJournal(t, s)
	for name, decrypter := range map[string]Decrypter{"no identity": nil, "another identity": newSealer(t).identities} {
		for _, reverse := range []bool{false, true} {
			numbers, faults := readAll(t, Options{Dir: dir, Base: base, Reverse: reverse, Decrypter: decrypter}, nil)
			slices.Sort(numbers)
			if len(numbers) != 30 || numbers[0] != 10 || numbers[10] != 40 {
				t.Errorf("%s: got %v, want 10 to 20 and 40 to 60", name, numbers)
			}
			var left []string
			for _, f := range faults {
				if !errors.Is(f, ErrEncrypted) {
					t.Errorf("%s: got fault %v, want ErrEncrypted", name, f)
				}
				left = append(left, filepath.Base(f.Path))
			}
			slices.Sort(left)
			want := []string{backup(10) + ".gz.age", backup(30) + ".age", backup(40) + ".zst.age"}
			if !slices.Equal(left, want) {
				t.Errorf("%s: left out are %q, want %q", name, left, want)
			}
		}
	}
	_, faults := readAll(t, Options{Dir: dir, Base: base, Decrypter: newSealer(t).identities}, nil)
	if len(faults) == 0 || !errors.Is(faults[0], crypt.ErrNoMatch) {
		t.Errorf("got faults %v, want ErrNoMatch", faults)
	}
}

// TestOnlyFilesThatTheSelectionNeedsAreMissed has an encrypted backup a day: the names tell which days the others are of.
func TestOnlyFilesThatTheSelectionNeedsAreMissed(t *testing.T) {
	s := newSealer(t)
	dir := t.TempDir()
	const day = 24 * 60 * 60
	for n := range 10 {
		first := n * day
		write(t, filepath.Join(dir, backup(first+day)+".zst.age"), s.sealed(t, zstded(t, entryLines(first, first+10))))
	}
	write(t, filepath.Join(dir, base), entryLines(10*day, 10*day+10))
	for _, reverse := range []bool{false, true} {
		opt := Options{Dir: dir, Base: base, Reverse: reverse, Since: atNumber(4 * day), Until: atNumber(5*day - 1)}
		_, faults := readAll(t, opt, nil)
		var left []string
		for _, f := range faults {
			left = append(left, filepath.Base(f.Path))
		}
		slices.Sort(left)
		// The day itself, and those beside it as far as another zone could have its files' names.
		want := []string{backup(4*day) + ".zst.age", backup(5*day) + ".zst.age", backup(6*day) + ".zst.age"}
		if !slices.Equal(left, want) {
			t.Errorf("reverse %v: left out are %q, want %q", reverse, left, want)
		}
		opt = Options{Dir: dir, Base: base, Reverse: reverse, Since: atNumber(10*day + 90)}
		if _, faults := readAll(t, opt, nil); len(faults) > 0 {
			t.Errorf("reverse %v: got faults %v of a selection in the live file", reverse, faults)
		}
	}
}

func TestEncryptedFileAloneIsReadAtAnyOffset(t *testing.T) {
	s := newSealer(t)
	const entries = 100_000
	dir := t.TempDir()
	write(t, filepath.Join(dir, backup(entries)+".age"), s.sealed(t, entryLines(0, entries)))
	write(t, filepath.Join(dir, base), entryLines(entries, entries+1))
	size := sizeOf(t, filepath.Join(dir, backup(entries)+".age"))
	for _, reverse := range []bool{false, true} {
		var read atomic.Int64
		opt := Options{Dir: dir, Base: base, Decrypter: s.identities, Count: &read, Since: atNumber(entries - 10), Reverse: reverse}
		numbers, faults := readAll(t, opt, filterOf(t, opt))
		slices.Sort(numbers)
		checkSequence(t, numbers, entries-10, entries+1)
		if read.Load() > size/3 || len(faults) > 0 {
			t.Errorf("reverse %v: read %d bytes of %d, faults %v", reverse, read.Load(), size, faults)
		}
	}
}

// filterOf takes the entries of the time that o asks for.
func filterOf(t testing.TB, o Options) *journal.Filter {
	t.Helper()
	filter, err := journal.NewFilter(journal.FilterOptions{Since: o.Since, Until: o.Until})
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

func sizeOf(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestDamagedEncryptedFileIsAFaultOfItAndTheRestIsRead cuts and changes each kind of file. Whatever is read of it is the
// beginning of what it held.
func TestDamagedEncryptedFileIsAFaultOfItAndTheRestIsRead(t *testing.T) {
	s := newSealer(t)
	const entries = 3000 // That is some chunks of 64 KiB.
	plain := entryLines(10, entries)
	for ending, whole := range map[string][]byte{
		".age": s.sealed(t, plain), ".gz.age": s.sealed(t, gzipped(t, plain)), ".zst.age": s.sealed(t, zstded(t, plain)),
	} {
		for name, damage := range map[string]func([]byte) []byte{
			"cut by a byte":           func(b []byte) []byte { return b[:len(b)-1] },
			"cut in the middle":       func(b []byte) []byte { return b[:len(b)/2] },
			"cut behind the header":   func(b []byte) []byte { return b[:200] },
			"cut in the header":       func(b []byte) []byte { return b[:100] },
			"a bit of the header":     func(b []byte) []byte { return flipped(b, 60) },
			"a bit in the middle":     func(b []byte) []byte { return flipped(b, len(b)/2) },
			"a bit of the last bytes": func(b []byte) []byte { return flipped(b, len(b)-3) },
			"with more behind it":     func(b []byte) []byte { return append(bytes.Clone(b), "more"...) },
		} {
			t.Run(ending+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, backup(entries)+ending)
				write(t, filepath.Join(dir, backup(10)), entryLines(0, 10))
				write(t, path, damage(whole))
				write(t, filepath.Join(dir, base), entryLines(entries, entries+10))
				for _, reverse := range []bool{false, true} {
					numbers, faults := readAll(t, Options{Dir: dir, Base: base, Decrypter: s.identities, Reverse: reverse}, nil)
					slices.Sort(numbers)
					checkDamaged(t, numbers, entries)
					if len(faults) == 0 || slices.ContainsFunc(faults, func(f *CorruptError) bool { return f.Path != path }) {
						t.Errorf("reverse %v: got faults %v, want some of the file", reverse, faults)
					}
				}
			})
		}
	}
}

// checkDamaged wants the ten entries before and behind the damaged file, and of that only a beginning or, of a file that is
// read from its end, an end.
func checkDamaged(t *testing.T, numbers []int, entries int) {
	t.Helper()
	if len(numbers) < 20 || len(numbers) >= entries+10 {
		t.Fatalf("got %d entries, want from 20 up to less than %d", len(numbers), entries+10)
	}
	checkSequence(t, numbers[:10], 0, 10)
	checkSequence(t, numbers[len(numbers)-10:], entries, entries+10)
	if inner := numbers[10 : len(numbers)-10]; len(inner) > 0 && inner[0] != 10 && inner[len(inner)-1] != entries-1 {
		t.Errorf("got %d to %d of the damaged file", inner[0], inner[len(inner)-1])
	}
	for i := 1; i < len(numbers); i++ {
		if numbers[i] == numbers[i-1] {
			t.Fatalf("entry %d is there twice", numbers[i])
		}
	}
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 4
	return b
}

// TestNothingPlainIsLeftInTheTemporaryDirectory looks into the temporary files while a journal is read backwards, and while
// many are merged.
func TestNothingPlainIsLeftInTheTemporaryDirectory(t *testing.T) {
	s := newSealer(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	opt := Options{Dir: sealedJournal(t, s), Base: base, Decrypter: s.identities, Reverse: true}
	source, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	looked := 0
	for b := (Block{}); ; {
		if err := source.Read(t.Context(), &b); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		looked += lookInto(t, tmp)
	}
	root := t.TempDir()
	var all Options
	for n := range 2 * maxAwake {
		dir := filepath.Join(root, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, backup(10)+".zst.age"), s.sealed(t, zstded(t, entryLines(0, 10))))
		write(t, filepath.Join(dir, base), entryLines(10, 11))
		all.Journals = append(all.Journals, Journal{Dir: dir, Base: base})
	}
	all.Decrypter = s.identities
	merged, err := Open(all)
	if err != nil {
		t.Fatal(err)
	}
	defer merged.Close()
	for b := (Block{}); ; {
		if err := merged.Read(t.Context(), &b); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		looked += lookInto(t, tmp)
	}
	if looked == 0 {
		t.Error("no temporary file was seen")
	}
}

// lookInto reads the files that this process has open in dir, though they have no name there. It returns how many hold something.
func lookInto(t *testing.T, dir string) (found int) {
	t.Helper()
	links, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc:", err)
	}
	for _, link := range links {
		path := filepath.Join("/proc/self/fd", link.Name())
		if target, err := os.Readlink(path); err != nil || !strings.HasPrefix(target, dir) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil || len(text) == 0 {
			continue
		}
		found++
		if bytes.Contains(text, []byte("timestamp")) || bytes.Contains(text, []byte(magicZstd)) {
			t.Fatal("a temporary file holds lines")
		}
	}
	return found
}

func TestCoveredTextReadsBackAtAnyOffset(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "covered")
	if err != nil {
		t.Fatal(err)
	}
	covered := &cloaked{file: tempFile{file}}
	if covered.cloak, err = newCloak(); err != nil {
		t.Fatal(err)
	}
	defer covered.file.Close()
	text := entryLines(0, 1000)
	for rest, n := bytes.Clone(text), 1; len(rest) > 0; n++ {
		n = min(n, len(rest))
		if _, err := covered.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	for at := 0; at < len(text); at += 977 {
		got := make([]byte, min(100+at%37, len(text)-at))
		if _, err := covered.ReadAt(got, int64(at)); err != nil || !bytes.Equal(got, text[at:at+len(got)]) {
			t.Fatalf("at %d: got %q, error %v", at, got, err)
		}
	}
}

// TestFollowerWithoutAnIdentityMissesNothingOfTheFileThatItHasOpen: the live file that it reads becomes an encrypted backup.
func TestFollowerWithoutAnIdentityMissesNothingOfTheFileThatItHasOpen(t *testing.T) {
	s := newSealer(t)
	followWhile(t, "encrypted", func(t *testing.T, f *following, dir, live string) {
		for n := range 5 {
			appendTo(t, live, entryLines(20+n*10, 30+n*10))
			f.want(t, 20+n*10, 30+n*10)
			plain := filepath.Join(dir, backup(30+n*10))
			data, err := os.ReadFile(live)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(live)
			if err != nil {
				t.Fatal(err)
			}
			aside := filepath.Join(dir, ".aside")
			write(t, aside, s.sealed(t, zstded(t, data)))
			if err := os.Chtimes(aside, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, ".next"), nil)
			// All at once as far as the follower sees it.
			rename(t, live, plain)
			rename(t, aside, plain+".zst.age")
			remove(t, plain)
			rename(t, filepath.Join(dir, ".next"), live)
		}
		appendTo(t, live, entryLines(70, 80))
		f.want(t, 70, 80)
		f.wantNoMore(t)
	})
}

func TestFollowFromTheStartPassesEncryptedFilesAndSaysSo(t *testing.T) {
	s := newSealer(t)
	for _, since := range []time.Time{{}, start} {
		opt := Options{Dir: sealedJournal(t, s), Base: base, Since: since}
		f, err := Follow(opt, Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := map[string]bool{}
		var numbers []int
		r := NewReader(ctx, f, nil, func(fault *CorruptError) { left[fault.Path] = errors.Is(fault, ErrEncrypted) })
		for r.Next() {
			if numbers = append(numbers, numberOf(t, r.Entry())); numbers[len(numbers)-1] == 59 {
				cancel()
			}
		}
		cancel()
		if len(numbers) != 30 || len(left) != 3 {
			t.Errorf("got entries %v and left out %v", numbers, left)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFollowerWithAnIdentityGoesOnFromACursorInAnEncryptedFile(t *testing.T) {
	s := newSealer(t)
	for _, ending := range []string{".age", ".zst.age"} {
		dir := t.TempDir()
		live := filepath.Join(dir, base)
		write(t, live, entryLines(0, 1000))
		source, err := Open(Options{Dir: dir, Base: base})
		if err != nil {
			t.Fatal(err)
		}
		at := readEntries(t, source, 0, 500)
		data := entryLines(0, 1000)
		if ending == ".zst.age" {
			data = zstded(t, data)
		}
		write(t, filepath.Join(dir, names.OfBackup(base, start.Add(time.Hour))+ending), s.sealed(t, data))
		write(t, live, entryLines(1000, 1010))
		f, err := Follow(Options{Dir: dir, Base: base, Decrypter: s.identities}, at)
		if err != nil {
			t.Fatal(err)
		}
		readEntries(t, f, 500, 510)
	}
}
