package rotate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hbjournal/sink/names"
)

// ownTidier keeps a File from tidying up by itself, so that a test decides when.
func ownTidier() {}

// journalText is n lines as a journal holds them: half of them heartbeats, half of them of a plugin.
func journalText(n int) string {
	var b strings.Builder
	for i := range n {
		millis := int64(1711234567123) + int64(i)*5
		fmt.Fprintf(&b, `{"timestamp":%d.%03d,"datetime":"%s","source_ip":"192.168.%d.%d","source_port":50003,"message":`,
			millis/1000, millis%1000, time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05"), i%7, i%250)
		if i%2 == 0 {
			fmt.Fprintf(&b, `{"ID":"HTB","name":"webserver%d","interval":30,"ver":1}}`+"\n", i%250)
		} else {
			fmt.Fprintf(&b, `{"ID":"PLG","plugin":"cpu_monitor","name":"webserver%d","cpu_percent":%d.%d,"load_1min":%d.%02d,`+
				`"load_5min":%d.%02d,"cores":[%d.1,%d.7,%d.3],"uptime":%d}}`+"\n",
				i%250, i*7%100, i%10, i%4, i*13%100, i%3, i*17%100, i*3%100, i*5%100, i*11%100, 100000+i)
		}
	}
	return b.String()
}

// unpacked reads a compressed file with the programs that people read it with.
func unpacked(t *testing.T, path string) string {
	t.Helper()
	tool := map[string]string{".gz": "zcat", ".zst": "zstdcat"}[filepath.Ext(path)]
	if _, err := exec.LookPath(tool); err != nil {
		t.Skip("no", tool)
	}
	text, err := exec.Command(tool, path).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", tool, path, err)
	}
	return string(text)
}

func TestCompressedBackupHoldsTheSameBytesModeAndTime(t *testing.T) {
	for _, c := range []Compression{Gzip, Zstd} {
		t.Run(string(c), func(t *testing.T) {
			f := open(t, Options{Now: at("2026-03-28 12:00:00").now, Compression: c, FileMode: 0o604, OnRotate: ownTidier})
			text := journalText(5000)
			write(t, f, text)
			rotate(t, f)
			before, err := os.Stat(f.path + ".20260328-120000")
			if err != nil {
				t.Fatal(err)
			}
			f.Compress(nil)
			checkNames(t, f, "", ".20260328-120000"+string(c))
			packed := f.path + ".20260328-120000" + string(c)
			check(t, "text", unpacked(t, packed), text)
			after, err := os.Stat(packed)
			if err != nil {
				t.Fatal(err)
			}
			check(t, "mode", after.Mode(), before.Mode())
			check(t, "modification time", after.ModTime().Equal(before.ModTime()), true)
			s := f.Stats()
			check(t, "compressed", s.Compressed, 1)
			check(t, "bytes before", s.CompressedFrom, uint64(len(text)))
			check(t, "bytes after", s.CompressedTo, uint64(after.Size()))
		})
	}
}

func TestRotationByItselfCompresses(t *testing.T) {
	f := open(t, Options{Now: at("2026-03-28 12:00:00").now, Compression: Gzip})
	write(t, f, "one\n")
	rotate(t, f)
	checkNames(t, f, "", ".20260328-120000.gz")
}

func TestStoppedCompressionLeavesThePlainBackupAndIsDoneNextTime(t *testing.T) {
	f := open(t, Options{Now: at("2026-03-28 12:00:00").now, Compression: Zstd, OnRotate: ownTidier})
	write(t, f, strings.Repeat(journalText(1000), 100))
	rotate(t, f)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Compress(stop)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if info, err := os.Stat(f.packedPath(0)); err == nil && info.Size() > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the compression did not begin")
		}
	}
	close(stop)
	stopped := time.Now()
	<-done
	if took := time.Since(stopped); took > time.Second {
		t.Errorf("stopping took %v", took)
	}
	checkNames(t, f, "", ".20260328-120000")
	check(t, "what is left in the state directory: lock and reserve", len(shown(t, f.opts.stateDir())), 2)
	check(t, "error", f.Stats().CompressErr, nil)
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-120000.zst")
}

func TestLiveFileWithABackupsNameIsNotCompressed(t *testing.T) {
	f := open(t, Options{Compression: Gzip, OnRotate: ownTidier})
	write(t, f, "one\n")
	if err := os.Link(f.path, f.path+".20260328-120000"); err != nil {
		t.Skip("no hard links:", err)
	}
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-120000")
}

// TestCrashBetweenAnyTwoStepsLosesAndDoublesNothing makes, for each step of a compression, what a crash after it
// leaves, and looks at what the next start makes of that.
func TestCrashBetweenAnyTwoStepsLosesAndDoublesNothing(t *testing.T) {
	const text = "one\ntwo\n"
	packed := gzipped(t, text)
	for after, leave := range map[string]func(plain, aside string){
		"the temporary file is made":      func(_, aside string) { put(t, aside, "") },
		"some of it is written":           func(_, aside string) { put(t, aside, packed[:len(packed)/2]) },
		"all of it is written":            func(_, aside string) { put(t, aside, packed) },
		"it is renamed":                   func(plain, _ string) { put(t, plain+".gz", packed) },
		"the plain file is removed":       func(plain, _ string) { put(t, plain+".gz", packed); os.Remove(plain) },
		"a start with another setting":    func(plain, _ string) { put(t, plain+".zst", zstdOf(t, text)) },
		"a write of the next compression": func(plain, aside string) { put(t, plain+".gz", packed); put(t, aside, "x") },
	} {
		t.Run(after, func(t *testing.T) {
			dir := t.TempDir()
			plain := filepath.Join(dir, name+".20260328-120000")
			put(t, plain, text)
			if err := os.Mkdir(StateDir(dir, name), 0o750); err != nil {
				t.Fatal(err)
			}
			leave(plain, filepath.Join(StateDir(dir, name), "compressing"))
			f := open(t, Options{Dir: dir, Compression: Gzip, OnRotate: ownTidier})
			f.Tidy()
			f.Compress(nil)
			all := shown(t, dir)
			if len(all) != 2 || !strings.HasPrefix(all[1], ".20260328-120000.") {
				t.Fatalf("got files %q, want the live file and one compressed backup", all)
			}
			check(t, "text", unpacked(t, f.path+all[1]), text)
			check(t, "files in the state directory: lock and reserve", len(shown(t, f.opts.stateDir())), 2)
		})
	}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	put(t, path, text)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Zstd.pack(&b, strings.NewReader(text), info); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPlainBackupGoesOnlyForAWholeCopyOfIt: whatever else has the copy's name, both files stay.
func TestPlainBackupGoesOnlyForAWholeCopyOfIt(t *testing.T) {
	const text = "one\ntwo\n"
	whole := gzipped(t, text)
	for what, copied := range map[string]string{
		"empty":                    "",
		"cut":                      whole[:len(whole)-20],
		"without its checksum":     whole[:len(whole)-8],
		"without its last byte":    whole[:len(whole)-1],
		"with another text":        gzipped(t, "one\nTWO\n"),
		"with a shorter text":      gzipped(t, "one\n"),
		"with a longer text":       gzipped(t, "one\ntwo\nthree\n"),
		"with one bit changed":     whole[:len(whole)-6] + string(whole[len(whole)-6]^1) + whole[len(whole)-5:],
		"not compressed at all":    text,
		"followed by other things": whole + "x",
	} {
		t.Run(what, func(t *testing.T) {
			log, said := logged()
			f := open(t, Options{Compression: Gzip, OnRotate: ownTidier, Log: log})
			plain := f.path + ".20260328-120000"
			put(t, plain, text)
			put(t, plain+".gz", copied)
			f.Compress(nil)
			f.Compress(nil)
			check(t, "plain", read(t, plain), text)
			check(t, "copy", read(t, plain+".gz"), copied)
			check(t, "warnings", said("cannot be compressed"), 1)
			if f.Stats().CompressErr == nil {
				t.Error("got no error in the figures")
			}
		})
	}
}

func TestFailedCompressionIsTriedAgainLater(t *testing.T) {
	log, said := logged()
	c := at("2026-03-28 12:00:00")
	f := open(t, Options{Compression: Gzip, OnRotate: ownTidier, Now: c.now, Log: log})
	write(t, f, "one\n")
	rotate(t, f)
	blocked := f.path + ".20260328-120000.gz"
	if err := os.Mkdir(blocked, 0o750); err != nil {
		t.Fatal(err)
	}
	f.Compress(nil)
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-120000")
	c.at = c.at.Add(firstCompressPause)
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-120000.gz")
	check(t, "beginnings said", said("cannot be compressed"), 1)
	check(t, "ends said", said("can be compressed again"), 1)
	check(t, "error", f.Stats().CompressErr, nil)
}

func TestBackupThatCannotBeCompressedDoesNotHoldUpTheOthers(t *testing.T) {
	log, said := logged()
	c := at("2026-03-28 12:00:00")
	f := open(t, Options{Compression: Gzip, OnRotate: ownTidier, Now: c.now, Log: log})
	put(t, f.path+".20260328-100000", "one\n")
	put(t, f.path+".20260328-100000.gz", "foreign\n")
	for _, hour := range []string{"110000", "113000"} {
		put(t, f.path+".20260328-"+hour, "one\n")
		f.Compress(nil)
	}
	checkNames(t, f, "", ".20260328-100000", ".20260328-100000.gz", ".20260328-110000.gz", ".20260328-113000.gz")
	check(t, "warnings", said("cannot be compressed"), 1)
	if err := f.Stats().CompressErr; err == nil || !strings.Contains(err.Error(), "20260328-100000.gz") {
		t.Errorf("got error %v, want one that names the foreign file", err)
	}
}

func TestCompressionLeavesTheRoomThatIsToStayFree(t *testing.T) {
	f := open(t, Options{Compression: Gzip, OnRotate: ownTidier, MinFreeBytes: 1 << 60})
	put(t, f.path+".20260328-120000", "one\n")
	f.Compress(nil)
	checkNames(t, f, "", ".20260328-120000")
	if err := f.Stats().CompressErr; err == nil || !strings.Contains(err.Error(), "free on the disk") {
		t.Errorf("got error %v, want one about free bytes", err)
	}
}

// TestBackupThatIsTakenAwayWhileItIsCompressed: a copy is published only for the file that it was made of.
func TestBackupThatIsTakenAwayWhileItIsCompressed(t *testing.T) {
	for how, take := range map[string]func(f *File, plain string){
		"pruned":   func(f *File, _ string) { f.Tidy() },
		"renamed":  func(_ *File, plain string) { move(t, plain, plain+".1") },
		"replaced": func(_ *File, plain string) { replace(t, plain, "two\n") },
		"changed":  func(_ *File, plain string) { appendTo(t, plain, "more\n") },
	} {
		t.Run(how, func(t *testing.T) {
			f := open(t, Options{Compression: Gzip, OnRotate: ownTidier, MaxBackups: 1})
			plain := f.path + ".20260328-120000"
			put(t, plain, "one\n")
			put(t, f.path+".20260328-130000.gz", gzipped(t, "newer\n"))
			source, info, err := openPlain(plain)
			if err != nil {
				t.Fatal(err)
			}
			b := parsed(t, plain)
			packed, _, err := f.packAside(source, info, f.formOf(b, stock{files: []names.Backup{b}}), new(pace))
			if err := errors.Join(err, source.Close()); err != nil {
				t.Fatal(err)
			}
			take(f, plain)
			size, err := f.publish(packed, b, parsed(t, plain+".gz"), info)
			check(t, "size", size, 0)
			check(t, "error", err, nil)
			if _, err := os.Lstat(plain + ".gz"); err == nil {
				t.Error("the copy was published")
			}
		})
	}
}

func parsed(t *testing.T, path string) names.Backup {
	t.Helper()
	b, ok := names.Parse(name, filepath.Base(path))
	check(t, path+" is a backup", ok, true)
	return b
}

// replace puts another file of the same age in the place of path.
func replace(t *testing.T, path, text string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path+".new", text)
	if err := os.Chtimes(path+".new", info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	move(t, path+".new", path)
}

// TestCopyThatIsNotTheSameIsThrownAway makes a copy that lacks the first line.
func TestCopyThatIsNotTheSameIsThrownAway(t *testing.T) {
	for _, c := range []Compression{Gzip, Zstd} {
		f := open(t, Options{Compression: c, OnRotate: ownTidier})
		plain := f.path + ".20260328-120000"
		put(t, plain, "one\ntwo\n")
		source, info, err := openPlain(plain)
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		if _, err := source.Seek(4, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		_, _, err = f.packAside(source, info, form{compression: c}, new(pace))
		checkIs(t, err, errDiffers)
	}
}

// TestBackupThatIsRenamedAtTheLastMoment: logrotate may move the plain file after the copy got its name.
func TestBackupThatIsRenamedAtTheLastMoment(t *testing.T) {
	f := open(t, Options{Compression: Gzip, OnRotate: ownTidier})
	plain := f.path + ".20260328-120000"
	put(t, plain+".1", "one\n")
	put(t, plain+".gz", gzipped(t, "one\n"))
	if err := f.dropPlain(parsed(t, plain), parsed(t, plain+".gz"), 1); err != nil {
		t.Fatal(err)
	}
	checkNames(t, f, "", ".20260328-120000.1")
}

func TestChangedSettingLeavesOldBackupsPrunable(t *testing.T) {
	dir := t.TempDir()
	for _, stamp := range []string{"100000.zst", "110000", "110000.gz", "120000.gz", "130000.gz.age", "140000"} {
		put(t, filepath.Join(dir, name+".20260328-"+stamp), "x\n")
	}
	f := open(t, Options{Dir: dir, MaxBackups: 3, OnRotate: ownTidier})
	f.Tidy()
	checkNames(t, f, "", ".20260328-120000.gz", ".20260328-130000.gz.age", ".20260328-140000")
	check(t, "removed", f.Stats().Removed, 2)
	check(t, "backups", f.Stats().Backups, 3)
}

func BenchmarkCompress(b *testing.B) {
	text := strings.Repeat(journalText(50_000), 2)
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []Compression{Gzip, Zstd} {
		b.Run(string(c[1:]), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var packed bytes.Buffer
			for b.Loop() {
				packed.Reset()
				if err := c.pack(&packed, pacedReader{strings.NewReader(text), new(pace)}, info); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(text))/float64(packed.Len()), "ratio")
		})
	}
}

// TestStampOfARenamedBackupIsNotUsedAgain: otherwise the order of the names would not be that of the entries.
func TestStampOfARenamedBackupIsNotUsedAgain(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, name+".20260328-130000.1.gz"), gzipped(t, "older\n"))
	put(t, filepath.Join(dir, name+".99990101-000000.bak"), "not ours\n")
	f := open(t, Options{Dir: dir, Now: at("2026-03-28 12:00:00").now})
	write(t, f, "newer\n")
	rotate(t, f)
	checkNames(t, f, "", ".20260328-130000.1.gz", ".20260328-130001", ".99990101-000000.bak")
}
