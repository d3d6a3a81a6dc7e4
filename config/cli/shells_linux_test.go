package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
)

// shell is an interactive shell on a terminal of its own.
type shell struct {
	t    *testing.T
	home string
	keys *os.File
	mu   sync.Mutex
	text []byte // all that it has written
}

// shells are those that completion is made for: how each is started without the files of the machine, and what loads the
// completion in it.
var shells = map[string]struct{ start, rc, text string }{
	"bash": {
		start: "bash --noprofile --rcfile %s/rc -i", rc: "rc",
		text: "PS1='ready> '\n. /usr/share/bash-completion/bash_completion\n. <(hbjournal completion bash)\n",
	},
	"zsh": {
		start: "zsh -i", rc: ".zshrc",
		text: "PS1='ready> '\nautoload -U compinit\ncompinit -u -D\n. <(hbjournal completion zsh)\ncompdef _hbjournal hbjournal\n",
	},
	"fish": {
		start: "fish -i", rc: ".config/fish/config.fish",
		text: "function fish_prompt; echo -n 'ready> '; end\nset fish_greeting\nhbjournal completion fish | source\n",
	},
}

// startShell starts a shell whose journal holds messages, and whose home is its working directory.
func startShell(t *testing.T, name, rc string, messages ...string) *shell {
	t.Helper()
	s := &shell{t: t, home: t.TempDir()}
	s.journal("journal", messages...)
	s.write(shells[name].rc, rc)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.write("bin/.keep", "")
	s.write(".local/share/fish/generated_completions/.keep", "") // Else fish parses all man pages of the machine meanwhile.
	if err := os.Symlink(self, filepath.Join(s.home, "bin/hbjournal")); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(strings.ReplaceAll(shells[name].start, "%s", s.home))
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = s.home
	cmd.Env = []string{
		"HOME=" + s.home, "ZDOTDIR=" + s.home, "TERM=xterm", "LANG=C.UTF-8", "JOURNAL_DIR=" + s.home + "/journal",
		"PATH=" + s.home + "/bin:" + os.Getenv("PATH"),
	}
	if s.keys, err = pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Skipf("no terminal with %s: %v", name, err)
	}
	read := make(chan struct{})
	go func() { s.read(); close(read) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		s.keys.Close()
		<-read
	})
	s.wait("ready> ")
	return s
}

// journal makes a journal of messages in a directory.
func (s *shell) journal(dir string, messages ...string) {
	s.t.Helper()
	var lines strings.Builder
	for _, m := range messages {
		lines.WriteString(strings.Replace(oneEntry, `{"ID":"HTB","name":"web1"}`, m, 1))
	}
	s.write(dir+"/messages.journal", lines.String())
}

func (s *shell) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// read takes in what the shell writes, until it ends.
func (s *shell) read() {
	buf := make([]byte, 4096)
	for {
		n, err := s.keys.Read(buf)
		s.mu.Lock()
		s.text = append(s.text, buf[:n]...)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *shell) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

func (s *shell) wait(text string) {
	s.t.Helper()
	if err := poll(func() error {
		if screen := s.screen(); !strings.Contains(screen, text) {
			return fmt.Errorf("got no %q from the shell:\n%q", text, screen)
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shell) press(keys string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// settle gives up the line, and waits until the shell has done all that was typed before.
func (s *shell) settle() {
	s.t.Helper()
	const giveUp = "\x15"
	s.press(giveUp + "touch settled\r")
	if err := poll(func() error {
		if !s.exists("settled") {
			return fmt.Errorf("the shell does not answer:\n%q", s.screen())
		}
		return os.Remove(filepath.Join(s.home, "settled"))
	}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shell) exists(name string) bool {
	_, err := os.Stat(filepath.Join(s.home, name))
	return err == nil
}

// eachShell runs a test in every shell that is installed. The race detector would only see the many short processes that
// the shells start, and make them ten times slower.
func eachShell(t *testing.T, test func(t *testing.T, name string)) {
	t.Helper()
	if raceDetector {
		t.Skip("the shells run the command in processes of their own: the run without the race detector tests them")
	}
	for name := range shells {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("needs %s", name)
			}
			test(t, name)
		})
	}
}

// hostile are values that mean something to a shell, or to the command. Where all share a prefix, shells insert that.
var hostile = [][2]string{
	{"`touch${IFS}pwned`1", "`touch${IFS}pwned`2"},
	{"$(touch${IFS}pwned)1", "$(touch${IFS}pwned)2"},
	{"--reverse", "--raw"},
	{"~root1", "~root2"},
	{"a;touch pwned;1", "a;touch pwned;2"},
	{"a|touch${IFS}pwned|1", "a|touch${IFS}pwned|2"},
	{"x\ttouched1", "x\ttouched2"},
	{"$HOME/1", "$HOME/2"},
	{"{pwned,a}1", "{pwned,a}2"},
	{"a\nb1", "a\nb2"},
	{"=touch1", "=touch2"},
	{"!touch1", "!touch2"},
	{"*1", "*2"},
	{"é1", "é2"},
}

func TestNoShellRunsOrIsOfferedWhatASenderNamed(t *testing.T) {
	eachShell(t, func(t *testing.T, name string) {
		s := startShell(t, name, shells[name].text)
		for i, pair := range hostile {
			for flag, field := range map[string]string{"--name": "name", "--id": "ID", "--plugin": "plugin"} {
				dir := fmt.Sprint(field, i)
				s.journal(dir, message(t, field, pair[0]), message(t, field, pair[1]))
				s.press("hbjournal query --journal-dir " + dir + " " + flag + " \t\t\t")
				s.settle()
				if s.exists("pwned") {
					t.Fatalf("%s %q: got a command that a sender named run", flag, pair)
				}
				if screen := s.screen(); strings.Contains(screen, pair[0][:len(pair[0])-1]) {
					t.Fatalf("%s %q: got the value offered:\n%q", flag, pair, screen)
				}
			}
		}
	})
}

// message is a message with one field.
func message(t *testing.T, field, value string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{field: value})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestShellsCompleteWhatTheJournalHolds(t *testing.T) {
	eachShell(t, func(t *testing.T, name string) {
		s := startShell(t, name, shells[name].text, `{"ID":"HTB","name":"web_host-1.example"}`, `{"ID":"PLG","name":"db","plugin":"cpu@all"}`)
		s.press("hbjournal query --name we\t")
		s.wait("web_host-1.example")
		s.press(" --plugin \t")
		s.wait("cpu@all")
		s.press("-o \t\t")
		s.wait("logfmt")
	})
}

func TestBashSaysOnceThatCompletionNeedsAPackage(t *testing.T) {
	s := startShell(t, "bash", "PS1='ready> '\n. <(hbjournal completion bash)\n", `{"name":"web1"}`)
	s.press("hbjournal query --name \t\t\t\t")
	s.settle()
	if screen := s.screen(); strings.Count(screen, "needs the package bash-completion") != 1 || strings.Contains(screen, "command not found") {
		t.Errorf("got, want what is missing said once:\n%q", screen)
	}
}

func TestNoShellRunsTheLineThatItCompletes(t *testing.T) {
	eachShell(t, func(t *testing.T, name string) {
		for _, line := range []string{"`touch pwned`", "$(touch pwned)", `"$(touch pwned)"`, "<(touch pwned)", "> pwned"} {
			s := startShell(t, name, shells[name].text, `{"name":"web1"}`)
			s.press("hbjournal query " + line + " --name \t\t")
			s.settle()
			if s.exists("pwned") {
				t.Errorf("%s: got it run by completing", line)
			}
		}
	})
}

func TestShellsCompleteBehindQuotedWords(t *testing.T) {
	eachShell(t, func(t *testing.T, name string) {
		s := startShell(t, name, shells[name].text, `{"ID":"HTB","name":"web_host-1.example"}`)
		s.press("hbjournal que\t")
		s.wait("query")
		s.press("--jq 'select(.message.n > 1)' --name we\t")
		s.wait("web_host-1.example")
	})
}
