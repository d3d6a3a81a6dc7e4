package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

func TestATableThatIsFollowedFitsTheTerminalAlsoOnceThatIsResized(t *testing.T) {
	file := filepath.Join(t.TempDir(), "j")
	long := strings.Replace(oneEntry, `"web1"`, `"web1","text":"`+strings.Repeat("long ", 50)+`"`, 1)
	if err := os.WriteFile(file, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "tail", "-n", "1", "-o", "table", file)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 20, Cols: 120})
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	s := &shell{t: t, keys: terminal}
	read := make(chan struct{})
	go func() { s.read(); close(read) }()
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
		terminal.Close()
		<-read
	}()
	s.wait("12:00:00.000")
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 20, Cols: 60}); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.WriteString(strings.Replace(long, "12:00:00", "12:00:01", 1)); err != nil {
		t.Fatal(err)
	}
	s.wait("12:00:00" + reset)
	s.wait("…\r\n")
	lines := strings.Split(strings.TrimSuffix(s.screen(), "\r\n"), "\r\n")
	for i, line := range lines {
		line = strings.NewReplacer(bold, "", dim, "", reset, "").Replace(line)
		if want := map[bool]int{true: 120, false: 60}[i < 2]; len([]rune(line)) > want {
			t.Errorf("got line %d of %d columns, want %d at most: %q", i, len([]rune(line)), want, line)
		}
	}
}
