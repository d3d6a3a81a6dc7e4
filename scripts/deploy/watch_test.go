// Package deploy holds no code of the program: it tests what operators install beside it to watch it.
package deploy

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hbjournal/config/cli/status"
	"hbjournal/config/cli/web"
	"hbjournal/ingest/fleet"
	"hbjournal/sink/forward"
	"hbjournal/sink/journal"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/seal"
)

const (
	rules     = "prometheus/hbjournal.rules.yaml"
	dashboard = "grafana/hbjournal.json"
)

// program returns the path of a program that CI installs, and skips the test elsewhere if it is not there.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(name + " is not installed")
	}
	return path
}

// run runs a program, and fails the test with its output if that fails.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), program(t, name), args...)
	command.Env = append(os.Environ(), "HOME="+t.TempDir(), "TERM=dumb", "TZ=UTC")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	run(t, "promtool", "check", "rules", rules)
	run(t, "promtool", "test", "rules", "prometheus/hbjournal.rules.test.yaml")
}

// TestEveryAlertIsTried: an alert that no series of the test file raises might never fire.
func TestEveryAlertIsTried(t *testing.T) {
	tests := text(t, "prometheus/hbjournal.rules.test.yaml")
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(text(t, rules), -1) {
		if !regexp.MustCompile(`alertname: ` + m[1] + `\n`).MatchString(tests) {
			t.Errorf("%s: no test in which it fires", m[1])
		}
	}
}

func TestRulesAndDashboardAskOnlyForMetricsThatAreServed(t *testing.T) {
	served := servedMetrics(t)
	for _, file := range []string{rules, dashboard} {
		asked := regexp.MustCompile(`\b(journal|process)_[a-z_]+\b`).FindAllString(expressions(t, file), -1)
		if len(asked) < 10 {
			t.Fatalf("%s: found only %d metrics in it", file, len(asked))
		}
		for _, name := range slices.Compact(slices.Sorted(slices.Values(asked))) {
			if !slices.Contains(served, name) {
				t.Errorf("%s asks for %s, which neither the daemon nor the page nor the archive serves", file, name)
			}
		}
	}
}

// TestDashboardExpressionsAreValid gives them to promtool as rules, with Grafana's variables filled in.
func TestDashboardExpressionsAreValid(t *testing.T) {
	filled := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$job", ".*", "$instance", ".*")
	var file strings.Builder
	file.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, expr := range dashboardExpressions(t) {
		quoted, err := json.Marshal(filled.Replace(expr))
		if err != nil {
			t.Fatal(err)
		}
		file.WriteString("  - {record: 'dashboard:" + strings.Repeat("x", i+1) + "', expr: " + string(quoted) + "}\n")
	}
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "promtool", "check", "rules", path)
}

func TestLnavShowsAJournal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "messages.journal")
	if err := os.WriteFile(path, sampleJournal(), 0o640); err != nil {
		t.Fatal(err)
	}
	formats := filepath.Join(dir, "config", "formats", "hbjournal")
	if err := os.MkdirAll(formats, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(formats, "hbjournal.json"), []byte(text(t, "lnav/hbjournal.json")), 0o640); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config")
	if out := run(t, "lnav", "-C", "-I", config); strings.Contains(out, "error") {
		t.Errorf("lnav -C: %s", out)
	}
	out := run(t, "lnav", "-n", "-I", config, path,
		"-c", `;SELECT log_time, log_level, "message/name", source_ip, log_body FROM hbjournal_log`, "-c", ":write-csv-to -")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	want := [][]string{
		{"log_time", "log_level", "message/name", "source_ip", "log_body"},
		{"2026-03-28 12:00:00.250", "info", "web1", "192.168.1.100", `{"ID":"HTB","name":"web1","interval":30}`},
		{"2026-03-28 12:00:01.500", "info", "db1", "192.168.1.100", `{"ID":"PLG","name":"db1","plugin":"cpu_monitor","cpu_percent":45.2}`},
		{"2026-03-28 12:00:02.750", "warning", "<NULL>", "192.168.1.100", `{"ID":"JRN","event":"gap","reason":"kernel","lost":3}`},
		{"2026-03-28 12:00:04.000", "info", "<NULL>", "192.168.1.100", `{"_raw":"hello","_error":"not JSON"}`},
	}
	if !slices.EqualFunc(rows, want, slices.Equal[[]string]) {
		t.Errorf("got\n%q, want\n%q", rows, want)
	}
}

// sampleJournal has times that binary fractions hold exactly, since lnav reads them as floating point and cuts the rest off.
func sampleJournal() []byte {
	encoder := journal.NewEncoder(nil)
	from := netip.MustParseAddrPort("192.168.1.100:50003")
	var lines []byte
	for i, message := range []string{
		`{"ID":"HTB","name":"web1","interval":30}`,
		`{"ID":"PLG","name":"db1","plugin":"cpu_monitor","cpu_percent":45.2}`,
		`{"ID":"JRN","event":"gap","reason":"kernel","lost":3}`,
		`{"_raw":"hello","_error":"not JSON"}`,
	} {
		at := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC).Add(250*time.Millisecond + time.Duration(i)*1250*time.Millisecond)
		lines = encoder.AppendLine(lines, at, from, []byte(message))
	}
	return lines
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// expressions are those of a file, one a line: all of a rule file, since its words are none of a metric's.
func expressions(t *testing.T, file string) string {
	t.Helper()
	if file == dashboard {
		return strings.Join(dashboardExpressions(t), "\n")
	}
	return regexp.MustCompile(`(?m)^\s*(description|summary):.*$|^#.*$`).ReplaceAllString(text(t, file), "")
}

func dashboardExpressions(t *testing.T) (all []string) {
	t.Helper()
	var board struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal([]byte(text(t, dashboard)), &board); err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

// servedMetrics are the names of all metrics that /metrics shows.
func servedMetrics(t *testing.T) (served []string) {
	t.Helper()
	server, err := status.Listen("127.0.0.1:0", "test", func() status.Snapshot {
		outputs := []forward.Figures{{Name: "x", RefusedBy: map[string]int64{"400": 1}}}
		return status.Snapshot{Seal: &seal.Figures{}, Outputs: outputs}
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, server.Serve)
	return slices.Concat(typesOf(t, server.Addr().String()), servedByPage(t), servedByArchive(t))
}

// serve runs a server until the test ends.
func serve(t *testing.T, run func(context.Context) error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// servedByArchive lists the metrics of an archive.
func servedByArchive(t *testing.T) []string {
	t.Helper()
	server, err := status.ListenArchive("127.0.0.1:0", "test", func() fleet.Figures { return fleet.Figures{Foreign: map[string]uint64{"journal": 1}} })
	if err != nil {
		t.Fatal(err)
	}
	serve(t, server.Serve)
	return typesOf(t, server.Addr().String())
}

// servedByPage lists the metrics of the live page.
func servedByPage(t *testing.T) []string {
	t.Helper()
	server, err := web.Listen(web.Options{Addr: "127.0.0.1:0", Read: read.Options{Dir: t.TempDir(), Base: "j"}, HostMetrics: true})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, server.Serve)
	// Of hosts there are none here, so that their figure does not appear: TestMetricsHaveTheHosts of the page has it.
	return append(typesOf(t, server.Addr().String()), "journal_host_last_seen_timestamp_seconds")
}

// typesOf lists the metrics that are served at addr.
func typesOf(t *testing.T, addr string) (served []string) {
	t.Helper()
	response, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(string(body), -1) {
		served = append(served, m[1])
	}
	return served
}
