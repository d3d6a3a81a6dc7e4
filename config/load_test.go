package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// others returns three values of the key that differ from each other and from its default.
func others(t *testing.T, k Key) [3]string {
	t.Helper()
	words := map[string][3]string{
		"journal_invalid":        {"drop", "keep", "drop"},
		"log_level":              {"debug", "warn", "error"},
		"log_format":             {"json", "console", "json"},
		"journal_compress":       {"gzip", "zstd", "none"},
		"journal_max_total_size": {"1GiB", "2GiB", "3GiB"},
		"filter_include":         {"ID=HTB", "a=1,b=2", "c=*"},
		"filter_exclude":         {"ID=HTB", "a=1,b=2", "c=*"},
		"journal_checkpoints_to": {"a", "/b c", "https://d/e"},
		"forward_to":             {"stdout:", "http://a/x,y file:///b", "kafka://a,b/t?name=c"},
		"allow_from":             {"10.0.0.0/8", "127.0.0.1,::1", "192.168.1.0/24"},
		"web_addr":               {"127.0.0.1:1", ":2", "[::1]:3"},
		"web_hosts":              {"a", "a,b.c", "d"},
		"http_addr":              {"127.0.0.1:1", ":2", "off"},
		"journal_encrypt_to":     {"a.txt", "a.txt,b.txt", "c.txt"},
		"listen_addr":            {"127.0.0.1:1", "127.0.0.1:2,[::1]:2", ":3"},
	}
	if w, ok := words[k.Name]; ok {
		return w
	}
	switch k.fieldType() {
	case reflect.TypeFor[Size]():
		return [3]string{"5MiB", "6MiB", "7MiB"}
	case reflect.TypeFor[Duration](), reflect.TypeFor[Period](), reflect.TypeFor[Fsync]():
		return [3]string{"5s", "6s", "7s"}
	case reflect.TypeFor[Mode]():
		return [3]string{"0700", "0711", "0755"}
	}
	switch k.fieldType().Kind() {
	case reflect.Bool:
		on := k.Text(Default()) == "true"
		if on {
			return [3]string{"false", "true", "false"}
		}
		return [3]string{"true", "false", "true"}
	case reflect.Int:
		return [3]string{"5", "6", "7"}
	case reflect.String:
		return [3]string{"from-file", "from-env", "from-flag"}
	}
	t.Fatalf("%s: no values to test with for type %v; add them here", k.Name, k.fieldType())
	return [3]string{}
}

func TestEveryKeyComesFromFlagOverEnvironmentOverFileOverDefault(t *testing.T) {
	for _, k := range Keys() {
		t.Run(k.Name, func(t *testing.T) {
			v := others(t, k)
			path := writeFile(t, k.Name+": \""+v[0]+"\"\n")
			file := Sources{File: path}
			withEnv := Sources{File: path, Environ: map[string]string{k.Var: v[1]}}
			withFlag := withEnv
			withFlag.Flags = map[string]string{k.Flag: v[2]}

			wantSetting(t, k, Sources{}, k.Text(Default()), "default")
			wantSetting(t, k, file, v[0], path+":1")
			wantSetting(t, k, withEnv, v[1], "env "+k.Var)
			wantSetting(t, k, withFlag, v[2], "flag --"+k.Flag)

			empty := file
			empty.Environ = map[string]string{k.Var: ""}
			wantSetting(t, k, empty, v[0], path+":1")
		})
	}
}

func wantSetting(t *testing.T, k Key, src Sources, want, origin string) {
	t.Helper()
	l, err := Load(src)
	if err != nil {
		t.Fatalf("load %s: %v", k.Name, err)
	}
	if got := k.Text(l.Config); got != want {
		t.Errorf("%s: got %q, want %q from %s", k.Name, got, want, origin)
	}
	if got := l.Origins[k.Name].String(); got != origin {
		t.Errorf("%s: got origin %q, want %q", k.Name, got, origin)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hb.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryKeyIsNamedAlikeInEachSource(t *testing.T) {
	for _, k := range Keys() {
		if k.Var != strings.ToUpper(k.Name) {
			t.Errorf("%s: got variable %q, want the key in capitals", k.Name, k.Var)
		}
		if k.Help == "" || strings.HasSuffix(k.Help, ".") {
			t.Errorf("%s: got help %q, want a phrase without a period", k.Name, k.Help)
		}
		f := reflect.TypeFor[Config]().Field(k.index)
		if f.Tag.Get("envDefault") != "" {
			t.Errorf("%s: has an envDefault, which would overwrite the file's value", k.Name)
		}
	}
}

func TestDefaultIsValid(t *testing.T) {
	l, err := Load(Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(l.Config, Default()) {
		t.Errorf("got %+v, want %+v", l.Config, Default())
	}
}

func TestTheOptionsOfMessageJournalWorkAsDocumented(t *testing.T) {
	path := writeFile(t, `# Message journal configuration
journal_enabled: true # Enable/disable journaling
journal_dir: /var/log/heartbeat # Directory for journal files
journal_file: messages.journal # Base filename
journal_max_size: 104857600 # Max size in bytes (100MB default)
journal_max_backups: 10 # Number of backup files to keep
`)
	l, err := Load(Sources{File: path, Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(l.Config, Default()) {
		t.Errorf("got %+v, want the defaults %+v", l.Config, Default())
	}
}

func TestAllFaultsAreReportedAtOnceWithTheirPlace(t *testing.T) {
	path := writeFile(t, "journal_max_size: 10 XB\njournal_dir: [a, b]\njournal_max_backups: -1\nlog_level: inof\n")
	_, err := Load(Sources{
		File:    path,
		Environ: map[string]string{"JOURNAL_FSYNC": "sometimes", "JOURNAL_FILE": "../x", "LISTEN_ADDR": "50003"},
		Flags:   map[string]string{"journal-enabled": "perhaps", "shutdown-timeout": ""},
	})
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want Faults", err)
	}
	want := []struct{ key, origin, value, problem string }{
		{"journal_enabled", "flag --journal-enabled", "perhaps", "true or false"},
		{"journal_dir", path + ":2", "[a, b]", "not a plain value"},
		{"journal_file", "env JOURNAL_FILE", "../x", "without a directory"},
		{"journal_max_size", path + ":1", "10 XB", "for example 500MB"},
		{"journal_max_backups", path + ":3", "-1", "0 (keep all) or more"},
		{"journal_fsync", "env JOURNAL_FSYNC", "sometimes", "never, always"},
		{"listen_addr", "env LISTEN_ADDR", "50003", "host:port"},
		{"log_level", path + ":4", "inof", "did you mean info?"},
		{"shutdown_timeout", "flag --shutdown-timeout", "", "is empty"},
	}
	if len(faults) != len(want) {
		t.Fatalf("got %d faults, want %d:\n%v", len(faults), len(want), err)
	}
	for i, w := range want {
		f := faults[i]
		if f.Key != w.key || f.Origin.String() != w.origin || f.Value != w.value || !strings.Contains(f.Problem, w.problem) {
			t.Errorf("fault %d: got %v, want %v", i, f, w)
		}
	}
}

func TestUnknownKeyIsAWarningAndAFaultUnderStrict(t *testing.T) {
	path := writeFile(t, "journal_max_sise: 5\nhb_interval: 30\n")
	l, err := Load(Sources{File: path})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		path + `:1: unknown key "journal_max_sise"; did you mean "journal_max_size"?`,
		path + `:2: unknown key "hb_interval"`,
	}
	if !reflect.DeepEqual(l.Warnings, want) {
		t.Errorf("got warnings %q, want %q", l.Warnings, want)
	}
	_, err = Load(Sources{File: path, Strict: true})
	if got := strings.Split(err.Error(), "\n"); !reflect.DeepEqual(got, want) {
		t.Errorf("got faults %q, want %q", got, want)
	}
}

func TestFileIsTheNamedOneOrTheFirstFound(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	first, second := writeFile(t, "journal_max_backups: 1\n"), writeFile(t, "journal_max_backups: 2\n")
	search := []string{missing, first, second}
	f := func(src Sources, want string) {
		t.Helper()
		l, err := Load(src)
		if err != nil || l.File != want {
			t.Errorf("got file %q, %v, want %q", l.File, err, want)
		}
	}
	f(Sources{Search: search}, first)
	f(Sources{Search: search, Environ: map[string]string{"CONFIG_FILE": second}}, second)
	f(Sources{Search: search, Environ: map[string]string{"CONFIG_FILE": second}, File: first}, first)
	f(Sources{Search: []string{missing}}, "")

	if _, err := Load(Sources{File: missing}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--config") {
		t.Errorf("got %v, want a missing file that --config names", err)
	}
	_, err := Load(Sources{Environ: map[string]string{"CONFIG_FILE": missing}})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "CONFIG_FILE") {
		t.Errorf("got %v, want a missing file that CONFIG_FILE names", err)
	}
}

func TestYAMLForms(t *testing.T) {
	f := func(text string, want func(*Config)) {
		t.Helper()
		cfg := Default()
		want(&cfg)
		l, err := Load(Sources{File: writeFile(t, text), Strict: true})
		if err != nil || !reflect.DeepEqual(l.Config, cfg) {
			t.Errorf("%q: got %+v, %v, want %+v", text, l.Config, err, cfg)
		}
	}
	f("", func(*Config) {})
	f("# only a comment\n", func(*Config) {})
	f("---\njournal_dir: x\n", func(c *Config) { c.JournalDir = "x" })
	f("journal_dir:\nlog_file: ~\n", func(*Config) {})
	f("journal_file_mode: 0600\njournal_dir_mode: 0o700\n", func(c *Config) { c.JournalFileMode, c.JournalDirMode = 0o600, 0o700 })
	f("listen_addr: [127.0.0.1:1, '[::1]:2']\n", func(c *Config) { c.ListenAddr = []string{"127.0.0.1:1", "[::1]:2"} })
	f("listen_addr:\n  - :1\n  - \":2\"\n", func(c *Config) { c.ListenAddr = []string{":1", ":2"} })
	f("listen_addr: ':1, :2,'\n", func(c *Config) { c.ListenAddr = []string{":1", ":2"} })
	f("journal_max_size: 1.5GB # big\njournal_fsync: 250ms\n", func(c *Config) {
		c.JournalMaxSize, c.JournalFsync = 1500*MB, Fsync(250*time.Millisecond)
	})
	f("journal_dir: |-\n  x y\n", func(c *Config) { c.JournalDir = "x y" })
}

func TestBadYAMLSaysWhere(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		path := writeFile(t, text)
		_, err := Load(Sources{File: path})
		if err == nil {
			t.Errorf("%q: got no error", text)
			return
		}
		for _, w := range append(want, path) {
			if !strings.Contains(err.Error(), w) || strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("%q: got %q, want one line with %q", text, err, w)
			}
		}
	}
	f("journal_dir: [a\n", ":1")
	f("a: 1\njournal_dir: x\njournal_dir: y\n", ":3", "journal_dir")
	f("- a\n- b\n", "one a line")
	f("just text\n", "one a line")
	f("journal_dir: a\n---\njournal_dir: b\n", "2 YAML documents")
}
