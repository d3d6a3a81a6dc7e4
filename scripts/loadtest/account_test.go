//go:build linux

package main

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// line is a journal line of message n, as hbjournal writes it.
func line(n int) string {
	return fmt.Sprintf(`{"timestamp":1.000,"message":{"ID":"HTB","n":%d,"at":1}}`+"\n", firstNumber+n)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckAccountsForEveryNumber(t *testing.T) {
	f := func(name, text string, sent int, want account) {
		t.Helper()
		got, err := check([]string{write(t, filepath.Join(t.TempDir(), "j"), text)}, sent)
		want.files, want.bytes, want.disk = 1, int64(len(text)), int64(len(text))
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	f("all there", line(0)+line(1)+line(2), 3, account{journaled: 3})
	f("in another order", line(2)+line(0)+line(1), 3, account{journaled: 3})
	f("one missing", line(0)+line(2), 3, account{journaled: 2})
	f("one doubled", line(0)+line(0), 1, account{journaled: 1, doubled: 1})
	f("one that was never sent", line(0)+line(1), 1, account{journaled: 1, foreign: 1})
	f("a line that is no JSON", strings.Replace(line(0), "}}", "}", 1), 1, account{foreign: 1})
	f("a line without a number", "{}\n", 1, account{foreign: 1})
	f("a message copied with its spaces", fmt.Sprintf(`{"ID": "HTB", "n": %d, "at": 1}`+"\n", firstNumber), 1, account{journaled: 1})
	f("a gap that the journal tells of", line(0)+`{"message":{"ID":"JRN","event":"gap","reason":"kernel","lost":7}}`+"\n", 8,
		account{journaled: 1, told: 7})
}

func TestCheckReadsAllFilesCompressedOnesToo(t *testing.T) {
	dir := t.TempDir()
	var packed strings.Builder
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(line(0) + line(1))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{
		write(t, filepath.Join(dir, "j.20260328-120000.gz"), packed.String()),
		write(t, filepath.Join(dir, "j.20260328-130000.zst"), string(z.EncodeAll([]byte(line(2)), nil))),
		write(t, filepath.Join(dir, "j"), line(3)),
	}
	got, err := check(files, 4)
	if err != nil || got.journaled != 4 || got.packed != 2 || got.doubled+got.foreign != 0 {
		t.Errorf("got %+v, %v, want 4 messages and no others, in 2 compressed files and a plain one", got, err)
	}
}

func TestCheckReportsATornLastLine(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "j"), line(0)+`{"timest`)
	if _, err := check([]string{path}, 1); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
}

func TestFollowReadsTheFirstFileToItsEndAndGoesOnInItsSuccessor(t *testing.T) {
	dir := t.TempDir()
	live, next := filepath.Join(dir, "j"), filepath.Join(dir, "next")
	at := time.Now().UnixMicro()
	lines := func(n int) string { return strings.Repeat(fmt.Sprintf(`{"at":%d}`+"\n", at), n) }
	write(t, live, lines(3))
	write(t, next, lines(2))
	f, err := os.Open(live)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, live); err != nil {
		t.Fatal(err)
	}
	ages, err := follow(f, live, 5, 10*time.Second)
	if err != nil || len(ages) != 5 {
		t.Errorf("got %d ages, %v, want 5", len(ages), err)
	}
}

func TestCheapestRunCarriesTheWorstLossAndMemory(t *testing.T) {
	run := func(cpu time.Duration, lost int, rss int64) result {
		return result{account: account{journaled: 100 - lost}, offered: 100, lost: lost, cpu: cpu, rss: rss}
	}
	got := merge([]result{run(30_000, 0, 5), run(20_000, 1, 7), run(25_000, 3, 9)})
	if got.cpu != 20_000 || got.lost != 3 || got.rss != 9 {
		t.Errorf("got cpu %d, lost %d, rss %d, want 20000, 3, 9", got.cpu, got.lost, got.rss)
	}
}

func TestPercentileIsTheAgeBelowWhichThatShareLies(t *testing.T) {
	var ages []time.Duration
	for i := range 1000 {
		ages = append(ages, time.Duration(999-i))
	}
	f := func(p float64, want time.Duration) {
		t.Helper()
		if got := percentile(ages, p); got != want {
			t.Errorf("percentile %v: got %d, want %d", p, got, want)
		}
	}
	f(0.5, 500)
	f(0.999, 999)
	f(1, 999)
}
