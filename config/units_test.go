package config

import (
	"encoding"
	"testing"
	"time"
)

func TestSizeReadsAndPrints(t *testing.T) {
	f := func(in string, want Size, printed string) {
		t.Helper()
		var s Size
		if err := s.UnmarshalText([]byte(in)); err != nil || s != want {
			t.Errorf("%q: got %d, %v, want %d", in, s, err, want)
		}
		if got, _ := s.MarshalText(); string(got) != printed {
			t.Errorf("%d: got %q, want %q", s, got, printed)
		}
	}
	f("0", 0, "0")
	f("104857600", 104857600, "100MiB")
	f("100MB", 100_000_000, "100MB")
	f("64MiB", 64<<20, "64MiB")
	f("64 mib", 64<<20, "64MiB")
	f("1.5GB", 1_500_000_000, "1500MB")
	f("1.5KiB", 1536, "1536")
	f("2kb", 2000, "2kB")
	f("123B", 123, "123")
	f("-5", -5, "-5")
	f("8TiB", 8<<40, "8TiB")
}

func TestBadTextIsRefused(t *testing.T) {
	f := func(v encoding.TextUnmarshaler, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if err := v.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T: got %v from %q, want an error", v, v, text)
			}
		}
	}
	f(new(Size), "", "MB", "1.5", "10XB", "1e3MB", "0x10", "9999999999TB", "99999999999999999999", "NaNMB", "1 000", "1_000")
	f(new(Duration), "", "5", "1 day", "1.5d", "-1d")
	f(new(Mode), "", "rw", "0649", "-1", "0x1f")
	f(new(Fsync), "", "0s", "-1s", "Never", "1")
}

func TestDurationModeAndFsyncPrintWhatTheyRead(t *testing.T) {
	f := func(v interface {
		encoding.TextUnmarshaler
		encoding.TextMarshaler
	}, in, want string,
	) {
		t.Helper()
		if err := v.UnmarshalText([]byte(in)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if got, _ := v.MarshalText(); string(got) != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f(new(Duration), "60s", "1m")
	f(new(Duration), "1h30m", "1h30m")
	f(new(Duration), "24h", "24h")
	f(new(Duration), "1d", "24h")
	f(new(Duration), "30d", "30d")
	f(new(Duration), "720h", "30d")
	f(new(Period), "off", "off")
	f(new(Period), "60m", "hour")
	f(new(Period), "day", "day")
	f(new(Period), "7d", "week")
	f(new(Period), "6h", "6h")
	f(new(Duration), "10m5s", "10m5s")
	f(new(Mode), "640", "0640")
	f(new(Mode), "0o750", "0750")
	f(new(Fsync), "never", "never")
	f(new(Fsync), "always", "always")
	f(new(Fsync), "1500ms", "1.5s")
	if got, _ := Fsync(time.Minute).MarshalText(); string(got) != "1m" {
		t.Errorf("got %q, want 1m", got)
	}
}

func TestNearestFindsSlipsOnly(t *testing.T) {
	f := func(word, want string) {
		t.Helper()
		if got := Nearest(word, KeyNames()); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	f("journal_dri", "journal_dir")
	f("journal_max_backup", "journal_max_backups")
	f("listen_adress", "listen_addr")
	f("hb_interval", "")
	f("x", "")
}
