package journal

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
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

func TestParseLineRefusesWhatIsNoEntry(t *testing.T) {
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
	f(sampleLine + sampleLine)
	f(sampleLine[:130] + sampleLine)
	f(replace("1711234567.123", "99999999999999999.123"))
	f(replace("T22", " 22"))
	f(replace("192.168.1.100", "webserver1"))
	f(replace("50003", "65536"))
	f(replace("50003", `"50003"`))
	f(replace(`{"ID"`, `[{"ID"`))
	f(replace(`"interval":30`, `"interval":`))
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

// TestParseLineTakesEntriesThatOthersHaveRewritten: with jq -c, Python, sort -k, an editor.
func TestParseLineTakesEntriesThatOthersHaveRewritten(t *testing.T) {
	want, err := ParseLine([]byte(sampleLine))
	if err != nil {
		t.Fatal(err)
	}
	f := func(line string, millis int64) {
		t.Helper()
		got, err := ParseLine([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			return
		}
		if got.Millis != millis || got.Source != want.Source || !bytes.Equal(got.Message, want.Message) || got.Datetime() != want.Datetime() {
			t.Errorf("%s: got %d %s %s %s", line, got.Millis, got.Datetime(), got.Source, got.Message)
		}
		clone := got.Clone()
		if !bytes.Equal(clone.Message, got.Message) || clone.Datetime() != got.Datetime() {
			t.Errorf("%s: the clone is %+v", line, clone)
		}
	}
	replace := func(old, new string) string { return strings.Replace(sampleLine, old, new, 1) }
	f(sampleLine+"\r", 1711234567123)
	f("  "+sampleLine+" \t", 1711234567123)
	f("\ufeff"+sampleLine, 1711234567123)
	f(replace("1711234567.123", "1711234567"), 1711234567000)
	f(replace("1711234567.123", "1711234567.1"), 1711234567100)
	f(replace("1711234567.123", "1711234567.12"), 1711234567120)
	f(replace("1711234567.123", "1711234567.123456"), 1711234567123)
	f(replace("1711234567.123", "1.711234567123e9"), 1711234567123)
	f(strings.ReplaceAll(strings.ReplaceAll(sampleLine, `":`, `" : `), `,"`, `, "`), 1711234567123)
	parts := strings.SplitN(strings.TrimSuffix(sampleLine, "}"), `,"message":`, 2)
	f(`{"message":`+parts[1]+`,"own":[1],`+strings.TrimPrefix(parts[0], "{")+"}", 1711234567123)
}

func TestTimeOfARewrittenLine(t *testing.T) {
	f := func(line string, want int64, timed bool) {
		t.Helper()
		if got, ok := LineTime([]byte(line)); got != want || ok != timed {
			t.Errorf("%s: got %d, %v; want %d, %v", line, got, ok, want, timed)
		}
	}
	f(`{"timestamp":1711234567.123,"datetime"`, 1711234567123, true)
	f(`{"timestamp":1711234567,"datetime"`, 1711234567000, true)
	f(`{"timestamp":1711234567.5,"datetime"`, 1711234567500, true)
	f("\ufeff"+` { "timestamp" : 1711234567.5 , "datetime"`, 1711234567500, true)
	f(`{"timestamp":17112`, 0, false)
	f(`{"datetime":"x","timestamp":1711234567.123}`, 0, false)
	f("", 0, false)
}

func FuzzParseLineTakesNothingButEntries(f *testing.F) {
	f.Add([]byte(sampleLine))
	f.Add([]byte(strings.ReplaceAll(sampleLine, ",", " , ")))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := ParseLine(line)
		if err != nil {
			return
		}
		again, err := ParseLine(bytes.TrimSuffix(NewEncoder(nil).AppendLine(nil, time.UnixMilli(e.Millis), e.Source, e.Message), []byte("\n")))
		if year := time.UnixMilli(e.Millis).UTC().Year(); year < 0 || year > 9999 || strings.ContainsAny(e.Source.Addr().Zone(), "\"\\\n") {
			return
		}
		if err != nil || again.Millis != e.Millis || again.Source != e.Source || !bytes.Equal(again.Message, e.Message) {
			t.Errorf("%q parses, but what would be written for it does not: %v", line, err)
		}
	})
}
