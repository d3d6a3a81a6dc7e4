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
	log, closer, err := openLog(cfg, &b)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("not this one")
	log.Warn().Str("path", "x").Msg("this one")
	if err := closer.Close(); err != nil {
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
	log, closer, err := openLog(cfg, &b)
	if err != nil {
		t.Fatal(err)
	}
	log.Error().Str("path", "x").Msg("rotate")
	if err := closer.Close(); err != nil {
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
	log, closer, err := openLog(cfg, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 64<<10)
	for range 20 {
		log.Info().Msg(long)
	}
	if err := closer.Close(); err != nil {
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
	o.want(t, exitFailed, "hbjournal: error: open log_file: ", dir, "hbjournal: hint: ", "LOG_FILE")
}
