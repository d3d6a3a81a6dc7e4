package journal

import (
	"net/netip"
	"testing"
	"time"
)

func TestAppendLineWritesTheDocumentedLine(t *testing.T) {
	e := NewEncoder(nil)
	at := time.Date(2024, 3, 23, 22, 56, 7, 123_999_999, time.UTC)
	f := func(source, message, want string) {
		t.Helper()
		got := string(e.AppendLine([]byte("before\n"), at, netip.MustParseAddrPort(source), []byte(message)))
		if want = "before\n" + want + "\n"; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	f("192.168.1.100:50003", `{"ID":"HTB","name":"webserver1","interval":30,"ver":1}`,
		`{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"192.168.1.100","source_port":50003,`+
			`"message":{"ID":"HTB","name":"webserver1","interval":30,"ver":1}}`)
	f("[::ffff:10.0.0.1]:1", `{}`,
		`{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"10.0.0.1","source_port":1,"message":{}}`)
	f("[fe80::1%3]:65535", `{"s":"é\u2028 <&>"}`,
		`{"timestamp":1711234567.123,"datetime":"2024-03-23T22:56:07","source_ip":"fe80::1%3","source_port":65535,"message":{"s":"é\u2028 <&>"}}`)
}

func TestAppendSecondsKeepsExactlyThreeDecimals(t *testing.T) {
	f := func(millis int64, want string) {
		t.Helper()
		if got := string(AppendSeconds(nil, millis)); got != want {
			t.Errorf("AppendSeconds(%d) = %s, want %s", millis, got, want)
		}
	}
	f(1711234567123, "1711234567.123")
	f(1711234567000, "1711234567.000")
	f(1711234567007, "1711234567.007")
	f(0, "0.000")
	f(-1, "-0.001")
	f(-1500, "-1.500")
	f(9007199254740993, "9007199254740.993")
}

func TestAppendLineDoesNotAllocate(t *testing.T) {
	e := NewEncoder(nil)
	dst, at, from := make([]byte, 0, 4096), time.Unix(1711234567, 0), netip.MustParseAddrPort("10.0.0.1:50003")
	message := []byte(plugin)
	n := testing.AllocsPerRun(100, func() {
		at = at.Add(time.Millisecond)
		e.AppendLine(dst[:0], at, from, message)
	})
	if n != 0 {
		t.Errorf("got %v allocations a line, want 0", n)
	}
}

func BenchmarkAppendLine(b *testing.B) {
	e := NewEncoder(nil)
	dst, at, from := make([]byte, 0, 4096), time.Unix(1711234567, 0), netip.MustParseAddrPort("10.20.30.40:50003")
	message := []byte(plugin)
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		dst = e.AppendLine(dst[:0], at, from, message)
	}
}
