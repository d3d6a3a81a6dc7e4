//go:build unix

package cli

import (
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hbjournal/config"
)

// The pages that the README was divided into.
const (
	mainPage    = "README.md"
	sinkPage    = "sink/README.md"
	readingPage = "sink/journal/README.md"
	configPage  = "config/README.md"
	reportPage  = "config/cli/report/README.md"
	webPage     = "config/cli/web/README.md"
	scriptsPage = "scripts/README.md"
	deployPage  = "scripts/deploy/README.md"
	sealPage    = "sink/seal/README.md"
)

func readme(t *testing.T) string {
	t.Helper()
	return page(t, mainPage)
}

// page returns the text of a page by its path from the root.
func page(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repoRoot, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// section returns what stands in a page under a heading of the second level.
func section(t *testing.T, path, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(page(t, path), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("got no section %q in %s", heading, path)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

func TestReadmeTableHasEverySettingAsInTheCode(t *testing.T) {
	want := []string{"| key | default | meaning |", "|---|---|---|"}
	for _, k := range config.Keys() {
		value := k.Text(config.Default())
		if value != "" {
			value = "`" + value + "`"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", k.Name, value, k.Help))
	}
	if got := tableRows(section(t, mainPage, "Settings")); !slices.Equal(got, want) {
		t.Errorf("got another table of settings in README.md; replace it by this one:\n%s", strings.Join(want, "\n"))
	}
}

func TestReadmeTableHasEveryCommand(t *testing.T) {
	var got, want []string
	for _, row := range tableRows(section(t, mainPage, "Commands"))[2:] {
		if strings.HasPrefix(row, "| signal ") {
			break
		}
		got = append(got, strings.Trim(strings.Split(row, "|")[1], " `"))
	}
	for _, c := range newRoot(system()).Commands() {
		want = append(want, c.Name())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got commands %v in README.md, want %v", got, want)
	}
}

func tableRows(text string) []string {
	var rows []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	return rows
}

// TestReadmeDemoGivesTheLineItShows runs the demo, with a port of its own.
func TestReadmeDemoGivesTheLineItShows(t *testing.T) {
	blocks := codeBlocks(readme(t))
	demo := strings.Split(strings.TrimSpace(blocks[0]), "\n")
	if len(demo) > 6 || demo[0] != "JOURNAL_DIR=./journal go run . &" {
		t.Fatalf("got demo %q, want six lines at most that begin with the daemon", demo)
	}
	dir := t.TempDir()
	d := startDaemon(t, dir)
	rest := strings.Join(demo[1:], "\n")
	send := strings.Replace(rest, "go run . send", "hbjournal send --to "+d.addr, 1)
	before, tail, _ := strings.Cut(send, "\ntail ")
	runShell(t, dir, before)
	waitLines(t, filepath.Join(dir, "journal", "messages.journal"), 1)
	got := runShell(t, dir, "tail "+tail)

	changing := regexp.MustCompile(`("timestamp":)[0-9.]+|("datetime":)"[^"]+"|("source_ip":)"[^"]+"|("source_port":)[0-9]+`)
	plain := func(s string) string { return changing.ReplaceAllString(s, "$1$2$3$4") }
	if plain(got) != plain(blocks[1]) {
		t.Errorf("got %s from the demo, want a line like %s", got, blocks[1])
	}
}

// TestReadmeShellLinesWork runs every line of the pages on reading and settings against a journal with backups.
func TestReadmeShellLinesWork(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is not installed")
	}
	dir := t.TempDir()
	makeJournal(t, dir)
	blocks := append(codeBlocks(section(t, mainPage, "Reading")), codeBlocks(page(t, readingPage))...)
	for _, block := range append(blocks, codeBlocks(page(t, configPage))...) {
		for _, line := range shellLines(block) {
			wantOutput(t, dir, line)
		}
	}
}

// TestReadmeOfTheSealWorksAsWritten runs its lines on a journal that a daemon seals.
func TestReadmeOfTheSealWorksAsWritten(t *testing.T) {
	dir := t.TempDir()
	blocks := codeBlocks(page(t, sealPage))
	for _, line := range shellLines(blocks[0]) {
		wantOutput(t, dir, line)
	}
	d := startDaemon(t, dir, "--journal-sign-key=sign.key", "--journal-checkpoints-to=checkpoints")
	runShell(t, dir, "hbjournal send --to "+d.addr+` '{"ID":"HTB","name":"web1"}' '{"ID":"HTB","name":"web2"}'`)
	waitLines(t, filepath.Join(dir, "journal", "messages.journal"), 3)
	if err := d.cmd.Process.Signal(signals()["TERM"]); err != nil {
		t.Fatal(err)
	}
	if code, err := d.exit(); code != 0 || err != nil {
		t.Fatalf("the daemon ends with %d, %v", code, err)
	}
	for _, block := range blocks[1:] {
		for _, line := range shellLines(block) {
			wantOutput(t, dir, line)
		}
	}
	for line, want := range map[string]string{
		"hbjournal verify --key site1.vkey":                          "sealed: 4 lines to checkpoint 4; not anchored",
		"hbjournal verify --key site1.vkey --checkpoint checkpoints": "sealed: 4 lines to checkpoint 4; anchored at 4 by checkpoints",
		blocksLast(blocks[1]):                                        "proved: line ",
	} {
		if got := runShell(t, dir, line); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

func blocksLast(block string) string {
	lines := shellLines(block)
	return lines[len(lines)-1]
}

// wantOutput runs a line of a page, and wants something on its standard output, or in the file that it writes. What binds
// and locks runs beside the journal, whose daemon is there.
func wantOutput(t *testing.T, dir, line string) {
	t.Helper()
	script := strings.ReplaceAll(line, "/var/log/heartbeat", "journal")
	if strings.Contains(line, "--try") {
		script = "export JOURNAL_DIR=another; " + script
	}
	out := runShell(t, dir, script)
	if _, file, ok := strings.Cut(line, " > "); ok {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		out = string(b)
	}
	if out == "" {
		t.Errorf("%s: got no output", line)
	}
}

// makeJournal fills dir/journal with two backups and a live file, of heartbeats and plugin messages.
func makeJournal(t *testing.T, dir string) {
	t.Helper()
	d := startDaemon(t, dir)
	messages := `'{"ID":"HTB","name":"webserver1","interval":30}' '{"ID":"PLG","name":"web 2","plugin":"cpu_monitor","cpu_percent":45.2}'`
	journal := filepath.Join(dir, "journal")
	for i := range 3 {
		if i > 0 {
			if err := d.cmd.Process.Signal(signals()["USR1"]); err != nil {
				t.Fatal(err)
			}
			waitBackups(t, journal, i)
		}
		runShell(t, dir, "hbjournal send --to "+d.addr+" "+messages)
		waitLines(t, filepath.Join(journal, "messages.journal"), 2)
	}
}

func waitBackups(t *testing.T, journal string, n int) {
	t.Helper()
	err := poll(func() error {
		backups, err := filepath.Glob(filepath.Join(journal, "messages.journal.*"))
		if err == nil && len(backups) != n {
			err = fmt.Errorf("got backups %v, want %d", backups, n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadmeHasEveryShellLineOfMessageJournal(t *testing.T) {
	lines := shellLines(codeBlocks(section(t, readingPage, "Recipes"))[0])
	const all, live = "/var/log/heartbeat/messages.journal*", "/var/log/heartbeat/messages.journal"
	for _, want := range []string{
		"cat " + live + " | jq .",
		"cat " + live + ` | jq 'select(.message.ID == "HTB")'`,
		"cat " + live + ` | jq 'select(.message.name == "webserver1")'`,
		"cat " + live + " | jq -r '.message.ID' | sort | uniq -c",
		"cat " + live + " | jq -r '[.datetime, .source_ip, .message.ID] | @tsv'",
		"wc -l " + live,
		"tail -n 100 " + live + " | jq .",
		`grep -F '"name":"webserver1"' ` + live,
		"du -h " + live,
		"cat " + all + " | jq . > all_messages.json",
		"cat " + all + ` | jq -r '.message.name // "unknown"' | sort | uniq -c`,
		"cat " + all + ` | jq 'select(.message.ID == "PLG")'`,
		"cat " + all + ` | jq 'select(.message.plugin == "cpu_monitor") | ` +
			`{time: .datetime, host: .message.name, cpu: .message.cpu_percent}'`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("got %s without the line %s", readingPage, want)
		}
	}
}

// codeBlocks returns the text of each fenced block.
func codeBlocks(text string) []string {
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```[a-z]*\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// shellLines returns the commands of a block, without its comments, those over several lines as one.
func shellLines(block string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", "")) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// runShell runs the script in dir, where hbjournal is this program and its journal is dir/journal, and returns its
// standard output.
func runShell(t *testing.T, dir, script string) string {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "hbjournal")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "JOURNAL_DIR=journal", "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, &stderr)
	}
	return string(out)
}

// TestReadmeNamesTestsThatExist keeps the table of faults in step with the tests.
func TestReadmeNamesTestsThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, file := range goFiles(t) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				known[f.Name.Name] = true
			}
		}
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z]+)`").FindAllStringSubmatch(section(t, sinkPage, "Faults"), -1)
	if len(names) < 20 {
		t.Fatalf("got %d tests named in %s, want one for each fault", len(names), sinkPage)
	}
	for _, name := range names {
		if !known[name[1]] {
			t.Errorf("%s names %s, which is no test", sinkPage, name[1])
		}
	}
}

func TestReadmeLeavesTheDetailsToOtherPages(t *testing.T) {
	if lines := strings.Count(readme(t), "\n"); lines > 250 {
		t.Errorf("got %d lines in README.md, want 250 at most: move what not everybody needs to a package's own page", lines)
	}
}

// TestReadmeLinksLeadSomewhere follows the links of every page, and wants each page to be linked from the first.
func TestReadmeLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	linked := map[string]bool{}
	pages := []string{mainPage, sinkPage, readingPage, configPage, reportPage, webPage, scriptsPage, deployPage, sealPage}
	for _, from := range pages {
		for _, m := range link.FindAllStringSubmatch(page(t, from), -1) {
			to := filepath.Join(filepath.Dir(from), m[1])
			if _, err := os.Stat(filepath.Join(repoRoot, to)); err != nil {
				t.Errorf("%s links to %s: %v", from, m[1], err)
			}
			linked[to] = linked[to] || from == mainPage
		}
	}
	for _, path := range pages[1:] {
		if !linked[path] {
			t.Errorf("got no link to %s in README.md", path)
		}
	}
}
