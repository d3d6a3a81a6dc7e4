package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hbjournal/config"
)

// brokenPipe returns the end of a pipe whose reader has gone away.
func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	do(t, err)
	do(t, r.Close())
	t.Cleanup(func() { w.Close() })
	return w
}

func TestDaemonSurvivesAStandardErrorThatNobodyReads(t *testing.T) {
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"), "JOURNAL_MAX_SIZE=2000", "JOURNAL_MAX_BACKUPS=0")
	l := loadFor(t, v.udp)
	v.terminate(t)
	p := runAs(t, &exec.Cmd{
		Path: os.Args[0], Args: []string{"hbjournal"}, Env: append(v.launch.environ, "LISTEN_ADDR="+v.udp, "HTTP_ADDR="+v.http),
		Stderr: brokenPipe(t), Stdout: brokenPipe(t),
	})
	eventually(t, "it serves", func() bool { return answers(v.http) })
	l.send(200)
	v.untilReceived(t, 200)
	v.untilWritten(t)
	for _, name := range []string{"HUP", "USR1", "TERM"} {
		do(t, p.cmd.Process.Signal(signals()[name]))
	}
	if code, err := p.exit(); err != nil || code != exitDone {
		t.Errorf("exit: got %d (%v), %v; want 0", code, p.cmd.ProcessState, err)
	}
	readJournal(t, v.dir).wantAll(t, 200)
}

func TestDaemonThatCannotStartExitsWithItsCodeThoughNobodyReadsWhy(t *testing.T) {
	for _, environ := range [][]string{{"JOURNAL_MAX_SIZE=x"}, {"JOURNAL_DIR=/proc/no/such", "LISTEN_ADDR=127.0.0.1:0"}} {
		p := runAs(t, &exec.Cmd{Path: os.Args[0], Args: []string{"hbjournal"}, Env: append(environ, "HTTP_ADDR=off"), Stderr: brokenPipe(t)})
		if code, err := p.exit(); err != nil || code < exitFailed || code > exitUsage {
			t.Errorf("exit with %v: got %v, %v; want 1 or 2", environ, p.cmd.ProcessState, err)
		}
	}
}

func TestOtherCommandsEndAtOnceWhenNobodyReadsThem(t *testing.T) {
	dir := t.TempDir()
	line := `{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"10.0.0.1","source_port":1,"message":{}}` + "\n"
	do(t, os.WriteFile(filepath.Join(dir, "messages.journal"), []byte(strings.Repeat(line, 10_000)), 0o600))
	stderr := filepath.Join(dir, "stderr")
	file, err := os.Create(stderr)
	do(t, err)
	defer file.Close()
	p := runAs(t, &exec.Cmd{
		Path: os.Args[0], Args: []string{"hbjournal", "query"}, Env: []string{"JOURNAL_DIR=" + dir}, Stdout: brokenPipe(t), Stderr: file,
	})
	_, err = p.exit()
	do(t, err)
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status != 0 && status.Signal() != syscall.SIGPIPE {
		t.Errorf("query: got %v, want it to end by SIGPIPE or with 0", p.cmd.ProcessState)
	}
	if text, err := os.ReadFile(stderr); err != nil || len(text) > 0 {
		t.Errorf("standard error: got %q, %v; want nothing", text, err)
	}
}

// runAs starts a program that is killed at the end of the test.
func runAs(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	do(t, cmd.Start())
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		cmd.Wait() //nolint:errcheck // The exit code is asked for where it matters.
	}()
	t.Cleanup(p.kill)
	return p
}

// openFIFO opens a FIFO for a test that reads it, but not for ever. It can be opened though nobody writes to it.
func openFIFO(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	do(t, err)
	t.Cleanup(func() { file.Close() })
	do(t, file.SetReadDeadline(time.Now().Add(patience)))
	return file
}

func fifo(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	do(t, syscall.Mkfifo(path, 0o600))
	return path
}

func TestLogSaysHowManyLinesItLostWhenItIsReadAgain(t *testing.T) {
	path := fifo(t)
	reader := openFIFO(t, path)
	stderr, err := os.OpenFile(path, os.O_WRONLY, 0)
	do(t, err)
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"))
	v.terminate(t)
	l := loadFor(t, v.udp)
	p := runAs(t, &exec.Cmd{
		Path: os.Args[0], Args: []string{"hbjournal"}, Env: append(v.launch.environ, "LISTEN_ADDR="+v.udp, "HTTP_ADDR="+v.http), Stderr: stderr,
	})
	do(t, stderr.Close())
	untilLine(t, bufio.NewReader(reader), "journal opened")
	do(t, reader.Close())
	for n := range 10 {
		l.send(1)
		v.untilReceived(t, n+1)
		v.untilWritten(t)
		do(t, p.cmd.Process.Signal(signals()["USR1"]))
		eventually(t, "it rotates", func() bool { return v.stats(t).Rotations["request"] == uint64(n)+1 })
	}
	reader = openFIFO(t, path)
	lines := bufio.NewReader(reader)
	do(t, p.cmd.Process.Signal(signals()["HUP"]))
	var line struct{ Lost int }
	do(t, json.Unmarshal([]byte(untilLine(t, lines, `"lost":`)), &line))
	if line.Lost < 8 || line.Lost > 10 {
		t.Errorf("lost: got %d, want the 10 lines about rotations", line.Lost)
	}
	untilLine(t, lines, "journal file is reopened")
}

// untilLine reads up to the line that holds text.
func untilLine(t *testing.T, log *bufio.Reader, text string) string {
	t.Helper()
	for {
		line, err := log.ReadString('\n')
		if err != nil {
			t.Fatalf("no line with %s: %v", text, err)
		}
		if strings.Contains(line, text) {
			return line
		}
	}
}

// startLog opens a log with log_file.
func startLog(t *testing.T, path string) *daemonLog {
	t.Helper()
	cfg := config.Default()
	cfg.JournalDir, cfg.LogFile, cfg.LogMaxSize = filepath.Join(t.TempDir(), "journal"), path, config.MiB
	log, err := openLog(cfg, system())
	do(t, err)
	t.Cleanup(func() { log.Close() })
	return log
}

func TestLogFileThatIsNoFileIsWrittenWithoutRotation(t *testing.T) {
	path := fifo(t)
	link := path + ".link"
	do(t, os.Symlink(path, link))
	for _, name := range []string{path, link} {
		log := startLog(t, name)
		reader := openFIFO(t, path)
		for range 40 { // That is more than log_max_size.
			log.Info().Msg(strings.Repeat("x", 32<<10))
			untilLine(t, bufio.NewReader(reader), "xxx")
		}
		do(t, log.Close())
		do(t, reader.Close())
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			t.Errorf("%s: got %v, %v there, want the FIFO", name, info, err)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(names) != 2 {
		t.Errorf("files: got %q, want the FIFO and its link only", names)
	}
}

func TestFIFOWithoutAReaderHoldsUpNothing(t *testing.T) {
	path := fifo(t)
	log := startLog(t, path)
	log.Info().Msg("before anyone reads")
	untilLine(t, bufio.NewReader(openFIFO(t, path)), "before anyone reads")
}

func TestDescriptorOfASystemIsNeverRotatedAway(t *testing.T) {
	target := filepath.Join(t.TempDir(), "out")
	file, err := os.Create(target)
	do(t, err)
	defer file.Close()
	name := fmt.Sprintf("/dev/fd/%d", file.Fd())
	log := startLog(t, name)
	overfill(t, log)
	do(t, log.Close())
	if info, err := os.Stat(target); err != nil || info.Size() < 40*32<<10 {
		t.Errorf("%s: got %v, %v; want all lines in one file", target, info, err)
	}
	if names, _ := filepath.Glob(target + "*"); len(names) != 1 {
		t.Errorf("files: got %q, want one", names)
	}
}

func TestLinkToALogIsFollowedAndStays(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "link.log"), filepath.Join(dir, "elsewhere", "hb.log")
	do(t, os.Symlink("elsewhere/hb.log", link))
	log := startLog(t, link)
	overfill(t, log)
	do(t, log.Close())
	if to, err := os.Readlink(link); err != nil || to != "elsewhere/hb.log" {
		t.Errorf("the link: got %q, %v; want it untouched", to, err)
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(target), "*")); len(names) != 2 {
		t.Errorf("files: got %q, want the log and one that was rotated", names)
	}
}
