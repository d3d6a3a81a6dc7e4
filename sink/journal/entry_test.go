package journal

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"
)

const sampleLine = `{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"192.168.1.100","source_port":50003,` +
	`"message":{"ID":"HTB","name":"webserver1","interval":30,"ver":1}}`

func TestParseLineTakesAWholeEntryApart(t *testing.T) {
	got, err := ParseLine([]byte(sampleLine))
	if err != nil {
		t.Fatal(err)
	}
	if got.Millis != 1711234567123 {
		t.Errorf("millis: got %d, want 1711234567123", got.Millis)
	}
	if want := netip.MustParseAddrPort("192.168.1.100:50003"); got.Source != want {
		t.Errorf("source: got %s, want %s", got.Source, want)
	}
	if want := `{"ID":"HTB","name":"webserver1","interval":30,"ver":1}`; string(got.Message) != want {
		t.Errorf("message: got %s, want %s", got.Message, want)
	}
}

func TestParseLineRefusesWhatTheJournalDoesNotWrite(t *testing.T) {
	f := func(line string) {
		t.Helper()
		if _, err := ParseLine([]byte(line)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", line, err)
		}
	}
	replace := func(old, new string) string {
		return string(bytes.Replace([]byte(sampleLine), []byte(old), []byte(new), 1))
	}
	f("")
	f("{}")
	f("\x00\x00\x00")
	for cut := range len(sampleLine) {
		f(sampleLine[:cut])
	}
	f(sampleLine + " ")
	f(sampleLine + sampleLine)
	f(sampleLine[:130] + sampleLine)
	f(replace("1711234567.123", "1711234567"))
	f(replace("1711234567.123", "1711234567.12"))
	f(replace("1711234567.123", "1711234567.1234"))
	f(replace("1711234567.123", "99999999999999999.123"))
	f(replace("T22", " 22"))
	f(replace("192.168.1.100", "webserver1"))
	f(replace("50003", "65536"))
	f(replace("50003", `"50003"`))
	f(replace(`{"ID"`, `[{"ID"`))
	f(replace(`"interval":30`, `"interval":`))
	f(replace(`"timestamp":`, `"timestamp": `))
}

func FuzzAppendLineAndParseLineAreInverse(f *testing.F) {
	f.Add(int64(1711234567123), "192.168.1.100", uint16(50003), `{"ID":"HTB"}`)
	f.Add(int64(-1), "fe80::1%2", uint16(0), `{}`)
	f.Fuzz(func(t *testing.T, millis int64, addr string, port uint16, message string) {
		millis %= 1e14
		ip, err := netip.ParseAddr(addr)
		compact, compactErr := Compact(nil, []byte(message))
		if err != nil || compactErr != nil || compact[0] != '{' || bytes.ContainsAny([]byte(ip.Zone()), "\"\\\n") {
			t.Skip()
		}
		from := netip.AddrPortFrom(ip.Unmap(), port)
		line := NewEncoder(nil).AppendLine(nil, time.UnixMilli(millis), from, compact)
		got, err := ParseLine(bytes.TrimSuffix(line, []byte("\n")))
		if year := time.UnixMilli(millis).UTC().Year(); year < 0 || year > 9999 {
			t.Skip()
		}
		if err != nil {
			t.Fatalf("parse %s: %v", line, err)
		}
		if got.Millis != millis || got.Source != from || !bytes.Equal(got.Message, compact) {
			t.Errorf("got %d %s %s, want %d %s %s", got.Millis, got.Source, got.Message, millis, from, compact)
		}
	})
}

func FuzzParseLineTakesNothingButWholeLines(f *testing.F) {
	f.Add([]byte(sampleLine))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := ParseLine(line)
		if err != nil {
			return
		}
		again := NewEncoder(nil).AppendLine(nil, time.UnixMilli(e.Millis), e.Source, e.Message)
		// The datetime may be in any zone, so only its place is compared.
		if len(again) != len(line)+1 || !bytes.HasSuffix(again, append(e.Message, "}\n"...)) {
			t.Errorf("%q parses, but would be written as %q", line, again)
		}
	})
}
