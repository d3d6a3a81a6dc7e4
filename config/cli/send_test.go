package cli

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// inbox is a UDP socket for `send` to send to.
type inbox struct {
	t    *testing.T
	conn *net.UDPConn
}

func openInbox(t *testing.T) inbox {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	return inbox{t, conn}
}

func (in inbox) addr() string { return in.conn.LocalAddr().String() }

// take returns the next n datagrams.
func (in inbox) take(n int) []string {
	in.t.Helper()
	if err := in.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		in.t.Fatal(err)
	}
	var all []string
	buf := make([]byte, 1<<16)
	for len(all) < n {
		size, err := in.conn.Read(buf)
		if err != nil {
			in.t.Fatalf("after %d of %d datagrams: %v", len(all), n, err)
		}
		all = append(all, string(buf[:size]))
	}
	return all
}

// runSend runs `send` with args and returns its exit code and what it printed on standard error.
func runSend(t *testing.T, stdin io.Reader, args ...string) (code int, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	code = Run(t.Context(), append([]string{"send"}, args...), Env{Stdin: stdin, Stdout: &out, Stderr: &log})
	if out.Len() > 0 {
		t.Errorf("send %q: got %q on standard output, want nothing", args, out.String())
	}
	return code, log.String()
}

func TestSendSendsWhatItIsGiven(t *testing.T) {
	f := func(name, stdin string, args, want []string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			in := openInbox(t)
			code, stderr := runSend(t, strings.NewReader(stdin), append([]string{"--to", in.addr()}, args...)...)
			if code != exitDone {
				t.Fatalf("got exit %d with %q, want 0", code, stderr)
			}
			if got := in.take(len(want)); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if len(want) == 1 && stderr != "" {
				t.Errorf("got %q on standard error, want nothing for one message", stderr)
			}
		})
	}
	f("one argument, byte for byte", "", []string{`{"ID": "HTB"} `}, []string{`{"ID": "HTB"} `})
	f("several arguments, once each", "", []string{"a", "b", "c"}, []string{"a", "b", "c"})
	f("arguments over and over for a count", "", []string{"--count", "5", "a", "b"}, []string{"a", "b", "a", "b", "a"})
	f("lines without their ends, blank ones left out", "a\r\n\n b\nc", nil, []string{"a", " b", "c"})
	f("the first of the lines", "a\nb\nc\n", []string{"--count", "2"}, []string{"a", "b"})
}

func TestSendCompressesEachMessage(t *testing.T) {
	in := openInbox(t)
	if code, stderr := runSend(t, nil, "--to", in.addr(), "--zlib", `{"n":1}`, `{"n":22}`); code != exitDone {
		t.Fatalf("got exit %d with %q, want 0", code, stderr)
	}
	for i, datagram := range in.take(2) {
		r, err := zlib.NewReader(strings.NewReader(datagram))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if want := []string{`{"n":1}`, `{"n":22}`}[i]; err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestSendMixNumbersEveryMessage(t *testing.T) {
	in := openInbox(t)
	code, stderr := runSend(t, nil, "--to", in.addr(), "--mix", "--count", "500", "--rate", "20000")
	if code != exitDone {
		t.Fatalf("got exit %d with %q, want 0", code, stderr)
	}
	for i, message := range in.take(500) {
		if want := fmt.Sprintf(`"n": %d,`, mixFirst+i); !strings.Contains(message, want) {
			t.Fatalf("message %d: got %s, want it to hold %s", i, message, want)
		}
	}
	summary := regexp.MustCompile(`^hbjournal: sent 500 messages, 83750 bytes to 127\.0\.0\.1:\d+ in 0\.\d+s, \d+/s\n$`)
	if !summary.MatchString(stderr) {
		t.Errorf("got %q, want it to match %s", stderr, summary)
	}
}

func TestSendStopsAfterItsTime(t *testing.T) {
	in := openInbox(t)
	code, stderr := runSend(t, nil, "--to", in.addr(), "--rate", "100", "--duration", "35ms", "x")
	some := regexp.MustCompile(`^hbjournal: sent [1-4] messages?, `) // Fewer than four where the machine was busy.
	if code != exitDone || !some.MatchString(stderr) {
		t.Errorf("got exit %d with %q, want 0 and four messages at most", code, stderr)
	}
}

// A line must not wait in a batch for the next one, which may be a day away.
func TestSendSendsALineAtOnce(t *testing.T) {
	in := openInbox(t)
	stdin, typed := io.Pipe()
	done := make(chan int, 1)
	go func() {
		code, _ := runSend(t, stdin, "--to", in.addr())
		done <- code
	}()
	for _, line := range []string{"first", "second"} {
		fmt.Fprintln(typed, line)
		if got := in.take(1)[0]; got != line {
			t.Errorf("got %q, want %q", got, line)
		}
	}
	typed.Close()
	if code := <-done; code != exitDone {
		t.Errorf("got exit %d, want 0", code)
	}
}

func TestSendTellsWhatIsWrong(t *testing.T) {
	in := openInbox(t)
	closed := openInbox(t)
	closed.conn.Close()
	long := strings.Repeat("x", 65_508)
	f := func(code int, stdin string, args []string, want ...string) {
		t.Helper()
		got, stderr := runSend(t, strings.NewReader(stdin), args...)
		if got != code {
			t.Errorf("%.60q: got exit %d with %q, want %d", args, got, stderr, code)
		}
		for _, part := range append(want, "hbjournal: hint: ") {
			if strings.Count(stderr, part) != 1 {
				t.Errorf("%.60q: got %q, want it to hold %q once", args, stderr, part)
			}
		}
	}
	f(exitFailed, "", []string{"--to", closed.addr(), "x"}, "send to "+closed.addr()+": nothing listens there", "hbjournal serve")
	f(exitFailed, "", []string{"--to", closed.addr(), "--count", "1000", "x"}, "nothing listens there")
	f(exitFailed, "", []string{"--to", in.addr(), long}, "65508 bytes", "at most 65507 bytes")
	f(exitFailed, long+"\n", []string{"--to", in.addr()}, "65508 bytes")
	f(exitFailed, strings.Repeat(long, 20), []string{"--to", in.addr()}, "a line of more than")
	f(exitUsage, "", []string{"--to", "localhost", "x"}, "missing port")
	f(exitUsage, "", []string{"--count", "-1", "--rate", "-2", "x"}, "--count -1", "--rate -2")
	f(exitUsage, "", []string{"--mix", "x"}, "--mix makes its own messages")
	f(exitUsage, "", []string{"--to", "192.0.2.1:9", "--sources", "2", "x"}, "127.0.0.0/8")
	f(exitUsage, "", []string{"--tp", "x"}, "did you mean --to")
}
