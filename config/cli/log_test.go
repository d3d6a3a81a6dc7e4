package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hbjournal/config"
)

func TestLogIsJSONOffATerminalAndKeepsToItsLevel(t *testing.T) {
	var b bytes.Buffer
	cfg := config.Default()
	cfg.LogLevel = "warn"
	log, err := openLog(cfg, Env{Stderr: &b})
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("not this one")
	log.Warn().Str("path", "x").Msg("this one")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	var line struct{ Level, Path, Message, Time string }
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("got %q, want one line of JSON: %v", b.String(), err)
	}
	if line.Level != "warn" || line.Path != "x" || line.Message != "this one" || line.Time == "" {
		t.Errorf("got %q, want level, path, message and time", b.String())
	}
}

func TestConsoleLogHasNoColourOffATerminal(t *testing.T) {
	var b bytes.Buffer
	cfg := config.Default()
	cfg.LogFormat = "console"
	log, err := openLog(cfg, Env{Stderr: &b})
	if err != nil {
		t.Fatal(err)
	}
	log.Error().Str("path", "x").Msg("rotate")
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "ERR rotate path=x\n") {
		t.Errorf("got %q, want plain text that ends in %q", got, "ERR rotate path=x")
	}
}

func TestLogFileRotatesBySizeAndKeepsItsBackups(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	cfg := config.Default()
	cfg.LogFile, cfg.LogMaxSize = filepath.Join(dir, "hb.log"), config.MiB
	log, err := openLog(cfg, system())
	if err != nil {
		t.Fatal(err)
	}
	overfill(t, log)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("got %d files, %v, want the log and one backup", len(files), err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Size() > int64(config.MiB) {
			t.Errorf("got %v, %v, want at most 1 MiB in each file", info, err)
		}
	}
}

func TestLogFileThatCannotBeWrittenIsAnErrorAtTheStart(t *testing.T) {
	dir := t.TempDir()
	o := run(t, []string{"LOG_FILE=" + dir, "JOURNAL_DIR=" + dir, "LISTEN_ADDR=127.0.0.1:0"})
	o.want(t, exitFailed, `"error":"open log_file: `, dir, `"hint":"`, "LOG_FILE")
}

func TestWhatTheDaemonEndsWithIsWrittenAsItsLogIs(t *testing.T) {
	dir := t.TempDir()
	blocked := []string{"JOURNAL_DIR=" + filepath.Join(dir, "a-file"), "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=off"}
	if err := os.WriteFile(filepath.Join(dir, "a-file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := []string{"JOURNAL_MAX_SIZE=x", "LISTEN_ADDR=nowhere"}
	for name, environ := range map[string][]string{
		"json": {"LOG_FORMAT=json"}, "auto, which is JSON off a terminal": nil, "a log_format that is none": {"LOG_FORMAT=xml"},
	} {
		for _, fault := range [][]string{blocked, wrong, {"CONFIG_FILE=" + dir + "/none"}, {"LOG_FILE=" + dir}} {
			o := run(t, append(environ, fault...), "serve")
			var last struct{ Level, Error, Hint, Time, Message string }
			for line := range strings.Lines(o.stderr) {
				if err := json.Unmarshal([]byte(line), &last); err != nil {
					t.Fatalf("%s, %v: got %q, want JSON: %v", name, fault, line, err)
				}
			}
			if o.code == exitDone || last.Level != "fatal" || last.Error == "" || last.Hint == "" || last.Time == "" {
				t.Errorf("%s, %v: got code %d and %+v, want a fatal line with an error and a hint", name, fault, o.code, last)
			}
		}
	}
	for _, fault := range [][]string{blocked, wrong, {"CONFIG_FILE=" + dir + "/none"}} {
		run(t, append(fault, "LOG_FORMAT=console"), "serve").want(t, run(t, append(fault, "LOG_FORMAT=json"), "serve").code,
			"hbjournal: error: ", "hbjournal: hint: ")
	}
	log := filepath.Join(dir, "hb.log")
	run(t, append(blocked, "LOG_FILE="+log), "serve").want(t, exitFailed, "hbjournal: error: ", "hbjournal: hint: ")
	text, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(text), `"level":"fatal","error":"`) {
		t.Errorf("log_file: got %q, %v; want the error there too", text, err)
	}
}

// overfill writes more than log_max_size, and no faster than it is taken.
func overfill(t *testing.T, log *daemonLog) {
	t.Helper()
	for range 40 {
		log.Info().Msg(strings.Repeat("x", 32<<10))
		eventually(t, "the line is taken", func() bool {
			log.queue.mu.Lock()
			defer log.queue.mu.Unlock()
			return len(log.queue.pending) == 0
		})
	}
}

func TestNoLineOfTheLogHasAKeyTwice(t *testing.T) {
	s := serveInProcess(t, "LOG_LEVEL=debug")
	messages := []string{`{"ID":"HTB","message":"m","level":"x","time":"t"}`, `{"ID":"PLG","v":1.0}`, `[1]`}
	run(t, nil, append([]string{"send", "--to", s.udp}, messages...)...).want(t, exitDone)
	eventually(t, "all are logged", func() bool { return strings.Count(s.log.String(), "received journal message") == len(messages) })
	if code := s.stop(); code != exitDone {
		t.Errorf("exit: got %d, want 0", code)
	}
	for line := range strings.Lines(s.log.String()) {
		wantKeysOnce(t, line)
	}
	if want := `"content":` + messages[0]; !strings.Contains(s.log.String(), want) {
		t.Errorf("log: got no line with %s:\n%s", want, s.log.String())
	}
}

// wantKeysOnce wants each key at the top of a JSON object to stand there once.
func wantKeysOnce(t *testing.T, object string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(object))
	seen := map[json.Token]bool{}
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		if seen[key] {
			t.Errorf("key %q stands twice in %s", key, object)
		}
		seen[key] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
}
