package config

import (
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// faultsOf loads one value of one key from each source that can hold it, and returns what is said of it: faults, and
// warnings after "warning: ".
func faultsOf(t *testing.T, name, text string, environ map[string]string) []string {
	t.Helper()
	k, ok := keyNamed(name)
	if !ok {
		t.Fatalf("no key %q", name)
	}
	with := map[string]string{k.Var: text}
	for name, value := range environ {
		with[name] = value
	}
	all := map[string]Sources{"variable": {Environ: with}, "flag": {Environ: environ, Flags: map[string]string{k.Flag: text}}}
	var said []string
	for from, src := range all {
		var now []string
		l, err := Load(src)
		if err != nil {
			now = strings.Split(err.Error(), "\n")
		}
		for _, w := range l.Warnings {
			now = append(now, "warning: "+w)
		}
		if said != nil && len(now) != len(said) {
			t.Errorf("%s=%q from a %s: got %q, and %q from another source", name, text, from, now, said)
		}
		said = now
	}
	return said
}

// wantSaid checks that exactly one thing is said of the value, and that it holds text; "": nothing is said.
func wantSaid(t *testing.T, name, value, text string, environ map[string]string) {
	t.Helper()
	got := faultsOf(t, name, value, environ)
	if text == "" && len(got) == 0 || len(got) == 1 && text != "" && strings.Contains(got[0], text) {
		return
	}
	t.Errorf("%s=%q: got %q, want one with %q", name, value, got, text)
}

func TestPathsThatAreNotWhatTheirWriterSawAreRefused(t *testing.T) {
	for _, k := range Keys() {
		if k.path == "" {
			continue
		}
		f := func(value, text string) {
			t.Helper()
			wantSaid(t, k.Name, value, text, map[string]string{"HOME": "/home/hb"})
		}
		f("x\n", "ends in a newline")
		f("x\r", "ends in a carriage return")
		f("x\r\n", "ends in a carriage return")
		f("x\ny", "holds a newline")
		f("x\ty", "holds a tab")
		f("x\x00", "holds the character U+0000")
		f("x\u0085y", "holds the character U+0085")
		f("x\x7f", "holds the character U+007F")
		f("x\xff", "is not UTF-8")
		f(" x", "white space")
		f("x ", "white space")
		f("x\u00a0", "white space")
		f("\ufeffx", "white space")
		f(`"x"`, "begins with a quote")
		f("'x'", "begins with a quote")
		f(`"x`, "begins with a quote")
		f("“x”", "begins with a quote")
		f(`x"`, "warning: ")
		f("x # a comment", "warning: ")
		f("$HOME-x", "holds a variable")
		f("${X}", "holds a variable")
		f("$(pwd)", "holds a variable")
		f("{{ x }}", "holds a variable")
		f("%USERPROFILE%", "holds a variable")
		f("x y", "")
		f("x#y", "")
		f("100%", "")
		f("a$", "")
		if k.path != pathName {
			f("file:///x", "is a URL")
			f("~hb/x", "begins with ~ and a name")
			if runtime.GOOS != "windows" {
				f(`C:\x`, "is a path of Windows")
			}
		}
	}
}

func TestTildeIsTheHomeDirectory(t *testing.T) {
	f := func(value, home, want, fault string) {
		t.Helper()
		l, err := Load(Sources{Environ: map[string]string{"HOME": home, "JOURNAL_DIR": value, "LOG_FILE": value}})
		if fault != "" {
			if err == nil || strings.Count(err.Error(), fault) != 2 {
				t.Errorf("%q: got %v, want %q twice", value, err, fault)
			}
			return
		}
		if err != nil || l.Config.JournalDir != want || l.Config.LogFile != want {
			t.Errorf("%q: got %q and %q, %v, want %q", value, l.Config.JournalDir, l.Config.LogFile, err, want)
		}
	}
	f("~/x", "/home/hb", "/home/hb/x", "")
	f("~", "/home/hb", "/home/hb", "")
	f("/x/~", "/home/hb", "/x/~", "")
	f("~/x", "", "", "HOME")
	f("~/x", "relative", "", "HOME")
	f("~root/x", "/home/hb", "", "homes of others")
}

func TestTheConfigFileMayLieAtHomeAndIsNotLookedForWhereNobodyMeant(t *testing.T) {
	path := writeFile(t, "journal_max_backups: 4\n")
	home := strings.TrimSuffix(path, "/hb.yaml")
	l, err := Load(Sources{Environ: map[string]string{"HOME": home, "CONFIG_FILE": "~/hb.yaml"}})
	if err != nil || l.Config.JournalMaxBackups != 4 {
		t.Errorf("got %d, %v, want 4 of ~/hb.yaml", l.Config.JournalMaxBackups, err)
	}
	_, err = Load(Sources{Environ: map[string]string{"CONFIG_FILE": path + "\r\n"}})
	if err == nil || !strings.Contains(err.Error(), "ends in a carriage return") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %q, want one line that says how the name ends", err)
	}
}

func TestWordsAreTakenInAnyCase(t *testing.T) {
	for _, k := range Keys() {
		for _, word := range k.Words {
			for _, spelled := range []string{strings.ToUpper(word), strings.ToUpper(word[:1]) + word[1:], " " + word + "\n"} {
				l, err := Load(Sources{Environ: map[string]string{k.Var: spelled}})
				if got := k.Text(l.Config); err != nil || got != word {
					t.Errorf("%s=%q: got %q, %v, want %q", k.Var, spelled, got, err, word)
				}
			}
		}
	}
	f := func(name, in, want string) {
		t.Helper()
		k, _ := keyNamed(name)
		l, err := Load(Sources{Environ: map[string]string{k.Var: in}})
		if got := k.Text(l.Config); err != nil || got != want {
			t.Errorf("%s=%q: got %q, %v, want %q", name, in, got, err, want)
		}
	}
	f("log_level", "WARNING", "warn")
	f("journal_enabled", "No", "false")
	f("journal_enabled", "off", "false")
	f("journal_local_time", "YES", "true")
	f("journal_rotate_every", "OFF", "off")
	f("journal_max_size", "10mb\r", "10MB")
	f("listen_addr", "127.0.0.1:1\r\n", "127.0.0.1:1")
}

func TestListsThatAreNotWhatTheirWriterSawAreRefused(t *testing.T) {
	f := func(value, text string) {
		t.Helper()
		wantSaid(t, "filter_include", value, text, nil)
	}
	f("ID=PLG\nID=HTB", "holds a newline")
	f(`"ID=PLG"`, "begins with a quote")
	f("ID=HTB,'ID=PLG'", "begins with a quote")
	f("ID=PLG # plugins", "warning: ")
	f("ID=PLG\n", "")
	f(`name="x"`, "")
}

func TestWhatWouldKeepNextToNothingIsWarnedAbout(t *testing.T) {
	f := func(name, value, text string) {
		t.Helper()
		wantSaid(t, name, value, text, nil)
	}
	f("journal_max_size", "100", "warning: ")
	f("journal_max_size", "65535", "warning: ")
	f("journal_max_size", "64KiB", "")
	f("journal_max_size", "0", "")
	f("journal_max_age", "30m", "warning: ")
	f("journal_max_age", "1h", "")
	l, err := Load(Sources{Environ: map[string]string{"JOURNAL_MAX_SIZE": "0", "JOURNAL_MAX_TOTAL_SIZE": "500", "JOURNAL_ROTATE_EVERY": "hour"}})
	if err != nil || len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "journal_max_total_size") {
		t.Errorf("got %q, %v, want a warning about journal_max_total_size", l.Warnings, err)
	}
}

func TestANameThatLeavesNoRoomForItsBackupsIsSaid(t *testing.T) {
	f := func(name, text string) {
		t.Helper()
		wantSaid(t, "journal_file", name, text, nil)
	}
	f(strings.Repeat("a", 231), "")
	f(strings.Repeat("a", 232), "warning: ")
	f(strings.Repeat("a", 252), "warning: ")
	f(strings.Repeat("a", 253), "too long for a file")
	f(strings.Repeat("é", 122), "is 244 bytes long")
	f("messages.journal.20260328-120000", "name of a backup")
	f("messages.journal.20260328-120000.gz", "name of a backup")
	f("messages.journal.2026", "")
}

func TestADirectoryThatIsTheFileIsWarnedAbout(t *testing.T) {
	wantSaid(t, "journal_dir", "/var/log/messages.journal", "warning: ", nil)
}

func TestLocalTimeNeedsAZoneThatIsKnown(t *testing.T) {
	f := func(tz, text string) {
		t.Helper()
		wantSaid(t, "journal_local_time", "true", text, map[string]string{"TZ": tz})
		wantSaid(t, "journal_local_time", "false", "", map[string]string{"TZ": tz})
	}
	f("JST-9", "no zone that is known")
	f("<+09>-9", "no zone that is known")
	f("CET-1CEST,M3.5.0,M10.5.0/3", "no zone that is known")
	f("Nowhere/City", "no zone that is known")
	f("/nonexistent", "no zone that is known")
	f("../etc/passwd", "no zone that is known")
	f("asia/tokyo\r", "no zone that is known")
	f("Local", "no zone that is known")
	f("Asia/Tokyo", "")
	f(":Asia/Tokyo", "")
	f("EST5EDT", "")
	f("UTC", "")
	f("UTC0", "")
	f("", "")
}

func TestVariablesThatAreOursButForASlipAreDoubted(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		environ := map[string]string{name: "tcp://10.0.0.1:50003"}
		l, err := Load(Sources{Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		_, errStrict := Load(Sources{Environ: environ, Strict: true})
		if want == "" {
			if len(l.Warnings) > 0 || errStrict != nil {
				t.Errorf("%s: got %q and %v, want nothing", name, l.Warnings, errStrict)
			}
			return
		}
		said := "env " + name + ": unknown variable; did you mean " + want + "?"
		if !reflect.DeepEqual(l.Warnings, []string{said}) || errStrict == nil || errStrict.Error() != said {
			t.Errorf("%s: got %q and %v, want %q", name, l.Warnings, errStrict, said)
		}
	}
	for name, want := range map[string]string{
		"JOURNAL_MAX_SIZ": "JOURNAL_MAX_SIZE", "JOURNAL_MAXSIZE": "JOURNAL_MAX_SIZE", "JOURNAL_SIZE": "JOURNAL_MAX_SIZE",
		"JOURNAL_DIRS": "JOURNAL_DIR", "JOURNAL_DRI": "JOURNAL_DIR", "JOURNALDIR": "JOURNAL_DIR", "JOURNAL__DIR": "JOURNAL_DIR",
		"journal_dir": "JOURNAL_DIR", "JOURNAL-DIR": "JOURNAL_DIR", "HBJOURNAL_DIR": "JOURNAL_DIR", "HB_LOG_LEVEL": "LOG_LEVEL",
		"JOURNAL_DIR_FILE": "JOURNAL_DIR", "JOURNAL_MAX_BACKUP": "JOURNAL_MAX_BACKUPS", "JOURNAL_BACKUPS": "JOURNAL_MAX_BACKUPS",
		"JOURNAL_COMPRES": "JOURNAL_COMPRESS", "LISTEN_ADR": "LISTEN_ADDR", "LOG_LEVL": "LOG_LEVEL", "LOG_LEVELS": "LOG_LEVEL",
		"LOG_FILES": "LOG_FILE", "FILTER_EXLUDE": "FILTER_EXCLUDE", "RATE_LIMITS": "RATE_LIMIT", "DEDUP_WINDOWS": "DEDUP_WINDOW",
		"SHUTDOWN_TIMEOU": "SHUTDOWN_TIMEOUT", "MAX_MESAGE_SIZE": "MAX_MESSAGE_SIZE", "HTTP_ADR": "HTTP_ADDR", "ALOW_FROM": "ALLOW_FROM",
		"CONFIG_FIL": "CONFIG_FILE", "LISTEN_ADDRESS": "LISTEN_ADDR", "HTTP_ADDRESS": "HTTP_ADDR", "JOURNAL_DIRECTORY": "JOURNAL_DIR",
		"JOURNAL_FILENAME": "JOURNAL_FILE",
	} {
		f(name, want)
	}
	for _, name := range []string{
		"JOURNAL_PORT", "JOURNAL_SERVICE_HOST", "JOURNAL_SERVICE_PORT", "JOURNAL_SERVICE_PORT_UDP", "JOURNAL_PORT_50003_UDP",
		"JOURNAL_PORT_50003_UDP_PROTO", "JOURNAL_PORT_50003_UDP_PORT", "JOURNAL_PORT_50003_UDP_ADDR", "LOG_FILE_PORT",
		"LOG_LEVEL_SERVICE_HOST", "JOURNAL_STREAM", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "HTTP_PROXY", "LOGNAME", "LOG_DIR",
		"HTTP_PORT", "APP_LOG_LEVEL", "MY_CONFIG_FILE", "HOME", "TZ", "PATH", "LOG_NAME", "MAX_SIZE",
	} {
		f(name, "")
	}
}
