package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rs/zerolog"

	"hbjournal/sink/crypt"
	"hbjournal/sink/names"
)

// keys are an Encrypter, and what reads its files.
type keys struct {
	*crypt.Recipients
	identities *crypt.Identities
}

func newKeys(t testing.TB) keys {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return keysOf(t, id)
}

func keysOf(t testing.TB, id *age.X25519Identity) keys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(id.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var k keys
	var err error
	if k.Recipients, err = crypt.ParseRecipients([]string{id.Recipient().String()}); err != nil {
		t.Fatal(err)
	}
	if k.identities, err = crypt.ReadIdentities([]string{path}, nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// encrypted returns text as a file of these keys.
func (k keys) encrypted(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, _, err := k.Encrypt(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// opened returns the text of a file, encrypted, compressed, or both.
func (k keys) opened(t *testing.T, path string) string {
	t.Helper()
	file := io.Reader(strings.NewReader(read(t, path)))
	b, ok := names.Parse(name, filepath.Base(path))
	check(t, path+" is a backup", ok, true)
	var err error
	if isEncrypted(b) {
		if file, err = k.identities.Decrypt(file); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	unpacker, err := Compression(strings.TrimSuffix(b.Ending, encrypted)).unpacker(file)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer unpacker.Close()
	text, err := io.ReadAll(unpacker)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return string(text)
}

func TestEncryptedBackupHoldsTheSameBytesModeAndTime(t *testing.T) {
	k := newKeys(t)
	for _, c := range []Compression{"", Gzip, Zstd} {
		t.Run("after "+string(c), func(t *testing.T) {
			log, said := logged()
			f := open(t, Options{
				Now: at("2026-03-28 12:00:00").now, Compression: c, Encrypter: k, FileMode: 0o604, OnRotate: ownTidier, Log: log,
			})
			text := journalText(5000)
			write(t, f, text)
			rotate(t, f)
			before, err := os.Stat(f.path + ".20260328-120000")
			if err != nil {
				t.Fatal(err)
			}
			f.Compress(nil)
			ending := ".20260328-120000" + string(c) + ".age"
			checkNames(t, f, "", ending)
			check(t, "text is the same", k.opened(t, f.path+ending) == text, true)
			after, err := os.Stat(f.path + ending)
			if err != nil {
				t.Fatal(err)
			}
			check(t, "mode", after.Mode(), before.Mode())
			check(t, "modification time", after.ModTime().Equal(before.ModTime()), true)
			check(t, "encrypted", f.Stats().Encrypted, 1)
			check(t, "compressed", f.Stats().Compressed, map[bool]uint64{true: 0, false: 1}[c == ""])
			check(t, "said", said("journal backup encrypted"), 1)
		})
	}
}

// TestBackupsOfBeforeTheSettingAreEncryptedToo: those that were compressed are encrypted as they are, and those of others
// stay as they are.
func TestBackupsOfBeforeTheSettingAreEncryptedToo(t *testing.T) {
	k := newKeys(t)
	dir := t.TempDir()
	path := filepath.Join(dir, name+".20260328-")
	put(t, path+"100000", "one\n")
	put(t, path+"110000.gz", gzipped(t, "two\n"))
	put(t, path+"120000.zst", zstdOf(t, "three\n"))
	put(t, path+"130000.zst.age", "of other keys")
	put(t, path+"140000.1", "renamed by logrotate\n")
	f := open(t, Options{Dir: dir, Compression: Zstd, Encrypter: k, OnRotate: ownTidier})
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-100000.zst.age", ".20260328-110000.gz.age", ".20260328-120000.zst.age",
		".20260328-130000.zst.age", ".20260328-140000.1")
	check(t, "plain", k.opened(t, path+"100000.zst.age"), "one\n")
	check(t, "gzip", k.opened(t, path+"110000.gz.age"), "two\n")
	check(t, "zstd", k.opened(t, path+"120000.zst.age"), "three\n")
	check(t, "of others", read(t, path+"130000.zst.age"), "of other keys")
	check(t, "renamed", read(t, path+"140000.1"), "renamed by logrotate\n")
	check(t, "encrypted", f.Stats().Encrypted, 3)
}

// TestCrashBetweenAnyTwoStepsOfEncryptingLosesDoublesAndShowsNothing makes, for each step, what a crash after it leaves, and
// looks at what the next start makes of that.
func TestCrashBetweenAnyTwoStepsOfEncryptingLosesDoublesAndShowsNothing(t *testing.T) {
	k := newKeys(t)
	const text = "one\ntwo\n"
	zst, gz := zstdOf(t, text), gzipped(t, text)
	whole := k.encrypted(t, zst)
	for after, leave := range map[string]func(plain, aside string){
		"the temporary file is made":             func(_, aside string) { put(t, aside, "") },
		"some of it is written":                  func(_, aside string) { put(t, aside, whole[:len(whole)/2]) },
		"all of it is written":                   func(_, aside string) { put(t, aside, whole) },
		"it is renamed":                          func(plain, _ string) { put(t, plain+".zst.age", whole) },
		"it is renamed, and its end is not sure": func(plain, _ string) { put(t, plain+".zst.age", whole[:len(whole)-5]) },
		"the plain file is removed":              func(plain, _ string) { put(t, plain+".zst.age", whole); os.Remove(plain) },
		"a start with another compression":       func(plain, _ string) { put(t, plain+".gz.age", k.encrypted(t, gz)) },
		"a compression without encryption":       func(plain, aside string) { put(t, aside, zst[:len(zst)/2]) },
		"its copy is renamed":                    func(plain, _ string) { put(t, plain+".zst", zst) },
		"its plain file is removed":              func(plain, _ string) { put(t, plain+".zst", zst); os.Remove(plain) },
		"a compressed file is encrypted": func(plain, _ string) {
			put(t, plain+".zst", zst)
			put(t, plain+".zst.age", whole)
			os.Remove(plain)
		},
		"a plain and a compressed file are there as well": func(plain, _ string) {
			put(t, plain+".zst", zst)
			put(t, plain+".zst.age", whole)
		},
	} {
		t.Run(after, func(t *testing.T) {
			dir := t.TempDir()
			plain := filepath.Join(dir, name+".20260328-120000")
			put(t, plain, text)
			if err := os.Mkdir(StateDir(dir, name), 0o750); err != nil {
				t.Fatal(err)
			}
			leave(plain, filepath.Join(StateDir(dir, name), "compressing"))
			f := open(t, Options{Dir: dir, Compression: Zstd, Encrypter: k, OnRotate: ownTidier})
			check(t, "files in the state directory at once: lock and reserve", len(shown(t, f.opts.stateDir())), 2)
			f.Tidy()
			f.Compress(nil)
			all := shown(t, dir)
			if len(all) != 2 || !strings.HasSuffix(all[1], ".age") {
				t.Fatalf("got files %q, want the live file and one encrypted backup", all)
			}
			check(t, "text", k.opened(t, f.path+all[1]), text)
			check(t, "error", f.Stats().EncryptErr, nil)
			check(t, "files in the state directory: lock and reserve", len(shown(t, f.opts.stateDir())), 2)
			f.Compress(nil)
			check(t, "backups", len(shown(t, dir)), 2)
			f.Tidy()
			check(t, "backups counted", f.Stats().Backups, 1)
		})
	}
}

// watched is an Encrypter that has all files looked at whenever something is written to it.
type watched struct {
	Encrypter
	look func()
}

func (w watched) Encrypt(dst io.Writer) (io.WriteCloser, func(io.Reader) (io.Reader, error), error) {
	to, back, err := w.Encrypter.Encrypt(writerFunc(func(b []byte) (int, error) {
		defer w.look()
		return dst.Write(b)
	}))
	return to, func(r io.Reader) (io.Reader, error) {
		w.look()
		return back(r)
	}, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestNothingReadableIsEverOnTheDiskButTheFileThatIsEncrypted looks at all files whenever something is written.
func TestNothingReadableIsEverOnTheDiskButTheFileThatIsEncrypted(t *testing.T) {
	k := newKeys(t)
	for _, c := range []Compression{"", Gzip, Zstd} {
		dir := t.TempDir()
		looked := 0
		look := func() {
			looked++
			for _, dir := range []string{dir, StateDir(dir, name)} {
				for _, ending := range shown(t, dir) {
					path := filepath.Join(dir, name+ending)
					if dir != filepath.Dir(path) || ending == ".20260328-120000" {
						continue
					}
					if _, err := os.Lstat(path); err != nil {
						path = filepath.Join(dir, ending)
					}
					text := read(t, path)
					if strings.Contains(text, "timestamp") || strings.HasPrefix(text, "\x1f\x8b") || strings.HasPrefix(text, "\x28\xb5\x2f\xfd") {
						t.Fatalf("%s can be read", path)
					}
				}
			}
		}
		f := open(t, Options{
			Dir: dir, Now: at("2026-03-28 12:00:00").now, Compression: c, Encrypter: watched{k, look}, OnRotate: ownTidier,
		})
		write(t, f, journalText(5000))
		rotate(t, f)
		f.Compress(nil)
		checkNames(t, f, "", ".20260328-120000"+string(c)+".age")
		if looked < 3 {
			t.Errorf("looked %d times, want to see it half done", looked)
		}
	}
}

// faulty is an Encrypter that fails, or makes files that do not hold what they should.
type faulty struct {
	Encrypter
	err    error
	change func([]byte) []byte
}

func (b faulty) Encrypt(dst io.Writer) (io.WriteCloser, func(io.Reader) (io.Reader, error), error) {
	if b.err != nil {
		return nil, nil, b.err
	}
	return b.Encrypter.Encrypt(writerFunc(func(p []byte) (int, error) {
		_, err := dst.Write(b.change(bytes.Clone(p)))
		return len(p), err
	}))
}

// TestBackupIsKeptUnlessItsEncryptedCopyReadsBackTheSame: it stays as it is, which is said, and is tried again later.
func TestBackupIsKeptUnlessItsEncryptedCopyReadsBackTheSame(t *testing.T) {
	k := newKeys(t)
	for what, b := range map[string]*faulty{
		"refused":           {Encrypter: k, err: errors.New("no entropy")},
		"a byte is changed": {Encrypter: k, change: func(p []byte) []byte { p[len(p)-1] ^= 1; return p }},
		"cut":               {Encrypter: k, change: func(p []byte) []byte { return p[:len(p)-1] }},
		"nothing is there":  {Encrypter: k, change: func(p []byte) []byte { return nil }},
	} {
		t.Run(what, func(t *testing.T) {
			log, said := logged()
			clock := at("2026-03-28 12:00:00")
			f := open(t, Options{Compression: Zstd, Encrypter: b, OnRotate: ownTidier, Now: clock.now, Log: log})
			write(t, f, "one\n")
			rotate(t, f)
			f.Compress(nil)
			f.Compress(nil)
			checkNames(t, f, "", ".20260328-120000")
			check(t, "files in the state directory: lock and reserve", len(shown(t, f.opts.stateDir())), 2)
			check(t, "warnings", said("cannot be encrypted"), 1)
			s := f.Stats()
			if s.EncryptErr == nil || s.CompressErr != nil || s.Unencrypted != 1 {
				t.Errorf("got %+v, want an error of encrypting and one that waits", s)
			}
			*b = faulty{Encrypter: k, change: func(p []byte) []byte { return p }}
			clock.at = clock.at.Add(firstCompressPause)
			f.Compress(nil)
			checkNames(t, f, "", ".20260328-120000.zst.age")
			check(t, "ends said", said("can be encrypted again"), 1)
			check(t, "error", f.Stats().EncryptErr, nil)
		})
	}
}

func TestForeignFileBesideAPlainBackupIsEncryptedBesideIt(t *testing.T) {
	k := newKeys(t)
	f := open(t, Options{Compression: Zstd, Encrypter: k, OnRotate: ownTidier})
	plain := f.path + ".20260328-120000"
	put(t, plain, "one\n")
	put(t, plain+".gz", gzipped(t, "another\n"))
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-120000.gz.age", ".20260328-120000.zst.age")
	check(t, "ours", k.opened(t, plain+".zst.age"), "one\n")
	check(t, "the other", k.opened(t, plain+".gz.age"), "another\n")
}

func TestDirectoryWithTheNameOfAnEncryptedBackupIsNotTouched(t *testing.T) {
	k := newKeys(t)
	f := open(t, Options{Compression: Zstd, Encrypter: k, OnRotate: ownTidier})
	plain := f.path + ".20260328-120000"
	put(t, plain, "one\n")
	if err := os.Mkdir(plain+".zst.age", 0o750); err != nil {
		t.Fatal(err)
	}
	f.Compress(nil)
	check(t, "plain", read(t, plain), "one\n")
	if f.Stats().EncryptErr == nil {
		t.Error("got no error in the figures")
	}
}

func TestWhatWaitsToBeEncryptedIsCountedFromItsRotationOrTheStart(t *testing.T) {
	k := newKeys(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, name+".20260101-120000"), "old\n")
	put(t, filepath.Join(dir, name+".20260102-120000.gz"), gzipped(t, "old\n"))
	clock := at("2026-03-28 12:00:00")
	may := false
	f := open(t, Options{
		Dir: dir, Compression: Zstd, Encrypter: k, OnRotate: ownTidier, Now: clock.now,
		MayEncrypt: func(string) bool { return may }, HoldBytes: 1 << 20, MaxBackups: 4,
	})
	want := func(when string, waits int, since string) {
		t.Helper()
		s := f.Stats()
		check(t, when+": waiting", s.Unencrypted, waits)
		check(t, when+": since", s.UnencryptedSince.Format(time.DateTime), since)
	}
	f.Compress(nil)
	want("at the start", 2, "2026-03-28 12:00:00")
	clock.at = clock.at.Add(time.Hour)
	write(t, f, "new\n")
	rotate(t, f)
	want("after a rotation", 3, "2026-03-28 12:00:00")
	f.Compress(nil)
	want("held", 3, "2026-03-28 12:00:00")
	if err := os.Remove(filepath.Join(dir, name+".20260101-120000")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, name+".20260102-120000.gz")); err != nil {
		t.Fatal(err)
	}
	f.Tidy()
	f.Compress(nil)
	want("when the old ones are gone", 1, "2026-03-28 13:00:00")
	may = true
	f.Compress(nil)
	want("when all are encrypted", 0, "0001-01-01 00:00:00")
}

func TestPrunedBackupWaitsNoMore(t *testing.T) {
	f := open(t, Options{
		Encrypter: newKeys(t), OnRotate: ownTidier, MaxBackups: 1, MayEncrypt: func(string) bool { return false }, HoldBytes: 1 << 20,
	})
	for i := range 3 {
		write(t, f, fmt.Sprintln(i))
		rotate(t, f)
	}
	f.Tidy()
	check(t, "waiting", f.Stats().Unencrypted, 1)
}

// TestNewestBackupIsEncryptedFirst also when it is rotated while an older one is being encrypted, which may take long.
func TestNewestBackupIsEncryptedFirst(t *testing.T) {
	k := newKeys(t)
	var f *File
	rotated := false
	note := func() {
		if !rotated {
			rotated = true
			write(t, f, "newest\n")
			rotate(t, f)
		}
	}
	var log bytes.Buffer
	f = open(t, Options{
		Encrypter: watched{k, note}, OnRotate: ownTidier, Now: at("2026-03-28 12:00:00").now, Log: zerolog.New(&log),
	})
	for _, stamp := range []string{"090000", "100000", "110000"} {
		put(t, f.path+".20260328-"+stamp, "one\n")
	}
	f.Compress(nil)
	var order []string
	for _, m := range regexp.MustCompile(`-(\d{6})\.age"`).FindAllStringSubmatch(log.String(), -1) {
		order = append(order, m[1])
	}
	check(t, "order", strings.Join(order, " "), "120000 110000 100000 090000")
	checkNames(t, f, "", ".20260328-090000.age", ".20260328-100000.age", ".20260328-110000.age", ".20260328-120000.age")
}

// told is a Holder that keeps what it was told.
type told struct{ lost []string }

func (h *told) Done(stamps []time.Time) int { return 0 }
func (h *told) Losing(backups []string)     { h.lost = append(h.lost, backups...) }

// TestEncryptionWaitsForAHolderAsFarAsItsBytesGo: the newest backups wait, those beyond are encrypted, and the Holder is told
// of each once, before.
func TestEncryptionWaitsForAHolderAsFarAsItsBytesGo(t *testing.T) {
	k := newKeys(t)
	holder := &told{}
	needed := true
	f := open(t, Options{
		Encrypter: k, OnRotate: ownTidier, Holder: holder, HoldBytes: 25, MayEncrypt: func(string) bool { return !needed },
	})
	for _, stamp := range []string{"090000", "100000", "110000"} {
		put(t, f.path+".20260328-"+stamp, "ten bytes\n")
	}
	f.Compress(nil)
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-090000.age", ".20260328-100000", ".20260328-110000")
	check(t, "told", strings.Join(holder.lost, " "), name+".20260328-090000")
	check(t, "waiting", f.Stats().Unencrypted, 2)
	needed = false
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-090000.age", ".20260328-100000.age", ".20260328-110000.age")
	check(t, "told in the end", len(holder.lost), 1)
	check(t, "waiting in the end", f.Stats().Unencrypted, 0)
}

func TestEncryptionWaitsForNobodyWithoutBytesToHold(t *testing.T) {
	holder := &told{}
	f := open(t, Options{
		Encrypter: newKeys(t), OnRotate: ownTidier, Holder: holder, MayEncrypt: func(string) bool { return false },
	})
	put(t, f.path+".20260328-090000", "ten bytes\n")
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-090000.age")
	check(t, "told", len(holder.lost), 0)
}

func TestEncryptedBackupsArePrunedAsOthersAre(t *testing.T) {
	k := newKeys(t)
	f := open(t, Options{Compression: Zstd, Encrypter: k, MaxBackups: 2, Now: at("2026-03-28 12:00:00").now})
	for range 5 {
		write(t, f, "one\n")
		rotate(t, f)
	}
	checkNames(t, f, "", ".20260328-120003.zst.age", ".20260328-120004.zst.age")
	check(t, "removed", f.Stats().Removed, 3)
}

func TestStoppedEncryptionLeavesTheBackupAndIsDoneNextTime(t *testing.T) {
	k := newKeys(t)
	stop := make(chan struct{})
	var stopped bool
	f := open(t, Options{
		Compression: Zstd, OnRotate: ownTidier, Now: at("2026-03-28 12:00:00").now,
		Encrypter: watched{k, func() {
			if !stopped {
				stopped = true
				close(stop)
			}
		}},
	})
	write(t, f, journalText(20_000))
	rotate(t, f)
	f.Compress(stop)
	checkNames(t, f, "", ".20260328-120000")
	check(t, "what is left in the state directory: lock and reserve", len(shown(t, f.opts.stateDir())), 2)
	check(t, "error", f.Stats().EncryptErr, nil)
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-120000.zst.age")
}

func BenchmarkEncryptBackup(b *testing.B) {
	text := strings.Repeat(journalText(50_000), 2)
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []Compression{"", Zstd} {
		b.Run(benchName(c), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			to := form{compression: c, encrypter: newKeys(b)}
			for b.Loop() {
				if _, err := to.write(io.Discard, pacedReader{strings.NewReader(text), new(pace)}, info); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchName(c Compression) string {
	return map[Compression]string{"": "alone", Zstd: "after zstd"}[c]
}
