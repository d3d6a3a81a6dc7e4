package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestYAMLIsReadHoweverItIsWritten(t *testing.T) {
	f := func(text string, want func(*Config)) {
		t.Helper()
		cfg := Default()
		want(&cfg)
		l, err := Load(Sources{File: writeFile(t, text), Strict: true})
		if err != nil || !reflect.DeepEqual(l.Config, cfg) || len(l.Warnings) > 0 {
			t.Errorf("%q: got %+v, %v, %q, want %+v", text, l.Config, err, l.Warnings, cfg)
		}
	}
	file := func(name string) func(*Config) { return func(c *Config) { c.JournalFile = name } }
	f("x: &x\n  journal_file: a\n<<: *x\n", file("a"))
	f("x: &x\n  journal_file: a\n<<: *x\njournal_file: b\n", file("b"))
	f("journal_file: b\nx: &x\n  journal_file: a\n<<: *x\n", file("b"))
	f("x: &x {journal_file: a}\ny: &y {journal_file: b, rate_limit: 5}\n<<: [*x, *y]\n", func(c *Config) { c.JournalFile, c.RateLimit = "a", 5 })
	f("x: &x {journal_file: a}\ny: &y\n  <<: *x\n  rate_limit: 5\n<<: *y\n", func(c *Config) { c.JournalFile, c.RateLimit = "a", 5 })
	f("<<: {journal_file: a}\n", file("a"))
	f("x: &x a\njournal_file: *x\n", file("a"))
	f("x: &x a\ny: &x b\njournal_file: *x\n", file("b"))
	f("x: &x ID=HTB\nfilter_exclude: [*x, ID=PLG]\n", func(c *Config) { c.FilterExclude = []string{"ID=HTB", "ID=PLG"} })
	f("journal_file: &f a\nlog_file: *f\n", func(c *Config) { c.JournalFile, c.LogFile = "a", "a" })
	f("journal_file: !!str 0640\n", file("0640"))
	f("? journal_file\n: a\n", file("a"))
	f("\"journal_file\": a\n", file("a"))
	f("JOURNAL_FILE: a\n", file("a"))
	f("journal-file: a\n", file("a"))
	f("{journal_file: a}\n", file("a"))
	f("\ufeffjournal_file: a\n", file("a"))
	f("\ufeff# c\r\njournal_file: a\r\n", file("a"))
	f("%YAML 1.2\n---\njournal_file: a\n", file("a"))
	f("# c\n%YAML 1.1\n%TAG ! tag:x,2000:\n--- # c\njournal_file: a\n", file("a"))
	f("journal_file: a\n---\n", file("a"))
	f("journal_file: a\n--- # c\n---\n", file("a"))
	f("journal_file: a\n---\n# c\n...\n", file("a"))
	f("journal_file: a\n...\n", file("a"))
	f("---\n---\njournal_file: a\n", file("a"))
	f("---\njournal_file: a\n...\n---\n", file("a"))
	f("--- {journal_file: a}\n", file("a"))
	f("log_file: |-\n  ---x\njournal_file: a\n", func(c *Config) { c.JournalFile, c.LogFile = "a", "---x" })
	f("http_addr: \"\"\n", func(c *Config) { c.HTTPAddr = "" })
	f("http_addr: off\n", func(c *Config) { c.HTTPAddr = "off" })
	f("http_addr: |\n  off\n", func(c *Config) { c.HTTPAddr = "off" })
	f("http_addr:\nlog_file: ~\n", func(*Config) {})
	f("filter_exclude: [\"name=a,b\", \"ID=HTB\"]\n", func(c *Config) { c.FilterExclude = []string{"name=a,b", "ID=HTB"} })
	f("filter_exclude:\n  - name=a,b\n", func(c *Config) { c.FilterExclude = []string{"name=a,b"} })
	f("filter_exclude: name=a,ID=b\n", func(c *Config) { c.FilterExclude = []string{"name=a", "ID=b"} })
	f("filter_exclude: []\n", func(*Config) {})
	f("journal_enabled: no\nlog_level: INFO\njournal_compress: GZip\n", func(c *Config) { c.JournalEnabled, c.JournalCompress = false, "gzip" })
}

func TestYAMLThatCannotBeMeantIsRefused(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		path := writeFile(t, text)
		_, err := Load(Sources{File: path})
		if err == nil {
			t.Errorf("%q: got no error, want one with %q", text, want)
			return
		}
		for _, w := range append(want, path) {
			if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: got %q, want one line with %q", text, err, w)
			}
		}
	}
	f("<<: *x\n", ":1: *x stands for nothing")
	f("journal_file: *x\nx: &x a\n", ":1: *x stands for nothing")
	f("<<: 5\n", ":1: << merges settings")
	f("<<: [a]\n", ":1: << merges settings")
	f("x: &x\n  <<: *x\n<<: *x\n", "an alias leads to itself")
	f("journal_file: !!binary YQ==\n", ":1: the tag !!binary is not known here")
	f("journal_file: a\nJOURNAL_FILE: b\n", ":2: journal_file stands there twice, first on line 1")
	f("journal_file: a\n---\njournal_max_size: 5MB\n", "2 YAML documents")
	f("\xff\xfej\x00o\x00", "not UTF-8")
	f("journal_dir: \"\"\n", "give a directory")
	f("listen_addr: []\n", "give host:port")
	f("journal_max_size: \"\"\n", "is empty")
	f("journal_dir: |\n  /var/log/heartbeat\n", "ends in a newline", "|-")
	f("journal_file: |\n  x\n", "ends in a newline")
	f("allow_from: |\n  10.0.0.0/8\n  ::1\n", "holds a newline")
}

func TestUnknownKeysNameTheSettingThatWasMeant(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		path := writeFile(t, text)
		l, err := Load(Sources{File: path})
		for i := range want {
			want[i] = path + want[i]
		}
		if err != nil || !slices.Equal(l.Warnings, want) {
			t.Errorf("%q: got %q, %v, want %q", text, l.Warnings, err, want)
		}
	}
	f("journal:\n  dir: x\n", `:1: unknown key "journal"; did you mean "journal_dir"?`)
	f("journal:\n  x: y\n", `:1: unknown key "journal"`)
	f("JOURNAL_DRI: x\n", `:1: unknown key "JOURNAL_DRI"; did you mean "journal_dir"?`)
	f("x: &x\n  journal_max_sise: 5MB\n<<: *x\n", `:2: unknown key "journal_max_sise"; did you mean "journal_max_size"?`)
}

func TestOnlyWhatIsNeededCanFail(t *testing.T) {
	path := writeFile(t, "journal_dir: x\njournal_max_size: many\nlog_level: [a]\nhb_port: 5\n")
	broken := writeFile(t, "a: [\n")
	needs := []string{"journal_dir", "journal_file"}
	f := func(name string, src Sources, warnings []string, fault string) {
		t.Helper()
		l, err := Load(src)
		for i, w := range warnings {
			if len(l.Warnings) != len(warnings) || !strings.Contains(l.Warnings[i], w) {
				t.Errorf("%s: got warnings %q, want %q", name, l.Warnings, warnings)
				break
			}
		}
		if len(warnings) == 0 && len(l.Warnings) > 0 {
			t.Errorf("%s: got warnings %q, want none", name, l.Warnings)
		}
		if (err != nil) != (fault != "") || err != nil && !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: got %v, want %q", name, err, fault)
		}
	}
	env := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	f("foreign values", Sources{File: path, Needs: needs}, []string{"journal_max_size", "log_level"}, "")
	f("foreign variable", Sources{Environ: env("LOG_LEVEL", "loud"), Needs: needs}, []string{"log_level"}, "")
	f("own variable", Sources{Environ: env("JOURNAL_FILE", "a/b"), Needs: needs}, nil, "journal_file")
	f("own variable, not needed", Sources{Environ: env("JOURNAL_FILE", "a/b"), Needs: []string{}}, []string{"journal_file"}, "")
	f("own variable mistyped", Sources{Environ: env("JOURNAL_DRI", "x"), Needs: needs}, []string{"JOURNAL_DRI"}, "")
	f("foreign variable mistyped", Sources{Environ: env("LOG_LEVL", "x"), Needs: needs}, nil, "")
	f("broken file that may say where", Sources{Search: []string{broken}, Needs: needs}, nil, broken)
	f("broken file overruled", Sources{Search: []string{broken}, Environ: env("JOURNAL_DIR", "x"), Needs: needs}, []string{broken}, "")
	f("broken file, nothing needed", Sources{Search: []string{broken}, Needs: []string{}}, []string{broken}, "")
	f("missing file", Sources{Environ: env("CONFIG_FILE", broken+"x"), Needs: []string{}}, []string{"CONFIG_FILE"}, "")
	f("a directory", Sources{Environ: env("CONFIG_FILE", t.TempDir()), Needs: []string{}}, []string{"CONFIG_FILE"}, "")
	f("named by flag", Sources{File: broken, Needs: []string{}}, nil, broken)

	l, _ := Load(Sources{File: path, Needs: needs})
	if l.Config.JournalDir != "x" {
		t.Errorf("got journal_dir %q, want x from the file that has faults elsewhere", l.Config.JournalDir)
	}
}
